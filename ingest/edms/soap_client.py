"""Sends SOAP requests with a login, and records or replays the answers.

A recording contains the request without its user, and the answer; passwords, tokens and
cookies are neither recorded nor logged. Does not interpret the answers.
"""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from dunegpt.errors import SourceFormatError, SourceLoginError
from dunegpt.files import damaged, write_atomically
from dunegpt.ingest.http import HttpResponse, PoliteClient

_RENEW_EARLY_S = 60.0
_RECORDED_HEADERS = ("content-type",)
_REDACTED = b"(left out)"


class SoapClient(Protocol):
    """Carries a question to a service, and its answer back."""

    def open(self) -> None:
        """Look whether there is something to ask.

        Raises:
            SourceError: There is not.
        """

    def recorded_values(self, operation: str, parameter: str) -> frozenset[str]:
        """Return what was asked for in recordings, if it has them."""

    def call(
        self, service: str, operation: str, asked: Mapping[str, str], sent: bytes
    ) -> HttpResponse:
        """Return an answer.

        Args:
            service: Where to ask.
            operation: Its name.
            asked: Its parameters, without the user.
            sent: The message.

        Raises:
            SourceError: None came.
        """


# ── logins ────────────────────────────────────────────────────────────────────────────


class BasicLogin:
    """A user and a password, sent with each question."""

    def __init__(self, user: str, password: str) -> None:
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._header, self.secrets = f"Basic {encoded}", [password, encoded]

    def header(self) -> str:
        """Return what stands under ``Authorization``."""
        return self._header

    def renew(self) -> bool:
        """Return whether another try may help: never."""
        return False

    def close(self) -> None:
        """Hold nothing open."""


class TokenLogin:
    """Client credentials of OpenID Connect: a short-lived token for one audience."""

    def __init__(
        self,
        client: PoliteClient,
        path: str,
        credentials: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where a token is asked for, and with what.

        Args:
            client: Of the host that gives tokens.
            path: Where on it.
            credentials: ``client_id``, ``client_secret`` and ``audience``.
            clock: Tells seconds.
        """
        self._client, self._path, self._clock = client, path, clock
        self._form = {"grant_type": "client_credentials", **credentials}
        self._token, self._expires_at = "", 0.0
        self.secrets = [credentials["client_secret"]]

    def header(self) -> str:
        """Return what stands under ``Authorization``; a new token if that is due.

        Raises:
            SourceError: No token is given.
        """
        if not self._token or self._clock() >= self._expires_at:
            self._fetch_token()
        return f"Bearer {self._token}"

    def renew(self) -> bool:
        """Let go of the token; another one may be taken."""
        self._token = ""
        return True

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _fetch_token(self) -> None:
        answer = self._client.post(
            self._path,
            urlencode(self._form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        host = urlsplit(self._client.url).netloc
        if answer.status != 200:
            raise SourceLoginError(
                f"{host} refused to issue a token ({answer.status})."
            )
        try:
            told = json.loads(answer.body)
            token, lasts_s = told["access_token"], float(told.get("expires_in", 0))
            if not isinstance(token, str) or not token.isascii():
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError):
            # What came may hold a token, so it is not told.
            raise SourceLoginError(f"{host} answered without a token.") from None
        self._token, self._expires_at = (
            token,
            self._clock() + max(lasts_s - _RENEW_EARLY_S, 0),
        )
        self.secrets = [self._form["client_secret"], token]


Login = BasicLogin | TokenLogin


# ── wires ─────────────────────────────────────────────────────────────────────────────


class HttpSoapClient:
    """Asks the services, each question with the login."""

    def __init__(
        self, client: PoliteClient, login: Login, record: Path | None = None
    ) -> None:
        """Take the way to the services.

        Args:
            client: Of the host; keeps to its pace.
            login: What each question is sent with.
            record: Folder to keep each answer in.
        """
        self._client, self._login, self._record_folder = client, login, record

    def open(self) -> None:
        """Take it that there is something to ask."""

    def recorded_values(self, operation: str, parameter: str) -> frozenset[str]:
        """Return nothing: the services do not list."""
        return frozenset()

    def call(
        self, service: str, operation: str, asked: Mapping[str, str], sent: bytes
    ) -> HttpResponse:
        """Return an answer, after a new token if the one that we had is refused."""
        for is_last in (False, True):
            headers = {
                "Content-Type": "text/xml; charset=utf-8",
                "SOAPAction": '""',
                "Authorization": self._login.header(),
            }
            answer = self._client.post(f"/ws/{service}", sent, headers=headers)
            if answer.status != 401 or is_last or not self._login.renew():
                break
        if self._record_folder:
            self._record_exchange(self._record_folder, operation, asked, answer)
        return answer

    def _record_exchange(
        self,
        folder: Path,
        operation: str,
        asked: Mapping[str, str],
        answer: HttpResponse,
    ) -> None:
        body = answer.body
        for secret in self._login.secrets:
            body = body.replace(secret.encode(), _REDACTED)
        kept = {
            "operation": operation,
            "parameters": dict(asked),
            "status": answer.status,
            "headers": {n: answer.headers.get(n, "") for n in _RECORDED_HEADERS},
            "body": body.decode("utf-8", errors="surrogateescape"),
        }
        content = json.dumps(kept, indent=1, sort_keys=True).encode()
        write_atomically(folder / _recording_name(operation, asked), content)


class ReplaySoapClient:
    """Plays back recordings."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        """Look whether there are recordings.

        Raises:
            SourceFormatError: There are none.
        """
        if not any(self._folder.glob("get*.json")):
            raise SourceFormatError(
                f"There are no recordings in {self._folder}.",
                hint="Record some with transport = 'soap' and answers = FOLDER; nothing"
                " was removed.",
            )

    def recorded_values(self, operation: str, parameter: str) -> frozenset[str]:
        """Return what recordings asked for under a parameter of an operation."""
        paths = sorted(self._folder.glob(f"{operation}-*.json"))
        return frozenset(
            self._read_recording(path)["parameters"][parameter] for path in paths
        )

    def call(
        self, service: str, operation: str, asked: Mapping[str, str], sent: bytes
    ) -> HttpResponse:
        """Return what was once answered.

        Raises:
            SourceFormatError: This was never asked, or the recording is damaged.
        """
        path = self._folder / _recording_name(operation, asked)
        if not path.is_file():
            told = ", ".join(asked.values())
            raise SourceFormatError(f"{operation} of {told} was not recorded.")
        kept = self._read_recording(path)
        body = kept["body"].encode("utf-8", errors="surrogateescape")
        return HttpResponse(kept["status"], kept["headers"], body)

    def _read_recording(self, path: Path) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            known = {"parameters": dict, "headers": dict, "status": int, "body": str}
            if not all(isinstance(found[name], k) for name, k in known.items()):
                raise TypeError
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"The recording {path} is damaged."
            raise damaged(error, message, path=path, kind=SourceFormatError) from error
        return found


def _recording_name(operation: str, asked: Mapping[str, str]) -> str:
    """Return the name of a recording: equal questions have equal names."""
    content = json.dumps(dict(asked), sort_keys=True).encode()
    return f"{operation}-{hashlib.sha256(content).hexdigest()[:24]}.json"
