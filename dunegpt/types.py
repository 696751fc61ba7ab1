"""The types that flow through the whole program, in the order of the flow.

A source yields `Document`s, each with its `FileRef`s; extraction turns a file into
`Page`s; splitting turns pages into `Passage`s; a search finds `Hit`s; an answer is a
stream of events whose sentences carry `Citation`s. A `Failure` stands for one bad
item at any stage: it is data, kept in the ledger, and never stops a run.

Knows no file format, no database and no network.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

PUBLIC = "public"

Access: TypeAlias = frozenset[str]
"""Principals, any one of which may read. Empty: nobody."""

NOBODY: Access = frozenset()

_A_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*|[A-Za-z]{1,2}")


def access_set(principals: Iterable[str]) -> Access:
    """Return ``principals`` as an access set; ``public`` absorbs all others."""
    found = frozenset(principals)
    return frozenset({PUBLIC}) if PUBLIC in found else found


def narrow(outer: Access, inner: Access) -> Access:
    """Return who may read what needs both sets; ``public`` narrows nothing.

    A principal stands for a group of people, so the intersection of the sets of
    names is at most the intersection of the people: never too wide.
    """
    if PUBLIC in outer:
        return inner
    if PUBLIC in inner:
        return outer
    return outer & inner


def parts_of_id(document_id: str) -> tuple[str, str, str | None]:
    """Return prefix, number or path, and version of a document id.

    >>> parts_of_id("docdb:12345:3")
    ('docdb', '12345', '3')
    >>> parts_of_id("edms:2026379:0.1")
    ('edms', '2026379', '0.1')
    >>> parts_of_id("indico.fnal.gov:22661/c68849")
    ('indico.fnal.gov', '22661/c68849', None)
    """
    prefix, _, rest = document_id.partition(":")
    number, _, version = rest.rpartition(":")
    if number and _A_VERSION.fullmatch(version):
        return prefix, number, version
    return prefix, rest, None


def version_order(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return what versions are sorted by: numbers by size, letters after them.

    >>> sorted(["AE", "10", "0.1", "2", "B"], key=version_order)
    ['0.1', '2', '10', 'B', 'AE']
    """
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, len(part), part.upper())
        for part in version.split(".")
    )


@dataclass(frozen=True, slots=True)
class FileRef:
    """One file or body of a document.

    Attributes:
        key: Names the file within its document, stable over renames (``a1234``).
        name: File name as the home system shows it.
        media_type: As the home system claims it; extraction looks at the bytes.
        url: Opens or downloads the file in its home system.
        access: Who may read this file; at most the document's own readers.
        size_bytes: As claimed; None where the home system does not say.
        checksum: As claimed, ``md5:...``; empty where the home system has none.
        body: The content itself, where the listing carried it (minutes, abstracts).
        sha256: Of the stored bytes; empty until fetched.
        evidence: What was observed that its access rests on.
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
    """One version of one thing in its home system.

    Attributes:
        id: Unique over all sources, with the version where the home system has
            versions: ``docdb:12345:3``, ``indico.fnal.gov:22661/c68849``.
        source: Name of the configured source.
        kind: What it is there: ``note``, ``event``, ``contribution``, ...
        url: Opens it in its home system.
        date: Day it was given or written; None where unknown.
        status: As the home system says (``approved``, ``In Work``); may be empty.
        access: Who may read it, by the last good observation.
        supersedes: Id of the version before this one, or empty.
        parent: Id of the document that holds this one (the event of a talk).
        evidence: What was observed that its access rests on.
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
    """One item that could not be handled.

    Attributes:
        id: Of the document, or ``document#file``, or what was being listed.
        stage: ``list``, ``fetch`` or ``extract``.
        error: Name of the error's class.
    """

    id: str
    stage: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """The text of one page, slide or section: the unit that a citation opens.

    Attributes:
        number: Counts from 1 in the order of the file.
        heading: Nearest heading; empty where there is none.
        label: What a person calls the place where the number alone says too little:
            ``Costs!A4:F40``, ``draw.py, line 12``, ``talk.pdf, page 3`` of an archive.
        line: Line of the file that it begins on, for ``#L12``; 0 where lines mean
            nothing.
    """

    number: int
    heading: str
    text: str
    label: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle to highlight on a page.

    Attributes:
        page: Number of the page.
        left: In parts of the page's width from its left edge; ``right`` likewise.
        top: In parts of the page's height from its upper edge; ``bottom`` likewise.
    """

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Passage:
    """What is embedded, searched and cited as a whole.

    Attributes:
        file_key: Which file of the document.
        first_page: Number of the page that it begins on; last_page likewise.
        start: Offset in characters into the text of the first page; ``end`` is the
            offset, exclusive, into the text of the last page.
        heading: Nearest heading, part of the context that is embedded with it.
        record: Ordinal within the file of the record that the passage belongs to.
        lead: Head of the table that it begins within, and that it goes on with
            something cut; found with it, not part of its text, not in a snapshot.
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
    """A passage that answers a query, best first.

    Attributes:
        row: Of the passage in the snapshot.
        score: 0..1 for lexical, fused and reranked, cosine for dense.
        superseded_by: Id of the newest version of the document that the reader may
            see, if this is an older one.
        superseded_on: Day of that version, if it has one.
        also_in: Ids of other documents that say the same, left out for this one.
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
        number: The n of the mark [n] in the answer.
        quote: Stands verbatim in the passage, up to white space.
        page: Number of the page that the quote begins on.
        url: Opens that page where the home system can, else the document.
        cited: Whether a sentence of the answer carries its mark.
        line: Of the file, on which the quote begins; 0 where lines mean nothing.
    """

    number: int
    hit: Hit
    quote: str
    page: int
    url: str
    cited: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class Cited:
    """An identifier in a document's text.

    Attributes:
        label: As DUNE writes it: ``DUNE-doc-6652-v5``.
        system: ``docdb``, ``edms``, ``indico``, ``arxiv``, or ``foreign``: another
            experiment's.
        file: Key of the file that names it.
        page: Number of the first page that names it.
        document: What it names, in the version named or the newest; None if that is
            not in the index, or not for this reader.
    """

    label: str
    system: str
    file: str
    page: int
    document: Document | None


