"""Requests to one Indico site, and checks that the answers are what was requested.

Each request is made by an `Account`, which may be the anonymous visitor. Every request
has ``nc=yes`` (answers are cached for 600 s), ``tz=UTC`` (the default is the zone of
the server) and, with a token, ``onlyauthed=yes`` (so that an ignored token cannot look
like a mass deletion). The meaning of the statuses was observed on Indico 3.3.14. Does
not store anything, nor decide who may read what.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bs4 import BeautifulSoup

from dunegpt.errors import FetchError, SourceFormatError, SourceLoginError
from dunegpt.ingest.http import HttpResponse, PoliteClient

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Account:
    """One way to look at the site.

    Attributes:
        label: What it is called in evidence: the name of the token's variable.
        token: Of the account; empty for the anonymous visitor.
    """

    label: str
    token: str = field(default="", repr=False)


ANONYMOUS = Account("an anonymous visitor")
_BREAK_KEYS = (
    "title",
    "description",
    "startDate",
    "endDate",
    "room",
    "location",
    "sessionSlotId",
)

DELETED, CLOSED, AVAILABLE = "deleted", "closed", "alive"


class CategoryClosedError(SourceLoginError):
    """A category is closed to an account whose token is good."""

    hint = "Let its managers admit the account, or take it out of 'categories'."


class IndicoClient:
    """One Indico, asked through a polite client."""

    def __init__(self, client: PoliteClient) -> None:
        self.http_client = client

    def fetch_category(self, number: int, eye: Account) -> Json | None:
        """Return what is said of a category and those below; None if there is none.

        Raises:
            CategoryClosedError: It is closed to this eye.
            SourceLoginError: The token is refused.
            SourceFormatError: There is no such thing in the answer.
        """
        found = self.fetch_json(f"/category/{number}/info", {}, eye)
        if found is None:
            return None
        try:
            int(found["category"]["deep_event_count"])
        except (KeyError, TypeError, ValueError) as error:
            raise SourceFormatError(
                f"/category/{number}/info has no count of events."
            ) from error
        return dict(found)

    def fetch_category_events(
        self, category: int, level: str, eye: Account, **params: str
    ) -> list[Json]:
        """Return the events below a category, with a level of detail."""
        path = f"/export/categ/{category}.json"
        return self._fetch_event_list(
            path, {"detail": level, "order": "id", **params}, eye
        )

    def fetch_events(
        self, numbers: Sequence[str], level: str, eye: Account
    ) -> list[Json]:
        """Return those of some events that this eye is shown."""
        path = f"/export/event/{'-'.join(numbers)}.json"
        return self._fetch_event_list(path, {"detail": level}, eye)

    def fetch_availability(self, number: str, eye: Account) -> str:
        """Return whether an event is `DELETED`, `CLOSED` to the account or `AVAILABLE`.

        ``/export/event`` answers alike for all three; the attachments do not.

        Raises:
            SourceFormatError: The answer is none of these: nothing may be concluded.
        """
        path = f"/export/attachments/{number}.json"
        answer = self._request(path, {}, eye)
        is_ours = not answer.is_html and b"insufficient_scope" not in answer.body
        if answer.status == 404 and is_ours:
            return DELETED
        if answer.status == 403 and is_ours:
            return CLOSED
        self._parse_response(path, answer, eye)
        return AVAILABLE

    def fetch_breaks(
        self, numbers: Sequence[str], eye: Account
    ) -> dict[str, list[Json]]:
        """Return the breaks in the timetables of some events, by their numbers.

        A timetable is answered whoever asks; who may see a break is not decided here.

        Raises:
            SourceFormatError: The answer has another form.
        """
        path = f"/export/timetable/{'-'.join(numbers)}.json"
        answer = self._request(path, {}, eye)
        if answer.status == 404:
            return {}
        found = self._parse_response(path, answer, eye)
        try:
            return {
                str(number): [
                    {key: entry.get(key) for key in _BREAK_KEYS}
                    for day in (days or {}).values()
                    for entry in _iter_entries(day)
                    if entry["entryType"] == "Break"
                ]
                for number, days in (found["results"] or {}).items()
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise SourceFormatError(f"{path} has no timetables.") from error

    def fetch_session_names(self, event: str, eye: Account) -> dict[int, str]:
        """Return the titles of all sessions of an event, by their ids.

        They are the choices of a filter, and stand there whoever may read them.
        Empty if the event has no such page for this eye.
        """
        path = f"/event/{event}/contributions/customize"
        answer = self._request(path, {}, eye)
        if answer.status != 200 or answer.is_html:
            return {}
        found = self._parse_response(path, answer, eye)
        page = BeautifulSoup(str(found.get("html") or ""), "lxml")
        boxes = page.find_all("input", attrs={"name": "field_session"})
        names = {str(box.get("value")): box for box in boxes}
        return {
            int(value): " ".join(label.get_text().split())
            for value, box in names.items()
            if value.isdecimal() and (label := box.find_next("label"))
        }

    def fetch_session(self, event: str, talk: int, eye: Account) -> Json | None:
        """Return id and title of the session of a talk, or None.

        Raises:
            SourceFormatError: The talk cannot be opened, or has no such field.
        """
        path = f"/event/{event}/contributions/{talk}.json"
        try:
            found = self.fetch_json(path, {}, eye)
        except SourceLoginError as error:
            # This one talk is closed; a refused token would have failed before.
            raise SourceFormatError(f"{path} is closed to {eye.label}.") from error
        if found is None or "session" not in found:
            raise SourceFormatError(f"{path} has no session.")
        return found["session"] or None

    def fetch_session_files(
        self, event: str, session: int, eye: Account
    ) -> tuple[list[Any], Any] | None:
        """Return folders and minutes of a session; None if it is closed to this eye."""
        place = f"{event}/session/{session}.json"
        files = self.fetch_json(f"/export/attachments/{place}", {}, eye)
        if files is None:
            return None
        note = self.fetch_json(f"/export/note/{place}", {}, eye) or {}
        folders = (files.get("results") or {}).get("folders") or []
        return folders, note.get("results")

    def is_file_shown(self, url: str, eye: Account) -> bool | None:
        """Return whether a file is shown to an account; None if that is unclear.

        Only the status is read: Indico answers no HEAD requests.
        """
        told: list[tuple[int, str]] = []

        def note(status: int, headers: Mapping[str, str]) -> str:
            told.append((status, headers.get("location", "")))
            raise FetchError("only the status was asked for")

        with suppress(FetchError):
            for _ in self.http_client.stream(
                url, max_bytes=1, token=eye.token, judge=note
            ):
                pass
        status, location = told[0] if told else (0, "")
        if status == 200:
            return True
        refused = status in {401, 403} or (status == 302 and "login" in location)
        return False if refused else None

    def fetch_file(self, url: str, max_bytes: int, eye: Account) -> Iterator[bytes]:
        """Yield the bytes of an attached file."""
        return self.http_client.stream(url, max_bytes=max_bytes, token=eye.token)

    # ── answers ───────────────────────────────────────────────────────────────────

    def fetch_json(self, path: str, params: dict[str, str], eye: Account) -> Any:
        """Return the JSON of an answer, or None if this eye is shown no such object.

        Raises:
            SourceLoginError: A login page came, or the token is refused.
            SourceFormatError: Something else than JSON came.
        """
        answer = self._request(path, params, eye)
        if not answer.is_html and _no_such_object(path, answer):
            return None
        return self._parse_response(path, answer, eye)

    def _fetch_event_list(
        self, path: str, params: dict[str, str], eye: Account
    ) -> list[Json]:
        answer = self.fetch_json(path, params, eye)
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list):
            raise SourceFormatError(f"{path} returned no list of results.")
        if not all(isinstance(e, dict) and e.get("id") for e in results):
            raise SourceFormatError(f"{path} lists events without an id.")
        return results

    def _request(self, path: str, params: dict[str, str], eye: Account) -> HttpResponse:
        params = {**params, "nc": "yes", "tz": "UTC"}
        if eye.token and path.startswith("/export/"):
            params["onlyauthed"] = "yes"
        return self.http_client.get(path, params, token=eye.token)

    def _parse_response(self, path: str, answer: HttpResponse, eye: Account) -> Any:
        self._check_login(path, answer, eye)
        try:
            if answer.status != 200 or answer.is_html:
                raise ValueError("not JSON")
            return json.loads(answer.body)
        except ValueError as error:
            received = "an HTML page" if answer.is_html else "other content"
            raise SourceFormatError(
                f"{path} answered {answer.status} with {received} instead of JSON."
            ) from error

    def _check_login(self, path: str, answer: HttpResponse, eye: Account) -> None:
        """Stop at an answer that says that this eye is not let in.

        400 on ``/export`` is for a token that is wrong or lacks ``read:legacy_api``,
        401 elsewhere for a wrong one, 403 for one that lacks ``read:everything``, 302
        for no token at all.

        Raises:
            SourceLoginError: With the reason.
        """
        text = answer.body.decode(errors="replace")
        scope = "insufficient_scope" in text
        reasons = {
            301: "it leads to another address",
            302: "the account may not" if eye.token else "it leads to a login page",
            400: "the token lacks the scope read:legacy_api" if scope else "",
            401: "the token is wrong, expired or revoked",
            403: "the token lacks the scope read:everything" if scope else "no access",
        }
        if answer.status == 400 and not scope and "OAuth error" in text:
            reasons[400] = "the token is wrong, expired or revoked"
        if reason := reasons.get(answer.status):
            error = f"{self.http_client.url} refused {path} to {eye.label}"
            error += f" ({answer.status}): {reason}."
            is_closed = answer.status in {302, 403} and not scope
            if is_closed and path.startswith("/category/"):
                raise CategoryClosedError(error)
            raise SourceLoginError(error)


def _iter_entries(day: Json) -> Iterator[Json]:
    """Yield the entries of a day of a timetable, those inside of sessions, too.

    A day without entries is an empty list.
    """
    for entry in day.values() if isinstance(day, dict) else ():
        yield entry
        inner = entry.get("entries")
        yield from inner.values() if isinstance(inner, dict) else ()


def _no_such_object(path: str, answer: HttpResponse) -> bool:
    """Return whether the object is missing, or closed to just this eye."""
    of_object = path.startswith(("/export/attachments/", "/export/note/"))
    closed = of_object and b"insufficient_scope" not in answer.body
    return answer.status == 404 or (answer.status == 403 and closed)
