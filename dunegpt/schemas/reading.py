"""Response models of the commands for readers.

Documents, hits, answers, pages and runs. Depends only on `dunegpt.types`. See
`dunegpt.schemas.registry` for all models.
"""

import datetime as dt
from dataclasses import asdict

from pydantic import BaseModel, ConfigDict

from dunegpt.document_status import classify_status
from dunegpt.types import (
    Box,
    Chip,
    Citation,
    Difference,
    Document,
    Hit,
    IncomingCitation,
    Mode,
    Outcome,
    OutgoingCitation,
    Sentence,
)


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentResponse(_Response):
    """A document.

    Attributes:
        standing: Class of its status: ``approved``, ``not approved``, ``withdrawn``, or
            empty if unknown.
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
    def from_document(cls, document: Document) -> "DocumentResponse":
        """Return the response for a document."""
        return cls(
            id=document.id,
            title=document.title,
            authors=list(document.authors),
            date=document.date,
            status=document.status,
            standing=classify_status(document.status),
            source=document.source,
            kind=document.kind,
            url=document.url,
        )


class BoxResponse(_Response):
    """A place on a page, as shares of its width and height from the top left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def from_box(cls, box: Box | None) -> "BoxResponse | None":
        """Return the response for a place; None for none."""
        return cls(**asdict(box)) if box else None


class HitResponse(_Response):
    """One hit of ``dunegpt search``; ``figure`` and ``box`` if it is of a figure.

    ``machine_description`` is what a model says of the picture, not the document.
    """

    rank: int
    score: float
    found_by: str
    document: DocumentResponse
    file: str
    first_page: int
    last_page: int
    heading: str
    text: str
    figure: str
    box: BoxResponse | None
    machine_description: str
    superseded_by: str
    superseded_on: dt.date | None
    also_in: list[str]

    @classmethod
    def from_hit(cls, hit: Hit) -> "HitResponse":
        """Return the response for a hit."""
        return cls(
            rank=hit.rank,
            score=round(hit.score, 4),
            found_by=hit.found_by.value,
            document=DocumentResponse.from_document(hit.document),
            file=hit.passage.file_key,
            first_page=hit.passage.first_page,
            last_page=hit.passage.last_page,
            heading=hit.passage.heading,
            text=hit.passage.text,
            figure=hit.passage.figure,
            box=BoxResponse.from_box(hit.passage.box),
            machine_description=hit.passage.description,
            superseded_by=hit.superseded_by,
            superseded_on=hit.superseded_on,
            also_in=list(hit.also_in),
        )


class SearchResponse(_Response):
    """Output of ``dunegpt search --json``."""

    question: str
    snapshot: str
    notes: list[str]
    hits: list[HitResponse]


_OFFICE = "application/vnd.openxmlformats-officedocument"
_PAGES = {
    "application/pdf": "p.",
    f"{_OFFICE}.presentationml.presentation": "slide",
}


class ReferenceResponse(_Response):
    """One numbered reference of an answer; ``place`` is its page for display.

    ``figure`` and ``box`` are the label and the place of a figure that it quotes.
    """

    number: int
    cited: bool
    document: DocumentResponse
    file: str
    page: int
    place: str
    url: str
    quote: str
    figure: str
    box: BoxResponse | None
    score: float
    superseded_by: str
    superseded_on: dt.date | None

    @classmethod
    def from_citation(cls, citation: Citation) -> "ReferenceResponse":
        """Return the response for a citation."""
        key = citation.hit.passage.file_key
        kinds = [f.media_type for f in citation.hit.document.files if f.key == key]
        unit = _PAGES.get(kinds[0] if kinds else "", "section")
        place = f"{unit} {citation.page}"
        passage = citation.hit.passage
        if passage.figure:
            place = f"{place}, {passage.figure}"
        return cls(
            number=citation.number,
            cited=citation.cited,
            document=DocumentResponse.from_document(citation.hit.document),
            file=key,
            page=citation.page,
            place=f"line {citation.line}" if citation.line else place,
            url=citation.url,
            quote=citation.quote,
            figure=passage.figure,
            box=BoxResponse.from_box(passage.box),
            score=round(citation.hit.score, 4),
            superseded_by=citation.hit.superseded_by,
            superseded_on=citation.hit.superseded_on,
        )


class SentenceResponse(_Response):
    """One sentence of an answer; ``citations`` are numbers of references."""

    text: str
    citations: list[int]
    supported: bool
    reason: str

    @classmethod
    def from_sentence(cls, sentence: Sentence) -> "SentenceResponse":
        """Return the response for a sentence."""
        return cls(
            text=sentence.text,
            citations=list(sentence.citations),
            supported=sentence.supported,
            reason=sentence.reason,
        )


