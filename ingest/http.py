"""A polite client for one web site: paced, patient, bounded, and never led astray.

One connection, a pause between requests and a budget an hour, an own User-Agent,
``Retry-After`` honoured, no redirect followed, no credential sent to another host, no
answer longer than asked. Does not know what the answers mean; a source does.
"""

import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import tenacity

from dunegpt import __version__
from dunegpt.errors import (
    ConfigError,
    FetchError,
    SourceBusyError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)

log = logging.getLogger(__name__)

_BUSY = {429, 500, 502, 503, 504}
_MAX_ANSWER_BYTES = 256 << 20
_LONGEST_WAIT_S = 300.0
_HOUR_S = 3600.0

Judge = Callable[[int, Mapping[str, str]], str]
"""Looks at status and headers before a body is read: returns another address of this
site to fetch instead, or empty to go on; raises what the answer means."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        """Where a redirect points, or empty."""
        return self.headers.get("location", "")

    @property
    def is_html(self) -> bool:
        """Whether a page for people came."""
        return "text/html" in self.headers.get("content-type", "")


class _BusyError(Exception):
    """The site asks to come again later, or did not answer."""

    def __init__(self, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(slots=True)
class _Pace:
    """When the requests to a site were made."""

    last: float
    spent: deque[float]


class PoliteClient:
    """Asks one site, at its pace."""

    def __init__(
        self,
        url: str,
        *,
        contact: str = "",
        delay_s: float = 1.0,
        timeout_s: float = 60.0,
        per_hour: int = 0,
        attempts: int = 4,
        trust: ssl.SSLContext | bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        agent = f"dunegpt/{__version__}" + (f" ({contact})" if contact else "")
        self.url = url.rstrip("/")
        self._delay_s = delay_s
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._pace = _Pace(-delay_s, deque())
        self._per_hour = per_hour
        self._http = httpx.Client(
            headers={"User-Agent": agent},
            timeout=timeout_s,
            follow_redirects=False,
            verify=trust,
            limits=httpx.Limits(max_connections=1),
        )
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_BusyError),
            stop=tenacity.stop_after_attempt(attempts),
            wait=self._pause,
            sleep=sleep,
            reraise=True,
        )
        self.requests = 0

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def keep_pace_with(self, other: "PoliteClient") -> None:
        """Count requests of another client of this site as own ones, and it these.

        Two clients share neither a connection nor a cookie, and yet are one guest.
        """
        self._pace = other._pace

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a GET, after retries while the site is busy.

        Args:
            path: Below the site's address.
            params: Of the query.
            token: To send; none if empty.
            headers: To send besides: a cookie, another kind of login.

        Raises:
            SourceUnreachableError: No answer but busy ones, or none in time.
            SourceBusyError: The site asks to come back much later.
            SourceLoginError: A challenge page of a protection service came.
            SourceFormatError: The answer has no end.
        """
        return self._asked(path, params, _headers(token, headers), None)

    def post(self, path: str, content: bytes, *, headers: Mapping[str, str]) -> Answer:
        """Return the answer to a POST, after retries while the site is busy.

        A status 500 with XML is an answer: a fault of a web service. Never send what
        changes something: it may be sent more than once.

        Args:
            path: Below the site's address.
            content: To send.
            headers: To send besides: its type, a login.

        Raises:
            SourceError: As `get`.
        """
        return self._asked(path, None, dict(headers), content)

    def _asked(
        self,
        path: str,
        params: Mapping[str, Any] | None,
        headers: dict[str, str],
        content: bytes | None,
    ) -> Answer:
        try:
            url = f"{self.url}{path}"
            return self._retry(self._ask_once, url, params, headers, content)
        except _BusyError as error:
            raise SourceUnreachableError(
                f"{self.url} does not answer: {error}."
            ) from error
        except (FetchError, httpx.DecodingError) as error:
            raise SourceFormatError(_words(error)) from error

    def stream(
        self,
        url: str,
        *,
        max_bytes: int,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        judge: Judge | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of a file of this site.

        Args:
            url: Of the file.
            max_bytes: More than that is an error.
            token: To send; none if empty.
            headers: To send besides.
            judge: Says what an answer means, in the place of the rules here.

        Raises:
            FetchError: On another host, redirected, refused, too long, cut short.
            SourceLoginError: A challenge page came, or the token is refused.
        """
        try:
            sent = _headers(token, headers)
            yield from self._retry(self._open_once, url, max_bytes, sent, judge)
        except (_BusyError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise FetchError(
                f"{_place(url)} did not come whole: {_words(error)}."
            ) from error

    def _pause(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, _BusyError) else 0.0
        backoff = max(self._delay_s, 0.1) * 2.0**state.attempt_number
        return float(min(max(asked, backoff), _LONGEST_WAIT_S))

    def recall(self, spent: Sequence[float]) -> None:
        """Count requests of an earlier run, by their times, as `spent` gives them."""
        self._pace.spent.extend(sorted(spent))

    def spent(self) -> list[float]:
        """Return when the last hour's requests were made, in seconds since 1970."""
        self._drop_old()
        return [round(moment, 1) for moment in self._pace.spent]

    def _drop_old(self) -> None:
        spent = self._pace.spent
        while spent and spent[0] <= time.time() - _HOUR_S:
            spent.popleft()

    def _keep_budget(self) -> None:
        """Wait while the hour's requests are used up."""
        self._drop_old()
        spent = self._pace.spent
        if self._per_hour and len(spent) >= self._per_hour:
            wait = max(spent[0] + _HOUR_S - time.time(), 0)
            log.warning(
                "%s: the %d requests of this hour are used; going on in %.0f s",
                self.url,
                self._per_hour,
                wait,
            )
            self._sleep(wait)
            spent.popleft()
        spent.append(time.time())

    @contextmanager
    def _request(
        self,
        url: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> Iterator[httpx.Response]:
        """Give the head of an answer, after the pause that is due.

        Raises:
            _BusyError: Nothing came, or a status that asks to come again.
        """
        wait = self._pace.last + self._delay_s - time.monotonic()
        if wait > 0:
            self._sleep(wait)
        self._keep_budget()
        self.requests += 1
        try:
            method = "GET" if content is None else "POST"
            with self._http.stream(
                method, url, params=params, headers=headers, content=content
            ) as reply:
                log.debug("%s %s", reply.status_code, reply.url.path)
                _check_challenge(reply)
                is_fault = content is not None and _is_xml_500(reply)
                if reply.status_code in _BUSY and not is_fault:
                    wait_s = _retry_after(reply)
                    if wait_s > _LONGEST_WAIT_S:
                        raise SourceBusyError(
                            f"{self.url} asks to come back in {wait_s:.0f} s."
                        )
                    raise _BusyError(f"status {reply.status_code}", wait_s=wait_s)
                yield reply
        except httpx.TransportError as error:
            raise _BusyError(_words(error)) from error
        finally:
            self._pace.last = time.monotonic()

    def _ask_once(
        self,
        url: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> Answer:
        with self._request(url, params, headers, content) as reply:
            body = b"".join(self._bounded(reply, _MAX_ANSWER_BYTES))
            return Answer(reply.status_code, dict(reply.headers), body)

    def _open_once(
        self, url: str, max_bytes: int, headers: Mapping[str, str], judge: Judge | None
    ) -> Iterator[bytes]:
        """Return the pieces of a file; a retry starts only before the first one."""
        pieces = self._pieces(url, max_bytes, headers, judge)
        first = next(pieces, b"")

        def all_pieces() -> Iterator[bytes]:
            yield first
            yield from pieces

        return all_pieces()

    def _pieces(
        self, url: str, max_bytes: int, headers: Mapping[str, str], judge: Judge | None
    ) -> Iterator[bytes]:
        own, other = urlsplit(self.url), urlsplit(url)
        if (own.scheme, own.netloc) != (other.scheme, other.netloc):
            raise FetchError(
                f"{_place(url)} is on another host; no token is sent there."
            )
        with self._request(url, None, headers) as reply:
            elsewhere = judge(reply.status_code, reply.headers) if judge else ""
            if not elsewhere:
                yield from self._whole(reply, url, max_bytes, judged=bool(judge))
        if elsewhere:
            # Without a judge: a redirect leads nowhere further.
            yield from self._pieces(elsewhere, max_bytes, headers, None)

    def _whole(
        self, reply: httpx.Response, url: str, max_bytes: int, *, judged: bool
    ) -> Iterator[bytes]:
        """Yield the body of a file's answer.

        Raises:
            FetchError, SourceLoginError: It is none.
        """
        if not judged:
            if reply.status_code in {401, 403} and _is_json(reply):
                raise SourceLoginError(f"The token may not fetch files: {_place(url)}.")
            if reply.is_redirect:
                to = urlsplit(reply.headers.get("location", "")).path
                raise FetchError(
                    f"{_place(url)} leads elsewhere ({_folder(to)}), likely to a login."
                )
        if reply.status_code != httpx.codes.OK:
            raise FetchError(f"{_place(url)} answers {reply.status_code}.")
        yield from self._bounded(reply, max_bytes)

    def _bounded(self, reply: httpx.Response, max_bytes: int) -> Iterator[bytes]:
        """Yield the body's pieces.

        Raises:
            FetchError: It grows over ``max_bytes``, or takes over ten time-outs.
        """
        size, deadline = 0, time.monotonic() + 10 * self._timeout_s
        for piece in reply.iter_bytes():
            size += len(piece)
            if size > max_bytes:
                raise FetchError(
                    f"{_place(str(reply.url))} is longer than {max_bytes:,} bytes."
                )
            if time.monotonic() > deadline:
                raise FetchError(f"{_place(str(reply.url))} comes too slowly.")
            yield piece


def trusting(
    certificate: tuple[Path, Path] | None, authorities: Path | None
) -> ssl.SSLContext | bool:
    """Return whom to trust, and the certificate to show, if there is one.

    Raises:
        ConfigError: A file cannot be used.
    """
    if not (certificate or authorities):
        return True
    try:
        context = ssl.create_default_context(cafile=authorities)
        if certificate:
            context.load_cert_chain(*certificate)
    except (OSError, ValueError) as error:
        raise ConfigError(f"A certificate cannot be used: {error}") from error
    return context


def _headers(token: str, more: Mapping[str, str] | None) -> dict[str, str]:
    own = {"Authorization": f"Bearer {token}"} if token else {}
    return own | dict(more or {})


def _place(url: str) -> str:
    """Return an address without the file's name, which may say what it is about."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.netloc}{_folder(parts.path)}"


def _folder(path: str) -> str:
    """Return a path up to its last slash."""
    return path[: path.rfind("/") + 1] or "/"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_json(reply: httpx.Response) -> bool:
    return "json" in reply.headers.get("content-type", "")


def _is_xml_500(reply: httpx.Response) -> bool:
    kind = reply.headers.get("content-type", "")
    return reply.status_code == 500 and "xml" in kind and "html" not in kind


def _retry_after(reply: httpx.Response) -> float:
    """Return the seconds that ``Retry-After`` asks for, as a number or a date."""
    value = reply.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    return max(moment.timestamp() - time.time(), 0.0)


def _check_challenge(reply: httpx.Response) -> None:
    """Stop at a challenge page of Cloudflare: it is never worked around.

    Raises:
        SourceLoginError: Such a page came.
    """
    guarded = reply.headers.get("server", "").lower() == "cloudflare"
    blocked = reply.status_code in {403, 503} and not _is_json(reply)
    if "cf-mitigated" in reply.headers or (guarded and blocked):
        raise SourceLoginError(
            f"{reply.url.host} sent a Cloudflare challenge instead of an answer.",
            hint="Ask its managers to allow this host and User-Agent; nothing was"
            " removed.",
        )
