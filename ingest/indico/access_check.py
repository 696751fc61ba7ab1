"""Asks an Indico whether it still shows an object to the public or to an audience.

One short request per account: the list of an object's attachments, which answers 403 if
the object is closed to the account, 404 if it was deleted, and otherwise the files that
the account may open. For the principals of an audience all of its accounts are asked:
what is shown to one of them alone is not for the group. Observed on Indico 3.3.14.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from dunegpt.access import PUBLIC
from dunegpt.ingest.access_check import (
    UNKNOWN,
    AccessRequest,
    Plan,
    Shown,
    Verdict,
)
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.indico.access import Audience
from dunegpt.ingest.indico.client import ANONYMOUS, Account

_OBJECT = re.compile(r"(\d+)(?:/sess(\d+)|/c(\d+)(?:/s(\d+))?)?")
_ATTACHMENT = re.compile(r"(?:info-)?a\d+")


class IndicoAccessChecker:
    """Plans requests for the attachments of objects."""

    def __init__(
        self,
        client: PoliteClient,
        audiences: Sequence[Audience],
        prefix: str,
        per_hour: int,
        close: Callable[[], None],
    ) -> None:
        """Prepare to plan; nothing is asked.

        Args:
            client: Client of the site.
            audiences: Groups with their accounts.
            prefix: Prefix of ids.
            per_hour: Limit on the requests.
            close: Closes the connection of the client.
        """
        self._client, self._audiences = client, audiences
        self._prefix, self._close = prefix, close
        self.per_hour = per_hour

    def plan(self, document_id: str, principal: str) -> Plan:
        """Return the requests of all accounts of each audience with the principal."""
        prefix, _, place = document_id.partition(":")
        match = _OBJECT.fullmatch(place)
        if prefix != self._prefix or match is None:
            return ()
        event, session, talk, part = match.groups()
        path = f"/export/attachments/{event}"
        path += f"/session/{session}" if session else ""
        path += f"/contribution/{talk}" if talk else ""
        path += f"/{part}" if part else ""
        if principal == PUBLIC:
            return ((self._request(f"{path}.json", ANONYMOUS),),)
        return tuple(
            tuple(self._request(f"{path}.json", a) for a in audience.accounts)
            for audience in self._audiences
            if principal in audience.principals
        )

    def is_protected(self, key: str) -> bool:
        """Return whether a file is an attachment; minutes go with their object."""
        return _ATTACHMENT.fullmatch(key) is not None

    def preparation(self) -> Sequence[AccessRequest]:
        """Return nothing: all is known from the settings."""
        return ()

    def load(self, learned: Any) -> None:
        """Do nothing."""

    def learned(self) -> Any:
        """Return None."""
        return None

    def close(self) -> None:
        """Close the connection."""
        self._close()

    def _request(self, path: str, account: Account) -> AccessRequest:
        # As `IndicoClient`: no cached answer, and none to an ignored token.
        params = {"nc": "yes", "tz": "UTC"}
        headers = {}
        if account.token:
            params["onlyauthed"] = "yes"
            headers["Authorization"] = f"Bearer {account.token}"
        return AccessRequest(
            f"{self._client.url}{path}?{urlencode(params)}",
            _judge_attachments,
            headers,
            self._client.trust,
        )


def _judge_attachments(status: int, headers: Mapping[str, str], body: bytes) -> Verdict:
    """Return whether an answer shows the object, and which of its attachments.

    Raises:
        ValueError: It is not JSON.
        KeyError, TypeError, AttributeError: It has another form than was seen.
    """
    is_page = "text/html" in headers.get("content-type", "")
    if is_page or b"insufficient_scope" in body or status not in {200, 403, 404}:
        return UNKNOWN
    answer = json.loads(body)
    if not isinstance(answer, dict):
        return UNKNOWN
    if status == 403:
        return Verdict(Shown.NO)
    if status == 404:
        return Verdict(Shown.DELETED)
    keys = {
        f"{what}a{attachment['id']}"
        for what in ("", "info-")
        for folder in answer["results"]["folders"]
        for attachment in folder["attachments"]
    }
    return Verdict(Shown.YES, frozenset(keys))
