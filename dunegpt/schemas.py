"""The shapes of what readers' commands print as JSON, as pydantic models.

Documents, hits, answers, pages and runs. Built from the central types; knows nothing
else. All shapes together: `schema_table`.
"""

import datetime as dt
from dataclasses import asdict

from pydantic import BaseModel, ConfigDict

from dunegpt.statuses import standing
from dunegpt.types import (
    Chip,
    Citation,
    Cited,
    Citing,
    Difference,
    Document,
    Hit,
    Mode,
    Outcome,
    Sentence,
)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentShape(_Shape):
    """A document, as every command shows it.

    Attributes:
        standing: What its status means: ``approved``, ``not approved``, ``withdrawn``,
            or empty if it tells nothing.
    """

    id: str
    title: str
    authors: list[str]
    date: dt.date | None
    status: str
    standing: str
    source: str
    kind: str
    url: str

    @classmethod
    def of(cls, document: Document) -> "DocumentShape":
        """Return the shape of a document."""
        return cls(
            id=document.id,
            title=document.title,
            authors=list(document.authors),
            date=document.date,
            status=document.status,
            standing=standing(document.status),
            source=document.source,
            kind=document.kind,
            url=document.url,
        )


class HitShape(_Shape):
    """One hit of ``dunegpt search``."""

    rank: int
    score: float
    found_by: str
    document: DocumentShape
    file: str
    first_page: int
    last_page: int
    heading: str
    text: str
    superseded_by: str
    superseded_on: dt.date | None
    also_in: list[str]

    @classmethod
    def of(cls, hit: Hit) -> "HitShape":
        """Return the shape of a hit."""
        return cls(
            rank=hit.rank,
            score=round(hit.score, 4),
            found_by=hit.found_by.value,
            document=DocumentShape.of(hit.document),
            file=hit.passage.file_key,
            first_page=hit.passage.first_page,
            last_page=hit.passage.last_page,
            heading=hit.passage.heading,
            text=hit.passage.text,
            superseded_by=hit.superseded_by,
            superseded_on=hit.superseded_on,
            also_in=list(hit.also_in),
        )


class SearchShape(_Shape):
    """What ``dunegpt search --json`` prints."""

    question: str
    snapshot: str
    notes: list[str]
    hits: list[HitShape]


_OFFICE = "application/vnd.openxmlformats-officedocument"
_PAGES = {
    "application/pdf": "p.",
    f"{_OFFICE}.presentationml.presentation": "slide",
}


class ReferenceShape(_Shape):
    """One numbered reference of an answer; ``place`` is its page in words."""

    number: int
    cited: bool
    document: DocumentShape
    file: str
    page: int
    place: str
    url: str
    quote: str
    score: float
    superseded_by: str
    superseded_on: dt.date | None

    @classmethod
    def of(cls, citation: Citation) -> "ReferenceShape":
        """Return the shape of a reference."""
        key = citation.hit.passage.file_key
        kinds = [f.media_type for f in citation.hit.document.files if f.key == key]
        unit = _PAGES.get(kinds[0] if kinds else "", "section")
        place = f"{unit} {citation.page}"
        return cls(
            number=citation.number,
            cited=citation.cited,
            document=DocumentShape.of(citation.hit.document),
            file=key,
            page=citation.page,
            place=f"line {citation.line}" if citation.line else place,
            url=citation.url,
            quote=citation.quote,
            score=round(citation.hit.score, 4),
            superseded_by=citation.hit.superseded_by,
            superseded_on=citation.hit.superseded_on,
        )


class SentenceShape(_Shape):
    """One sentence of an answer; citations are numbers of references."""

    text: str
    citations: list[int]
    supported: bool
    reason: str

    @classmethod
    def of(cls, sentence: Sentence) -> "SentenceShape":
        """Return the shape of a sentence."""
        return cls(
            text=sentence.text,
            citations=list(sentence.citations),
            supported=sentence.supported,
            reason=sentence.reason,
        )


class AmountShape(_Shape):
    """An amount as the document of one reference gives it."""

    citation: int
    text: str
    quote: str
    date: dt.date | None


