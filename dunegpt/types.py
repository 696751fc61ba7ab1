"""The types shared by all packages, in the order of the data flow.

A source yields `Document`s with `FileRef`s; extraction turns a file into `Page`s;
splitting turns pages into `Passage`s; a search returns `Hit`s; an answer is a stream of
events whose sentences refer to `Citation`s. A `Failure` describes one item that failed
at any stage; it is recorded in the ledger and never stops a run.

Does not depend on file formats, databases or the network.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from dunegpt.access import Access


@dataclass(frozen=True, slots=True)
class FileRef:
    """One file or body of a document.

    Attributes:
        key: Identifies the file within its document, stable over renames (``a1234``).
        name: File name in the home system.
        media_type: As declared by the home system; extraction detects the real type.
        url: Address to open or download the file in its home system.
        access: Access set of the file, within that of the document.
        size_bytes: As declared by the home system; None if unknown.
        checksum: As declared by the home system, ``md5:...``; empty if unknown.
        body: The content, if it was part of the listing (minutes, abstracts).
        sha256: Hash of the stored content; empty until fetched.
        evidence: The observation that the access set is based on.
    """

    key: str
    name: str
    media_type: str
    url: str
    access: Access
    size_bytes: int | None = None
    checksum: str = ""
    body: bytes | None = None
    sha256: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document in its home system.

    Attributes:
        id: Unique over all sources, with a version if the home system has versions:
            ``docdb:12345:3``, ``indico.fnal.gov:22661/c68849``.
        source: Name of the configured source.
        kind: Kind of document: ``note``, ``event``, ``contribution``, ...
        url: Address of the document in its home system.
        date: Day it was given or written; None if unknown.
        status: As in the home system (``approved``, ``In Work``); may be empty.
        access: Access set by the last good observation.
        supersedes: Id of the previous version, or empty.
        parent: Id of the document that contains this one (the event of a talk).
        evidence: The observation that the access set is based on.
    """

    id: str
    source: str
    kind: str
    url: str
    title: str
    access: Access
    authors: tuple[str, ...] = ()
    date: datetime.date | None = None
    status: str = ""
    files: tuple[FileRef, ...] = ()
    supersedes: str = ""
    parent: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that could not be processed.

    Attributes:
        id: Id of the document, ``document#file``, or what was being listed.
        stage: ``list``, ``fetch``, ``extract`` or ``describe``.
        error: Name of the exception class.
    """

    id: str
    stage: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle to highlight on a page.

    Attributes:
        page: Number of the page.
        left: Distance from the left edge as a fraction of the page width; ``right``
            likewise.
        top: Distance from the top edge as a fraction of the page height; ``bottom``
            likewise.
    """

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure on a page: its number, the text that belongs to it, its place.

    Attributes:
        label: ``Figure 7`` or ``Figure 2.1``, as numbered by its document; ``Figure``
            if it has no number.
        start: Character offset in the text of the page where its text begins, which is
            the caption and what stands in the picture; ``end`` is exclusive.
        box: Place of the picture; None if the format has no places.
    """

    label: str
    start: int
    end: int
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The text of one page, slide or section: the unit that a citation links to.

    Attributes:
        number: Position in the file, from 1.
        heading: Nearest heading; empty if there is none.
        label: Location for display if the number is not enough: ``Costs!A4:F40``,
            ``draw.py, line 12``, or ``talk.pdf, page 3`` in an archive.
        line: First line in the file, for ``#L12``; 0 if the format has no lines.
        figures: Its figures, in order and without overlap. The pages of a snapshot have
            none: there, each is a passage.
    """

    number: int
    heading: str
    text: str
    label: str = ""
    line: int = 0
    figures: tuple[Figure, ...] = ()

    @classmethod
    def from_fields(cls, fields: Sequence[Any]) -> "Page":
        """Return the page that was stored as nested lists, by `dataclasses.astuple`.

        Raises:
            TypeError: The fields are those of no page.
        """
        page = cls(*fields)
        return replace(page, figures=tuple(map(_make_figure, page.figures)))  # type: ignore[arg-type]


def _make_figure(fields: Sequence[Any]) -> Figure:
    label, start, end, box = fields
    return Figure(label, start, end, Box(*box) if box else None)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that is embedded, searched and cited as a unit.

    Attributes:
        file_key: Key of the file in its document.
        first_page: Number of the page where it begins; ``last_page`` where it ends.
        start: Character offset in the text of the first page; ``end`` is the exclusive
            offset in the text of the last page.
        heading: Nearest heading, part of the context line.
        record: Number within the file of the record that the passage belongs to.
        lead: Header row if the passage begins inside a table. Indexed with the passage,
            but not part of its text and not stored in a snapshot.
        figure: Label of the figure that it is the text of; empty for running text.
        box: Place of the picture of that figure on its page.
        description: What a model says of that picture. It is the machine's, not the
            document's: indexed and shown as such, never quoted, never evidence.
    """

    document_id: str
    file_key: str
    first_page: int
    last_page: int
    start: int
    end: int
    heading: str
    text: str
    record: int = 0
    lead: str = ""
    figure: str = ""
    box: Box | None = None
    description: str = ""


class FoundBy(StrEnum):
    """How a hit was found."""

    ID = "id"
    FILTER = "filter"
    LEXICAL = "lexical"
    DENSE = "dense"
    FUSED = "fused"
    RERANKED = "reranked"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage returned by a search.

    Attributes:
        row: Row of the passage in the snapshot.
        score: 0..1 for lexical, fused and reranked hits, cosine for dense hits.
        rank: Position in the results, from 1.
        superseded_by: Id of the newest version that the reader may see, if this is an
            older one.
        superseded_on: Date of that version, if known.
        also_in: Ids of documents left out because they have the same text.
    """

    row: int
    passage: Passage
    document: Document
    score: float
    rank: int
    found_by: FoundBy
    superseded_by: str = ""
    superseded_on: datetime.date | None = None
    also_in: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """One numbered reference under an answer.

    Attributes:
        number: The n of the marker [n] in the answer.
        quote: Verbatim quote from the passage, up to white space.
        page: Number of the page where the quote begins.
        url: Address of that page if the home system supports it, else the document.
        cited: Whether a sentence of the answer cites it.
        line: Line of the file where the quote begins; 0 if the format has no lines.
    """

    number: int
    hit: Hit
    quote: str
    page: int
    url: str
    cited: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class OutgoingCitation:
    """A reference to another document in a document's text.

    Attributes:
        label: Identifier in DUNE's notation: ``DUNE-doc-6652-v5``.
        system: ``docdb``, ``edms``, ``indico``, ``arxiv``, or ``foreign`` for the
            systems of other experiments.
        file: Key of the file that contains it.
        page: Number of the first page that contains it.
        document: The document in the given or the newest version; None if it is not in
            the index or the reader may not see it.
    """

    label: str
    system: str
    file: str
    page: int
    document: Document | None