class AmountResponse(_Response):
    """An amount stated by the document of one reference."""

    citation: int
    text: str
    quote: str
    date: dt.date | None


class DifferenceResponse(_Response):
    """Two documents that state different amounts for what seems one quantity."""

    newer: AmountResponse
    older: AmountResponse

    @classmethod
    def from_difference(cls, difference: Difference) -> "DifferenceResponse":
        """Return the response for a difference."""
        return cls.model_validate(asdict(difference))


class ChipResponse(_Response):
    """A filter that was recognized in the words of a question.

    Attributes:
        text: The words in the question.
        filter: The filter in query syntax.
        applied: False if it was ignored because it would have left no results.
    """

    text: str
    filter: str
    applied: bool

    @classmethod
    def from_chip(cls, chip: Chip) -> "ChipResponse":
        """Return the response for a chip."""
        return cls(text=chip.text, filter=chip.filter, applied=chip.applied)


class AskResponse(_Response):
    """Output of ``dunegpt ask --json``.

    Attributes:
        question: The question as typed.
        asked: The standalone question.
        was_rewritten: Whether the two differ.
        answer: The sentences with citation markers.
        dropped: Number of a model's sentences that were not supported.
        probability: Probability that the best sentence of the documents answers, by the
            fitted judgement; null if a model wrote the answer, or nothing was judged.
        receipt: Id for ``dunegpt replay``; empty if no receipt was kept.
    """

    question: str
    asked: str
    was_rewritten: bool
    chips: list[ChipResponse]
    outcome: Outcome
    mode: Mode
    answer: str
    sentences: list[SentenceResponse]
    differences: list[DifferenceResponse]
    references: list[ReferenceResponse]
    notices: list[str]
    dropped: int
    probability: float | None
    receipt: str


class ChatErrorResponse(_Response):
    """Output of ``dunegpt chat --json`` for a line that failed."""

    question: str
    error: str
    hint: str


class FileResponse(_Response):
    """One file of a document in ``dunegpt show``; ``principals`` may read it."""

    key: str
    name: str
    media_type: str
    url: str
    pages: int
    principals: list[str]


class PageResponse(_Response):
    """One page in ``dunegpt show --page``."""

    file: str
    number: int
    heading: str
    text: str


class CitedResponse(_Response):
    """A reference to another document in a document's text.

    Attributes:
        identifier: Identifier in DUNE's notation: ``DUNE-doc-6652-v5``.
        system: ``docdb``, ``edms``, ``indico``, ``arxiv``, or ``foreign`` for the
            systems of other experiments, which are never looked up.
        file: Key of the file that contains it.
        page: Number of the first page that contains it.
        document: The document referred to; null if it is not in the index.
    """

    identifier: str
    system: str
    file: str
    page: int
    document: DocumentResponse | None

    @classmethod
    def from_cited(cls, cited: OutgoingCitation) -> "CitedResponse":
        """Return the response for an outgoing citation."""
        document = (
            DocumentResponse.from_document(cited.document) if cited.document else None
        )
        return cls(
            identifier=cited.label,
            system=cited.system,
            file=cited.file,
            page=cited.page,
            document=document,
        )


class CitingResponse(_Response):
    """A reference to a document in another document's text.

    Attributes:
        document: The document that contains the reference.
        file: Key of the file that contains it.
        page: Number of the first page that contains it.
        version: The version referred to; empty if none is given.
    """

    document: DocumentResponse
    file: str
    page: int
    version: str

    @classmethod
    def from_citing(cls, citing: IncomingCitation) -> "CitingResponse":
        """Return the response for an incoming citation."""
        return cls(
            document=DocumentResponse.from_document(citing.document),
            file=citing.file,
            page=citing.page,
            version=citing.version,
        )


class ShownResponse(_Response):
    """One document in ``dunegpt show``."""

    document: DocumentResponse
    principals: list[str]
    supersedes: str
    superseded_by: str
    parent: str
    files: list[FileResponse]
    cites: list[CitedResponse]
    cited_by: list[CitingResponse]
    pages: list[PageResponse]


class ShowResponse(_Response):
    """Output of ``dunegpt show ID --json``; all versions if the id has no version."""

    documents: list[ShownResponse]


class RunResponse(_Response):
    """One run of the detector; its table row is on ``page`` of ``document``."""

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


class RunsResponse(_Response):
    """Output of ``dunegpt runs --json``, oldest run first."""

    snapshot: str
    notes: list[str]
    runs: list[RunResponse]