class DifferenceShape(_Shape):
    """Two documents that give different amounts for what reads like one quantity."""

    newer: AmountShape
    older: AmountShape

    @classmethod
    def of(cls, difference: Difference) -> "DifferenceShape":
        """Return the shape of a difference."""
        return cls.model_validate(asdict(difference))


class ChipShape(_Shape):
    """A filter that was found in words of a question.

    Attributes:
        text: The words; the filter as it is typed.
        applied: Whether it was searched with: not if it would have left nothing.
    """

    text: str
    filter: str
    applied: bool

    @classmethod
    def of(cls, chip: Chip) -> "ChipShape":
        """Return the shape of a filter."""
        return cls(text=chip.text, filter=chip.filter, applied=chip.applied)


class AskShape(_Shape):
    """What ``dunegpt ask --json`` prints; ``answer`` is the sentences with marks.

    Attributes:
        dropped: How many sentences of a model were not supported.
        receipt: What ``dunegpt replay`` takes; empty if none was kept.
        question: As typed; ``asked`` as one that stands alone.
        was_rewritten: Whether these are two.
    """

    question: str
    asked: str
    was_rewritten: bool
    chips: list[ChipShape]
    outcome: Outcome
    mode: Mode
    answer: str
    sentences: list[SentenceShape]
    differences: list[DifferenceShape]
    references: list[ReferenceShape]
    notices: list[str]
    dropped: int
    receipt: str


class ChatErrorShape(_Shape):
    """What ``dunegpt chat --json`` prints for a line that could not be carried out."""

    question: str
    error: str
    hint: str


class FileShape(_Shape):
    """One file of a document in ``dunegpt show``; its readers are ``principals``."""

    key: str
    name: str
    media_type: str
    url: str
    pages: int
    principals: list[str]


class PageShape(_Shape):
    """One page in ``dunegpt show --page``."""

    file: str
    number: int
    heading: str
    text: str


class CitedShape(_Shape):
    """One identifier in the text of a document.

    Attributes:
        identifier: As it is usually written: ``DUNE-doc-6652-v5``.
        system: ``docdb``, ``edms``, ``indico``, ``arxiv``, or ``foreign``: another
            experiment's, which is never looked for here.
        file: Key of the file, and page the number of the first page, that names it.
        document: What it names; null if that is not in the index.
    """

    identifier: str
    system: str
    file: str
    page: int
    document: DocumentShape | None

    @classmethod
    def of(cls, cited: Cited) -> "CitedShape":
        """Return the shape of an identifier in a text."""
        document = DocumentShape.of(cited.document) if cited.document else None
        return cls(
            identifier=cited.label,
            system=cited.system,
            file=cited.file,
            page=cited.page,
            document=document,
        )


class CitingShape(_Shape):
    """One document that names the one in question.

    Attributes:
        file: Key of the file, and page the number of the first page, that names it.
        version: The version that it names; empty if none.
    """

    document: DocumentShape
    file: str
    page: int
    version: str

    @classmethod
    def of(cls, citing: Citing) -> "CitingShape":
        """Return the shape of a document that names another."""
        return cls(
            document=DocumentShape.of(citing.document),
            file=citing.file,
            page=citing.page,
            version=citing.version,
        )


class ShownShape(_Shape):
    """One document in ``dunegpt show``."""

    document: DocumentShape
    principals: list[str]
    supersedes: str
    superseded_by: str
    parent: str
    files: list[FileShape]
    cites: list[CitedShape]
    cited_by: list[CitingShape]
    pages: list[PageShape]


class ShowShape(_Shape):
    """What ``dunegpt show ID --json`` prints: all versions, if ID names none."""

    documents: list[ShownShape]


class RunShape(_Shape):
    """One run, as its row in a table says; ``page`` of ``document`` holds the row."""

    source: str
    run: int
    start: dt.datetime
    stop: dt.datetime | None
    beam: str
    state: str
    comment: str
    document: str
    page: int
    url: str


class RunsShape(_Shape):
    """What ``dunegpt runs --json`` prints, the oldest run first."""

    snapshot: str
    notes: list[str]
    runs: list[RunShape]
