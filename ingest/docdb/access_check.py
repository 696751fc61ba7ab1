"""Asks a DocDB whether it still shows one version to the public or to a group.

The same request as the crawl's: the XML of the version, through the public endpoint or
as the group sees it. A login that is in several groups is narrowed to one by a cookie,
for which its groups are asked for once a day. A login that has lapsed, or a page for
people in place of the XML, tells nothing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from dunegpt.access import PUBLIC
from dunegpt.errors import SourceFormatError
from dunegpt.ids import split_id
from dunegpt.ingest.access_check import (
    UNKNOWN,
    AccessRequest,
    Plan,
    Shown,
    Verdict,
)
from dunegpt.ingest.docdb.client import Endpoint, GroupView, find_public_view
from dunegpt.ingest.docdb.html_pages import parse_group_numbers, parse_own_groups
from dunegpt.ingest.docdb.xml_records import parse_revision

_OWN_GROUPS, _ALL_GROUPS = "SelectGroups", "ListGroups"


class DocDBAccessChecker:
    """Plans requests for the XML of versions."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        prefix: str,
        groups: Collection[str],
        per_hour: int,
        close: Callable[[], None],
    ) -> None:
        """Prepare to plan; nothing is asked.

        Args:
            endpoints: Endpoints with their logins.
            prefix: Prefix of ids and principals.
            groups: Names of the groups to use; all if empty.
            per_hour: Limit on the requests.
            close: Closes the connections of the endpoints.
        """
        self._endpoints, self._prefix = endpoints, prefix
        self._groups, self._close = frozenset(groups), close
        self.per_hour = per_hour
        self._numbers: dict[str, dict[str, int]] = {}
        self._told_nothing: set[str] = set()

    def plan(self, document_id: str, principal: str) -> Plan:
        """Return one request: the version as the public or the group sees it.

        Raises:
            ConfigError: The secret of a login cannot be read.
            SourceLoginError: The cookie of a session is not of its form.
        """
        prefix, number, version = split_id(document_id)
        view = self._find_view(principal)
        if prefix != self._prefix or not number.isdigit() or view is None:
            return ()
        return ((self._request_version(view, int(number), int(version or 0)),),)

    def is_protected(self, key: str) -> bool:
        """Return False: the files of a version are shown to whom the version is."""
        return False

    def preparation(self) -> Sequence[AccessRequest]:
        """Return a request for the groups of each login that is in several."""
        return [
            self._request_groups(door)
            for door in self._endpoints
            if not door.group and door.name not in self._numbers
        ]

    def load(self, learned: Any) -> None:
        """Take the groups of logins, with their numbers."""
        self._numbers = {name: dict(groups) for name, groups in learned.items()}

    def learned(self) -> Any:
        """Return the groups of logins, with their numbers."""
        return self._numbers

    def close(self) -> None:
        """Close the connections."""
        self._close()

    def _find_view(self, principal: str) -> GroupView | None:
        """Return the view of a principal, as the crawl has it, or None."""
        if principal == PUBLIC:
            return find_public_view(list(self._endpoints))
        prefix, _, name = principal.partition(":")
        if prefix != self._prefix:
            return None
        for door in self._endpoints:
            if door.group == name:
                return GroupView(name, door)
            number = self._numbers.get(door.name, {}).get(name)
            is_chosen = not self._groups or name in self._groups
            if number is not None and is_chosen:
                return GroupView(name, door, number)
        return None

    def _request_version(
        self, view: GroupView, number: int, version: int
    ) -> AccessRequest:
        # Version 0, a reserved number, cannot be asked for once there is another.
        asked = f"&version={version}" if version else ""
        return AccessRequest(
            f"{view.endpoint.url}/ShowDocument?docid={number}{asked}&outformat=xml",
            partial(_judge_version, number, version),
            view.endpoint.auth_headers(view.cookie),
            view.endpoint.client.trust,
        )

    def _request_groups(self, door: Endpoint) -> AccessRequest:
        page = _ALL_GROUPS if door.name in self._told_nothing else _OWN_GROUPS
        return AccessRequest(
            f"{door.url}/{page}",
            partial(self._learn_groups, door.name, page),
            door.auth_headers(),
            door.client.trust,
        )

    def _learn_groups(
        self, door: str, page: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> Verdict:
        """Store the groups that a login may limit itself to; all if that is untold."""
        if status != 200:
            return UNKNOWN
        parse = parse_own_groups if page == _OWN_GROUPS else parse_group_numbers
        try:
            groups = parse(body)
        except SourceFormatError:
            if page == _ALL_GROUPS:
                raise
            self._told_nothing.add(door)
            return UNKNOWN
        self._numbers[door] = {name: number for number, name in groups.items()}
        return Verdict(Shown.YES)


def _judge_version(
    number: int, version: int, status: int, headers: Mapping[str, str], body: bytes
) -> Verdict:
    """Return whether the XML of a version shows it.

    Raises:
        SourceFormatError: It is not DocDB's XML, or of something else.
    """
    if status != 200 or "text/html" in headers.get("content-type", ""):
        return UNKNOWN
    revision = parse_revision(body, number, version or None)
    return Verdict(Shown.NO if revision is None else Shown.YES)
