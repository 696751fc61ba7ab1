"""A polite HTTP client for one web site: rate-limited, with retries and size limits.

One connection, a pause between requests, an hourly budget and its own User-Agent. It
honours ``Retry-After``, follows no redirect, sends no credential to another host, and
reads no answer beyond its size limit. Does not interpret the answers; a source does.
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

from dunegpt.errors import (
    ConfigError,
    FetchError,
    SourceBusyError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)
from dunegpt.ingest.encryption import is_encrypted
from dunegpt.version import __version__

log = logging.getLogger(__name__)

_RETRY_STATUSES = {429, 500, 502, 503, 504}
_MAX_RESPONSE_BYTES = 256 << 20
_MAX_WAIT_S = 300.0
_HOUR_S = 3600.0

ResponseCheck = Callable[[int, Mapping[str, str]], str]
"""Checks status and headers before the body is read. Returns another URL of this site
to fetch instead, or empty to continue; raises an error if the answer is not a file."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def location(self) -> str:
        """Where a redirect points, or empty."""
        return self.headers.get("location", "")

    @property
    def is_html(self) -> bool:
        """Whether the answer is an HTML page."""
        return "text/html" in self.headers.get("content-type", "")


class _RetryableError(Exception):
    """The site asks to retry later, or did not answer."""

    def __init__(self, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(slots=True)
class _RateLimit:
    """The times of the requests to a site."""

    last_request_at: float
    request_times: deque[float]


class PoliteClient:
    """Requests to one site."""

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
        self.trust = trust
        self._delay_s = delay_s
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._rate_limit = _RateLimit(-delay_s, deque())
        self._requests_per_hour = per_hour
        self._http = httpx.Client(
            headers={"User-Agent": agent},
            timeout=timeout_s,
            follow_redirects=False,
            verify=trust,
            limits=httpx.Limits(max_connections=1),
        )
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_RetryableError),
            stop=tenacity.stop_after_attempt(attempts),
            wait=self._retry_delay,
            sleep=sleep,
            reraise=True,
        )
        self.requests = 0

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def share_rate_limit(self, other: "PoliteClient") -> None:
        """Share pace and budget with another client of this site.

        Two clients share neither a connection nor cookies, but load the same site.
        """
        self._rate_limit = other._rate_limit

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse:
        """Return the answer to a GET request, with retries while the site is busy.

        Args:
            path: Path below the URL of the site.
            params: Query parameters.
            token: Bearer token; none if empty.
            headers: Further headers: a cookie, another kind of login.

        Raises:
            SourceUnreachableError: No answer in time, or only busy ones.
            SourceBusyError: The site asks to retry much later.
            SourceLoginError: A protection service sent a challenge page.
            SourceFormatError: The answer is too long.
        """
        return self._send_with_retries(
            "GET", path, params, _build_headers(token, headers), None
        )

    def head(self, path: str, *, headers: Mapping[str, str]) -> HttpResponse:
        """Return the headers that a GET request would get.

        Args:
            path: Path below the URL of the site.
            headers: Further headers.

        Raises:
            SourceError: As `get`.
        """
        return self._send_with_retries("HEAD", path, None, dict(headers), None)

    def post(
        self, path: str, content: bytes, *, headers: Mapping[str, str]
    ) -> HttpResponse:
        """Return the answer to a POST request, with retries while the site is busy.

        A status 500 with XML is an answer: the fault of a web service. For requests
        that change nothing, since a request may be sent more than once.

        Args:
            path: Path below the URL of the site.
            content: Body of the request.
            headers: Further headers: content type, a login.

        Raises:
            SourceError: As `get`.
        """
        return self._send_with_retries("POST", path, None, dict(headers), content)

    def _send_with_retries(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        headers: dict[str, str],
        content: bytes | None,
    ) -> HttpResponse:
        try:
            url = f"{self.url}{path}"
            return self._retry(self._send_once, method, url, params, headers, content)
        except _RetryableError as error:
            raise SourceUnreachableError(
                f"{self.url} does not answer: {error}."
            ) from error
        except (FetchError, httpx.DecodingError) as error:
            raise SourceFormatError(_error_message(error)) from error

    def stream(
        self,
        url: str,
        *,
        max_bytes: int,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        judge: ResponseCheck | None = None,
    ) -> Iterator[bytes]:
        """Yield the bytes of a file of this site.

        Args:
            url: URL of the file.
            max_bytes: Size limit.
            token: Bearer token; none if empty.
            headers: Further headers.
            judge: Checks the answer instead of the default rules.

        Raises:
            FetchError: On another host, redirected, refused, too long or incomplete.
            SourceLoginError: A challenge page came, or the token is refused.
        """
        try:
            sent = _build_headers(token, headers)
            yield from self._retry(self._open_once, url, max_bytes, sent, judge)
        except (
            _RetryableError,
            httpx.HTTPError,
            httpx.InvalidURL,
            ValueError,
        ) as error:
            raise FetchError(
                f"{_redact_url(url)} did not come whole: {_error_message(error)}."
            ) from error

    def _retry_delay(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_s if isinstance(error, _RetryableError) else 0.0
        backoff = max(self._delay_s, 0.1) * 2.0**state.attempt_number
        return float(min(max(asked, backoff), _MAX_WAIT_S))

    def restore_request_times(self, spent: Sequence[float]) -> None:
        """Count the requests of an earlier run, by its `recent_request_times`.

        Those in the future were made by a wrong clock, and would block for as long.
        """
        past = sorted(moment for moment in spent if moment <= time.time() + 1)
        self._rate_limit.request_times.extend(past)

    def recent_request_times(self) -> list[float]:
        """Return the times of the last hour's requests, in seconds since 1970."""
        self._drop_old_times()
        return [round(moment, 1) for moment in self._rate_limit.request_times]

    def _drop_old_times(self) -> None:
        spent = self._rate_limit.request_times
        while spent and spent[0] <= time.time() - _HOUR_S:
            spent.popleft()

    def _wait_for_budget(self) -> None:
        """Wait until the hourly budget allows another request."""
        self._drop_old_times()
        spent = self._rate_limit.request_times
        if self._requests_per_hour and len(spent) >= self._requests_per_hour:
            wait = max(spent[0] + _HOUR_S - time.time(), 0)
            log.warning(
                "%s: the budget of %d requests per hour is used; continuing in %.0f s",
                self.url,
                self._requests_per_hour,
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
        *,
        method: str = "GET",
    ) -> Iterator[httpx.Response]:
        """Yield an answer whose body is not read yet, after the pause between requests.

        Raises:
            _RetryableError: No answer, or a status that asks to retry.
            ConfigError: A login would be sent unencrypted to another host.
        """
        if not is_encrypted(url) and _has_login(headers):
            raise ConfigError(
                f"A login would be sent unencrypted to {_redact_url(url)}.",
                hint="Use https:// in the settings of the source.",
            )
        wait = self._rate_limit.last_request_at + self._delay_s - time.monotonic()
        if wait > 0:
            self._sleep(wait)
        self._wait_for_budget()
        self.requests += 1
        try:
            with self._http.stream(
                method, url, params=params, headers=headers, content=content
            ) as reply:
                log.debug("%s %s", reply.status_code, reply.url.path)
                _check_challenge(reply)
                is_fault = content is not None and _is_xml_500(reply)
                if reply.status_code in _RETRY_STATUSES and not is_fault:
                    wait_s = _parse_retry_after(reply)
                    if wait_s > _MAX_WAIT_S:
                        raise SourceBusyError(
                            f"{self.url} asks to retry in {wait_s:.0f} s."
                        )
                    raise _RetryableError(f"status {reply.status_code}", wait_s=wait_s)
                yield reply
        except httpx.TransportError as error:
            raise _RetryableError(_error_message(error)) from error
        finally:
            self._rate_limit.last_request_at = time.monotonic()

    def _send_once(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> HttpResponse:
        with self._request(url, params, headers, content, method=method) as reply:
            body = b"".join(self._limit_size(reply, _MAX_RESPONSE_BYTES))
            return HttpResponse(reply.status_code, dict(reply.headers), body)

    def _open_once(
        self,
        url: str,
        max_bytes: int,
        headers: Mapping[str, str],
        judge: ResponseCheck | None,
    ) -> Iterator[bytes]:
        """Return the chunks of a file; it can be retried only before the first one."""
        pieces = self._stream_once(url, max_bytes, headers, judge)
        first = next(pieces, b"")

        def all_pieces() -> Iterator[bytes]:
            yield first
            yield from pieces

        return all_pieces()

    def _stream_once(
        self,
        url: str,
        max_bytes: int,
        headers: Mapping[str, str],
        judge: ResponseCheck | None,
    ) -> Iterator[bytes]:
        own, other = urlsplit(self.url), urlsplit(url)
        if (own.scheme, own.netloc) != (other.scheme, other.netloc):
            raise FetchError(
                f"{_redact_url(url)} is on another host; no token is sent there."
            )
        with self._request(url, None, headers) as reply:
            elsewhere = judge(reply.status_code, reply.headers) if judge else ""
            if not elsewhere:
                yield from self._read_file_body(
                    reply, url, max_bytes, judged=bool(judge)
                )
        if elsewhere:
            # Without a judge: a redirect leads nowhere further.
            yield from self._stream_once(elsewhere, max_bytes, headers, None)

    def _read_file_body(
        self, reply: httpx.Response, url: str, max_bytes: int, *, judged: bool
    ) -> Iterator[bytes]:
        """Yield the body of an answer.

        Raises:
            FetchError, SourceLoginError: The answer is not a file.
        """
        if not judged:
            if reply.status_code in {401, 403} and _is_json(reply):
                raise SourceLoginError(
                    f"The token may not fetch files: {_redact_url(url)}."
                )
            if reply.is_redirect:
                to = urlsplit(reply.headers.get("location", "")).path
                raise FetchError(
                    f"{_redact_url(url)} leads elsewhere ({_parent_path(to)}),"
                    " likely to a login."
                )
        if reply.status_code != httpx.codes.OK:
            raise FetchError(f"{_redact_url(url)} answers {reply.status_code}.")
        yield from self._limit_size(reply, max_bytes)

    def _limit_size(self, reply: httpx.Response, max_bytes: int) -> Iterator[bytes]:
        """Yield the chunks of a body.

        Raises:
            FetchError: It exceeds ``max_bytes``, or takes over ten time-outs.
        """
        size, deadline = 0, time.monotonic() + 10 * self._timeout_s
        for piece in reply.iter_bytes():
            size += len(piece)
            if size > max_bytes:
                raise FetchError(
                    f"{_redact_url(str(reply.url))} is longer than {max_bytes:,} bytes."
                )
            if time.monotonic() > deadline:
                raise FetchError(f"{_redact_url(str(reply.url))} comes too slowly.")
            yield piece


def build_ssl_context(
    certificate: tuple[Path, Path] | None, authorities: Path | None
) -> ssl.SSLContext | bool:
    """Return the TLS settings: trusted authorities and the client certificate, if any.

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


def _build_headers(token: str, more: Mapping[str, str] | None) -> dict[str, str]:
    own = {"Authorization": f"Bearer {token}"} if token else {}
    return own | dict(more or {})


def _has_login(headers: Mapping[str, str]) -> bool:
    """Return whether headers hold a login: ``X-`` ones are those of signed requests."""
    return any(
        name.lower() in {"authorization", "cookie"} or name.lower().startswith("x-")
        for name in headers
    )


def _redact_url(url: str) -> str:
    """Return a URL without the file name, which may reveal what the file is about."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an invalid URL"
    return f"{parts.scheme}://{parts.netloc}{_parent_path(parts.path)}"


def _parent_path(path: str) -> str:
    """Return a path up to its last slash."""
    return path[: path.rfind("/") + 1] or "/"


def _error_message(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_json(reply: httpx.Response) -> bool:
    return "json" in reply.headers.get("content-type", "")


def _is_xml_500(reply: httpx.Response) -> bool:
    kind = reply.headers.get("content-type", "")
    return reply.status_code == 500 and "xml" in kind and "html" not in kind


def _parse_retry_after(reply: httpx.Response) -> float:
    """Return the seconds of ``Retry-After``, which is a number or a date."""
    value = reply.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return 0.0
    return max(moment.timestamp() - time.time(), 0.0)


def _check_challenge(reply: httpx.Response) -> None:
    """Reject a Cloudflare challenge; it is never bypassed.

    Raises:
        SourceLoginError: The answer is a challenge page.
    """
    guarded = reply.headers.get("server", "").lower() == "cloudflare"
    blocked = reply.status_code in {403, 503} and not _is_json(reply)
    if "cf-mitigated" in reply.headers or (guarded and blocked):
        raise SourceLoginError(
            f"{reply.url.host} sent a Cloudflare challenge instead of an answer.",
            hint="Ask its managers to allow this host and User-Agent; nothing was"
            " removed.",
        )