@dataclass(frozen=True, slots=True)
class IncomingCitation:
    """A reference to a document in another document's text.

    Attributes:
        document: The document that contains the reference.
        file: Key of the file that contains it.
        page: Number of the first page that contains it.
        version: The version referred to; empty for the newest.
    """

    document: Document
    file: str
    page: int
    version: str


class Outcome(StrEnum):
    """How an answer ended."""

    ANSWERED = "answered"
    NOT_IN_DOCUMENTS = "not_in_documents"
    SEARCH_UNAVAILABLE = "search_unavailable"
    MODEL_UNAVAILABLE = "model_unavailable"


class Mode(StrEnum):
    """Whether a model wrote the answer or it consists of quoted sentences."""

    GENERATED = "generated"
    EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that was recognized in the words of a question.

    Attributes:
        text: The words in the question; chips with the same words belong together.
        key: Key of the filter: ``after``, ``author``, ...
        value: Value of the filter.
        applied: False if it was ignored because it would have left no results.
    """

    text: str
    key: str
    value: str
    applied: bool = True

    @property
    def filter(self) -> str:
        """The filter in query syntax: ``after:2024-01-01``."""
        plain = self.value.replace('"', " ")
        return f'{self.key}:"{plain}"' if " " in plain else f"{self.key}:{plain}"


@dataclass(frozen=True, slots=True)
class QuestionEvent:
    """First event of an answer: the question as it was understood.

    Attributes:
        question: The standalone question, including the words of its filters.
        chips: Filters recognized in the question, in order.
        was_rewritten: Whether the question differs from the one that was typed.
    """

    question: str
    chips: tuple[Chip, ...] = ()
    was_rewritten: bool = False


@dataclass(frozen=True, slots=True)
class References:
    """The retrieved passages, numbered from 1; a second event continues the numbers."""

    citations: tuple[Citation, ...]


class Check(StrEnum):
    """A check that a model's sentence can fail."""

    CITATION = "citation"
    """It cites nothing, or a passage that was not given."""
    STATEMENT = "statement"
    """It contains no statement that can be checked."""
    ADDRESS = "address"
    CODE = "code"
    NUMBER = "number"
    IDENTIFIER = "identifier"
    NAME = "name"
    DENIAL = "denial"
    SUPPORT = "support"
    READING = "reading"
    """Rejected by the entailment model or the judge."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer, verified against the passages that it cites.

    Attributes:
        text: Text without citation markers.
        citations: Numbers of the cited references.
        supported: Whether the cited passages support it.
        reason: Why it is not supported; empty if it is.
        check: The check that failed; None if it is supported.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool = True
    reason: str = ""
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount stated by one document.

    Attributes:
        citation: Number of the reference.
        text: The amount as written there.
        quote: The sentence that states it, verbatim.
        date: Date of the document; None if unknown.
    """

    citation: int
    text: str
    quote: str
    date: datetime.date | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two documents that state different amounts for what seems to be one quantity.

    Attributes:
        newer: The amount of the newer document, or of the one found first if the dates
            do not tell.
        older: The amount of the other document.
    """

    newer: Amount
    older: Amount


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for the reader: a model is down, the index is stale."""

    text: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """References that were closed at their source while the answer was written.

    They are not in `Finished`, and the sentences yielded so far that cite them do not
    count any more.

    Attributes:
        numbers: Numbers of the references.
    """

    numbers: frozenset[int]


@dataclass(frozen=True, slots=True)
class Finished:
    """Last event of an answer.

    Attributes:
        references: The final citations, with their quotes and ``cited``.
        dropped: Number of a model's sentences that were not supported.
        receipt: Id of the answer's receipt; empty if none was kept. Random, so it is
            ignored when answers are compared.
        probability: Probability, by the fitted judgement, that the best sentence of the
            documents answers; None if it was not judged.
    """

    outcome: Outcome
    mode: Mode
    references: tuple[Citation, ...]
    dropped: int = 0
    receipt: str = field(default="", compare=False, repr=False)
    probability: float | None = field(default=None, compare=False)


AnswerEvent: TypeAlias = (
    QuestionEvent | References | Sentence | Difference | Notice | Withdrawn | Finished
)
