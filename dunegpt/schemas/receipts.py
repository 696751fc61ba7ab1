"""Models of receipts and of the result of a replay.

A receipt records how an answer was produced. It is stored as JSON, and printed by
``dunegpt replay --json``. Does not depend on the database or on search.
"""

import datetime as dt
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from dunegpt.types import Check, Mode, Outcome


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ended(StrEnum):
    """How the answering of a question ended."""

    FINISHED = "finished"
    LEFT = "left"
    """The reader left before the end."""
    FAILED = "failed"
    """An error ended it; the receipt contains its name."""


class FiltersResponse(_Response):
    """Filters given separately; typed filters are part of the question."""

    sources: list[str] = []
    since: dt.date | None = None
    until: dt.date | None = None
    author: str = ""
    authors: list[str] = []
    kinds: list[str] = []
    statuses: list[str] = []
    documents: list[str] = []


class ReceiptPassageResponse(_Response):
    """One passage that an answer could cite, without its text.

    Attributes:
        number: The n of the marker [n].
        document: Id of the document. Empty, like all other fields, if the passage no
            longer exists or the viewer of the receipt may not read it.
        row: Row in the snapshot.
        start: Character offset in the text of the first page; ``end`` is the exclusive
            offset in the text of the last page.
        sha256: Hash of the text.
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


class ReceiptSentenceResponse(_Response):
    """One sentence of an answer and its verdict.

    Attributes:
        text: Text of the sentence; empty if ``withheld``.
        citations: Numbers of the cited passages.
        check: The check that failed; null if it is supported.
        withheld: Whether it is based on passages that no longer exist or that the
            viewer of the receipt may not read.
    """

    text: str
    citations: list[int]
    supported: bool
    check: Check | None
    reason: str
    withheld: bool = False


class ReceiptServerResponse(_Response):
    """One model server that could have written the answer.

    Attributes:
        prompt_sha256: Hash of the prompt as JSON; empty if none was sent.
        end: ``wrote`` if it finished, ``left`` if the reader left, ``nothing_to_read``
            if no passage may be sent to it, or the fault: ``overloaded``,
            ``left_out``, ...
    """

    name: str
    model: str
    prompt_sha256: str
    end: str


class TimesResponse(_Response):
    """Times in milliseconds, without waiting for the reader; null if not reached.

    Attributes:
        search: Search in the open index.
        first_reference: From the question to the references.
        verification: Verification of all sentences of a model.
        whole: From the question to the end.
    """

    search: float | None = None
    first_reference: float | None = None
    verification: float = 0
    whole: float = 0


class ReceiptJudgeResponse(_Response):
    """What a judge of sentences did for an answer.

    Attributes:
        name: Name of the model server.
        asked: Number of sentences that it was asked about.
        judged: Number of those that it judged in time.
        prompt_tokens: Tokens that it read; 0 if the server does not say.
        cached_tokens: Those of them from its prefix cache; null if it does not say.
        has_logprobs: Whether it gave probabilities, not just a word.
        waited_ms: Time that the answer waited for it.
    """

    name: str
    asked: int
    judged: int
    prompt_tokens: int
    cached_tokens: int | None
    has_logprobs: bool
    waited_ms: float


class ReceiptResponse(_Response):
    """The record of one answer.

    Attributes:
        id: Id for ``dunegpt replay``; empty if it is not stored.
        at: Time of the question, UTC.
        question: The question as typed.
        standing: The standalone question.
        asked: The question as searched, without its filters.
        without: Words whose filters the reader turned off.
        as_asked: Whether all recognized filters were turned off.
        principals: Principals of the reader.
        use_model: Whether a model was allowed to write.
        error: Name of the error that ended it.
        outcome: Null, like ``mode``, unless it finished.
        probability: Probability that the best sentence of the documents answers; null
            if it was not judged.
        server: Model server that wrote the answer, with ``model`` and
            ``prompt_sha256``; empty if none did.
        settings: Settings that affect the answer, by dotted names.
        search_notes: Steps of the search that were cut short.
        judge: What the judge of its sentences did; null if there was none.
    """

    id: str = ""
    at: dt.datetime
    question: str
    asked: str
    standing: str = ""
    without: list[str] = []
    as_asked: bool = False
    filters: FiltersResponse
    principals: list[str]
    k: int
    use_model: bool
    ended: Ended
    error: str
    outcome: Outcome | None
    mode: Mode | None
    probability: float | None = None
    snapshot: str
    server: str
    model: str
    prompt_sha256: str
    servers: list[ReceiptServerResponse]
    settings: dict[str, Any]
    passages: list[ReceiptPassageResponse]
    sentences: list[ReceiptSentenceResponse]
    notices: list[str]
    search_notes: list[str]
    times_ms: TimesResponse
    judge: ReceiptJudgeResponse | None = None

    @property
    def skipped(self) -> list[str]:
        """Steps that were skipped under load or failed."""
        skipped = [f"{s.name}: {s.end}" for s in self.servers if s.end != "wrote"]
        return skipped + self.search_notes


class ChangeResponse(_Response):
    """One difference other than in passages and sentences."""

    what: str
    then: Any
    now: Any


class PassageChangeResponse(_Response):
    """One passage that differs.

    Attributes:
        change: ``gone``, ``new``, ``moved`` to another number, ``scored`` differently,
            or ``closed`` if it no longer exists or the viewer may not read it; then
            only ``then`` is given.
        then: Number in the receipt; null if it was not there.
        now: Number in the replay; null if it is not there.
    """

    change: str
    then: int | None
    now: int | None
    document: str = ""
    file: str = ""
    page: int = 0
    score_then: float | None = None
    score_now: float | None = None


class SentenceChangeResponse(_Response):
    """One sentence that differs.

    Attributes:
        change: ``gone``, ``new``, ``verdict``, ``citations`` (other passages cited), or
            ``withheld`` if it is based on a ``closed`` passage.
        then: Verdict in the receipt: ``supported`` or the reason why not; empty if the
            sentence was not there. ``now`` likewise in the replay.
    """

    change: str
    text: str
    then: str = ""
    now: str = ""


class ReplayResponse(_Response):
    """Output of ``dunegpt replay --json``.

    Attributes:
        same: Whether nothing differs.
        same_answer: Whether outcome, sentences, verdicts and citations are equal.
        as_then: Whether the snapshot of the receipt was used, not the current one.
        then: The receipt, without what the viewer may not read.
        now: The receipt of the replay.
    """

    id: str
    same: bool
    same_answer: bool
    as_then: bool
    changes: list[ChangeResponse]
    passages: list[PassageChangeResponse]
    sentences: list[SentenceChangeResponse]
    then: ReceiptResponse
    now: ReceiptResponse


class ReceiptLineResponse(_Response):
    """Summary of one receipt in ``dunegpt receipts``, with counts of sentences."""

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


class CountsResponse(_Response):
    """Counts over receipts.

    Attributes:
        ended: Number of answers by how they ended.
        outcomes: Number of finished answers by outcome; ``modes`` by mode.
        kept: Number of supported sentences by mode.
        dropped: Number of unsupported sentences by failed check.
        servers: For each model server, number of answers by how it ended.
    """

    answers: int = 0
    ended: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    modes: dict[str, int] = {}
    kept: dict[str, int] = {}
    dropped: dict[str, int] = {}
    servers: dict[str, dict[str, int]] = {}
    cut_short: int = 0


class ReceiptsResponse(_Response):
    """Output of ``dunegpt receipts --json``: the last receipts, and counts over all."""

    receipts: list[ReceiptLineResponse]
    counts: CountsResponse
