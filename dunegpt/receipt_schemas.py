"""The shapes of receipts and of what a replay finds, as pydantic models.

A receipt is what one answer rests on: stored as JSON, and printed by ``dunegpt replay
--json``. Knows no database and no search.
"""

import datetime as dt
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from dunegpt.types import Check, Mode, Outcome


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ended(StrEnum):
    """How the making of an answer ended."""

    FINISHED = "finished"
    LEFT = "left"
    """The reader left before the end."""
    FAILED = "failed"
    """An error ended it; the receipt has its name."""


class FiltersShape(_Shape):
    """Filters given beside a question; those typed in it are part of the question."""

    sources: list[str] = []
    since: dt.date | None = None
    until: dt.date | None = None
    author: str = ""
    kinds: list[str] = []
    statuses: list[str] = []
    documents: list[str] = []


class ReceiptPassageShape(_Shape):
    """One passage that an answer could cite; its text is not kept.

    Attributes:
        number: The n of the mark [n].
        document: Id; empty, like all that follows, if it is no longer there, or not
            for whoever looks at the receipt.
        row: In the snapshot.
        start: Offset in characters into the text of the first page; ``end`` is the
            offset, exclusive, into that of the last page.
        sha256: Of the text.
    """

    number: int
    document: str = ""
    file: str = ""
    first_page: int = 0
    last_page: int = 0
    row: int = 0
    start: int = 0
    end: int = 0
    score: float = 0
    found_by: str = ""
    cited: bool = False
    sha256: str = ""


class ReceiptSentenceShape(_Shape):
    """One sentence and its verdict.

    Attributes:
        text: Empty if ``withheld``.
        citations: Numbers of passages.
        check: What it failed; null if it is supported.
        withheld: It rests on what is no longer there, or not for whoever looks.
    """

    text: str
    citations: list[int]
    supported: bool
    check: Check | None
    reason: str
    withheld: bool = False


class ReceiptServerShape(_Shape):
    """One model server that could have written the answer.

    Attributes:
        prompt_sha256: Of the prompt, as JSON; empty if it was sent none.
        end: ``wrote`` to the end, ``left`` by the reader, ``nothing_to_read`` if no
            passage may be sent to it, or the fault: ``overloaded``, ``left_out``, ...
    """

    name: str
    model: str
    prompt_sha256: str
    end: str


class TimesShape(_Shape):
    """Milliseconds of work, the reader's own time left out; null if never reached.

    Attributes:
        search: In the open index.
        first_reference: From the question to the references.
        verification: Of all sentences of a model.
        whole: From the question to the end.
    """

    search: float | None = None
    first_reference: float | None = None
    verification: float = 0
    whole: float = 0


class ReceiptShape(_Shape):
    """What one answer rests on.

    Attributes:
        id: What ``dunegpt replay`` takes; empty if it is not stored.
        at: When it was asked, UTC.
        question: As asked; ``standing``: as one that stands alone; ``asked``: as
            searched, without its filters.
        without: Words whose filters were not wanted; ``as_asked``: none were.
        principals: Of the reader.
        use_model: Whether a model was allowed to write.
        error: Name of the error that ended it.
        outcome: Null unless it finished, like ``mode``.
        server: Who wrote, with its model and the prompt's hash; empty if nobody did.
        settings: That bear on the answer, by their names with dots.
        search_notes: What the search cut short.
    """

    id: str = ""
    at: dt.datetime
    question: str
    asked: str
    standing: str = ""
    without: list[str] = []
    as_asked: bool = False
    filters: FiltersShape
    principals: list[str]
    k: int
    use_model: bool
    ended: Ended
    error: str
    outcome: Outcome | None
    mode: Mode | None
    snapshot: str
    server: str
    model: str
    prompt_sha256: str
    servers: list[ReceiptServerShape]
    settings: dict[str, Any]
    passages: list[ReceiptPassageShape]
    sentences: list[ReceiptSentenceShape]
    notices: list[str]
    search_notes: list[str]
    times_ms: TimesShape

    @property
    def skipped(self) -> list[str]:
        """What was left out under load or because it failed."""
        out = [f"{s.name}: {s.end}" for s in self.servers if s.end != "wrote"]
        return out + self.search_notes


class ChangeShape(_Shape):
    """One thing that differs, other than passages and sentences."""

    what: str
    then: Any
    now: Any


class PassageChangeShape(_Shape):
    """One passage that differs.

    Attributes:
        change: ``gone``, ``new``, ``moved`` to another number, ``scored`` otherwise, or
            ``closed``: no longer there, or not for whoever looks; then only ``then``
            is given.
        then: Its number, like ``now``; null if it had or has none.
    """

    change: str
    then: int | None
    now: int | None
    document: str = ""
    file: str = ""
    page: int = 0
    score_then: float | None = None
    score_now: float | None = None


class SentenceChangeShape(_Shape):
    """One sentence that differs.

    Attributes:
        change: ``gone``, ``new``, ``verdict``, ``citations`` (of other passages), or
            ``withheld``: it rests on a passage that is ``closed``.
        then: Its verdict: ``supported`` or why not; empty if it was not there.
    """

    change: str
    text: str
    then: str = ""
    now: str = ""


class ReplayShape(_Shape):
    """What ``dunegpt replay --json`` prints.

    Attributes:
        same: Nothing differs.
        same_answer: Outcome, sentences, verdicts and what they cite do not differ.
        as_then: It was asked of the receipt's snapshot, not of the current one.
        then: The receipt, without what whoever looks may not open.
        now: The same question, asked again.
    """

    id: str
    same: bool
    same_answer: bool
    as_then: bool
    changes: list[ChangeShape]
    passages: list[PassageChangeShape]
    sentences: list[SentenceChangeShape]
    then: ReceiptShape
    now: ReceiptShape


class ReceiptLineShape(_Shape):
    """One receipt in ``dunegpt receipts``; its sentences are counted."""

    id: str
    at: dt.datetime
    question: str
    ended: Ended
    outcome: Outcome | None
    mode: Mode | None
    snapshot: str
    model: str
    kept: int
    dropped: int
    skipped: int
    whole_ms: float


class CountsShape(_Shape):
    """Counts over receipts.

    Attributes:
        ended: Answers by how they ended; ``outcomes``, ``modes``: those that finished.
        kept: Supported sentences by mode; ``dropped``: the others, by what they failed.
        servers: Of each model server, how often it ended how.
    """

    answers: int = 0
    ended: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    modes: dict[str, int] = {}
    kept: dict[str, int] = {}
    dropped: dict[str, int] = {}
    servers: dict[str, dict[str, int]] = {}
    cut_short: int = 0


class ReceiptsShape(_Shape):
    """What ``dunegpt receipts --json`` prints: the last ones, counts over all."""

    receipts: list[ReceiptLineShape]
    counts: CountsShape