@dataclass(frozen=True, slots=True)
class Citing:
    """A document that names the one in question.

    Attributes:
        file: Key of the file that names it.
        page: Number of the first page that names it.
        version: The version that it names; empty for the newest.
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
    """Who wrote the sentences: a model, or the documents themselves."""

    GENERATED = "generated"
    EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that was found in the words of a question.

    Attributes:
        text: The words, as they stand there; chips with the same words go together.
        key: Of a typed filter: ``after``, ``author``, ...; value likewise.
        applied: Whether it was searched with: not if it would have left nothing.
    """

    text: str
    key: str
    value: str
    applied: bool = True

    @property
    def filter(self) -> str:
        """The filter as it is typed: ``after:2024-01-01``."""
        plain = self.value.replace('"', " ")
        return f'{self.key}:"{plain}"' if " " in plain else f"{self.key}:{plain}"


@dataclass(frozen=True, slots=True)
class Asked:
    """First event of an answer: what was understood.

    Attributes:
        question: As one that stands alone, with all its words.
        chips: Filters that were found in its words, in their order.
        was_rewritten: Whether it is another question than the one that was typed.
    """

    question: str
    chips: tuple[Chip, ...] = ()
    was_rewritten: bool = False


@dataclass(frozen=True, slots=True)
class References:
    """What was retrieved, numbered from 1; a second one goes on with the numbers."""

    citations: tuple[Citation, ...]


class Check(StrEnum):
    """What a model's sentence can fail."""

    CITATION = "citation"
    """It cites nothing, or what was not given."""
    STATEMENT = "statement"
    """It says nothing that can be checked."""
    ADDRESS = "address"
    CODE = "code"
    NUMBER = "number"
    IDENTIFIER = "identifier"
    NAME = "name"
    DENIAL = "denial"
    SUPPORT = "support"
    READING = "reading"
    """An entailment model, or a judge, objects."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer, checked against what it cites.

    Attributes:
        text: Without its marks.
        citations: Numbers of the references that it cites.
        supported: Whether the cited passages were found to back it.
        reason: Why it is not supported; empty if it is.
        check: What it failed; None if it is supported.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool = True
    reason: str = ""
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as one document gives it.

    Attributes:
        citation: Number of the reference.
        text: As it stands there.
        quote: The sentence that gives it, verbatim.
        date: Day of the document; None where unknown.
    """

    citation: int
    text: str
    quote: str
    date: datetime.date | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Two documents give different amounts for what reads like one quantity.

    Attributes:
        newer: That of the newer document; of the one found first, if neither is
            known to be newer.
    """

    newer: Amount
    older: Amount


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the reader must know: a model that is down, a stale index."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Last event of an answer.

    Attributes:
        references: The final citations: quotes and ``cited`` settled.
        dropped: How many sentences of a model were not supported.
        receipt: Id of the answer's receipt; empty if none was kept. It is random, so it
            is no part of what two answers are compared by.
    """

    outcome: Outcome
    mode: Mode
    references: tuple[Citation, ...]
    dropped: int = 0
    receipt: str = field(default="", compare=False, repr=False)


AnswerEvent: TypeAlias = Asked | References | Sentence | Difference | Notice | Finished
