"""Asks one Indico site, and tells what its answers mean.

Each question is asked by an `Eye`: an account, or the anonymous visitor. Every request
carries ``nc=yes`` (answers are cached for 600 s), ``tz=UTC`` (the default is the
server's zone) and, with a token, ``onlyauthed=yes`` (so that a token that is ignored
cannot look like a mass deletion). What the statuses mean was seen on Indico 3.3.14.
Does not know what is stored, and not who may read what.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dunegpt.errors import SourceFormatError, SourceLoginError
from dunegpt.ingest.http import Answer, PoliteClient

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Eye:
    """One way to look at the site.

    Attributes:
        label: What it is called in evidence: the name of the token's variable.
        token: Of the account; empty for the anonymous visitor.
    """

    label: str
    token: str = field(default="", repr=False)


ANONYMOUS = Eye("an anonymous visitor")

DELETED, CLOSED, ALIVE = "deleted", "closed", "alive"


class Site:
    """One Indico, asked through a polite client."""

    def __init__(self, client: PoliteClient, categories: Sequence[int]) -> None:
        self.client = client
        self._categories = "-".join(map(str, categories))

    def category(self, number: int, eye: Eye) -> Json | None:
        """Return what is said of a category and those below; None if there is none.

        Raises:
            SourceLoginError: It is closed to this eye.
            SourceFormatError: There is no such thing in the answer.
        """
        found = self.json(f"/category/{number}/info", {}, eye)
        if found is None:
            return None
        try:
            int(found["category"]["deep_event_count"])
        except (KeyError, TypeError, ValueError) as error:
            raise SourceFormatError(
                f"/category/{number}/info has no count of events."
            ) from error
        return dict(found)

    def below(self, level: str, eye: Eye, **params: str) -> list[Json]:
        """Return the events below the categories, with a level of detail."""
        path = f"/export/categ/{self._categories}.json"
        return self._events(path, {"detail": level, "order": "id", **params}, eye)

    def events(self, numbers: Sequence[str], level: str, eye: Eye) -> list[Json]:
        """Return those of some events that this eye is shown."""
        path = f"/export/event/{'-'.join(numbers)}.json"
        return self._events(path, {"detail": level}, eye)

    def fate(self, number: str, eye: Eye) -> str:
        """Return what became of an event: `DELETED`, `CLOSED` to this eye, or `ALIVE`.

        ``/export/event`` answers alike for all three; the attachments do not.

        Raises:
            SourceFormatError: The answer is none of these: nothing may be concluded.
        """
        path = f"/export/attachments/{number}.json"
        answer = self._answer(path, {}, eye)
        is_ours = not answer.is_html and b"insufficient_scope" not in answer.body
        if answer.status == 404 and is_ours:
            return DELETED
        if answer.status == 403 and is_ours:
            return CLOSED
        self._parsed(path, answer, eye)
        return ALIVE

    def session_of(self, event: str, talk: int, eye: Eye) -> Json | None:
        """Return id and title of the session of a talk, or None.

        Raises:
            SourceFormatError: The talk cannot be opened, or has no such field.
        """
        path = f"/event/{event}/contributions/{talk}.json"
        try:
            found = self.json(path, {}, eye)
        except SourceLoginError as error:
            # This one talk is closed; a refused token would have failed before.
            raise SourceFormatError(f"{path} is closed to {eye.label}.") from error
        if found is None or "session" not in found:
            raise SourceFormatError(f"{path} says nothing of a session.")
        return found["session"] or None

    def bare_session(
        self, event: str, session: int, eye: Eye
    ) -> tuple[list[Any], Any] | None:
        """Return folders and minutes of a session; None if it is closed to this eye."""
        place = f"{event}/session/{session}.json"
        files = self.json(f"/export/attachments/{place}", {}, eye)
        if files is None:
            return None
        note = self.json(f"/export/note/{place}", {}, eye) or {}
        folders = (files.get("results") or {}).get("folders") or []
        return folders, note.get("results")

    def fetch(self, url: str, max_bytes: int, eye: Eye) -> Iterator[bytes]:
        """Yield the bytes of an attached file."""
        return self.client.stream(url, max_bytes=max_bytes, token=eye.token)

    # ── answers ───────────────────────────────────────────────────────────────────

    def json(self, path: str, params: dict[str, str], eye: Eye) -> Any:
        """Return the JSON of an answer, or None if this eye is shown no such object.

        Raises:
            SourceLoginError: A login page came, or the token is refused.
            SourceFormatError: Something else than JSON came.
        """
        answer = self._answer(path, params, eye)
        if not answer.is_html and _no_such_object(path, answer):
            return None
        return self._parsed(path, answer, eye)

    def _events(self, path: str, params: dict[str, str], eye: Eye) -> list[Json]:
        answer = self.json(path, params, eye)
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list):
            raise SourceFormatError(f"{path} gave no list of results.")
        if not all(isinstance(e, dict) and e.get("id") for e in results):
            raise SourceFormatError(f"{path} lists events without an id.")
        return results

    def _answer(self, path: str, params: dict[str, str], eye: Eye) -> Answer:
        params = {**params, "nc": "yes", "tz": "UTC"}
        if eye.token and path.startswith("/export/"):
            params["onlyauthed"] = "yes"
        return self.client.get(path, params, token=eye.token)

    def _parsed(self, path: str, answer: Answer, eye: Eye) -> Any:
        self._check_login(path, answer, eye)
        try:
            if answer.status != 200 or answer.is_html:
                raise ValueError("not JSON")
            return json.loads(answer.body)
        except ValueError as error:
            came = "a page" if answer.is_html else "something else"
            raise SourceFormatError(
                f"{path} answered {answer.status} with {came} where JSON was due."
            ) from error

    def _check_login(self, path: str, answer: Answer, eye: Eye) -> None:
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
            raise SourceLoginError(
                f"{self.client.url} refused {path} to {eye.label}"
                f" ({answer.status}): {reason}."
            )


def _no_such_object(path: str, answer: Answer) -> bool:
    """Return whether the object is missing, or closed to just this eye."""
    of_object = path.startswith(("/export/attachments/", "/export/note/"))
    closed = of_object and b"insufficient_scope" not in answer.body
    return answer.status == 404 or (answer.status == 403 and closed)
