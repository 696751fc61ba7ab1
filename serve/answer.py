"""A question to a stream of events: references, sentences with citations, the outcome.

The references and their numbers come from the search alone; a model can use them,
never change them. Without a model, or when it is down, the answer is the documents'
own best sentences. When nothing answers, it says so.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from dunegpt.config import LLMTable, Settings
from dunegpt.errors import (
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    ModelError,
)
from dunegpt.index.search import Filters, Searcher, SearchResult
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.serve import llm
from dunegpt.serve.cover import why_not
from dunegpt.serve.prompt import REFUSAL, messages
from dunegpt.serve.sentences import Candidate, Judge, sentences
from dunegpt.serve.verify import verified
from dunegpt.types import (
    PUBLIC,
    Access,
    AnswerEvent,
    Citation,
    Finished,
    FoundBy,
    Hit,
    Mode,
    Notice,
    Outcome,
    References,
    Sentence,
)

LEAST_SENTENCE = 0.30
_MOST_SENTENCES = 3
_NEAR_BEST = 0.85


def open_searcher(settings: Settings, folder: Path | None = None) -> Searcher:
    """Return a searcher on the current snapshot.

    Raises:
        IndexMissingError: There is no snapshot.
        IndexBrokenError, IndexMismatchError: It cannot be used.
    """
    return Searcher(Snapshot(folder or settings.data / "snapshots" / CURRENT))


def answer(
    question: str,
    settings: Settings,
    *,
    reader: Access,
    filters: Filters | None = None,
    k: int = 8,
    use_model: bool = True,
) -> Iterator[AnswerEvent]:
    """Yield references, sentences and notices as they come, then the outcome.

    Args:
        question: In words, or the name of a document.
        settings: Where the snapshot is, and which model servers there are.
        reader: Principals of the person who asks.
        filters: Which documents to look in.
        k: At most so many references.
        use_model: Whether a model may write the answer.

    Raises:
        UsageError: The question is empty or too long.
    """
    try:
        searcher = open_searcher(settings)
        result = searcher.search(question, reader, filters, k)
        judge = Judge(
            _asked(question, result),
            searcher.snapshot.lexical,
            searcher.snapshot.encoder,
        )
        candidates = judge.best(result.hits)
        citations = _citations(result.hits, candidates, searcher, settings)
    except (IndexMissingError, IndexBrokenError, IndexMismatchError) as error:
        yield Notice(f"{error} {error.hint}")
        yield Finished(Outcome.SEARCH_UNAVAILABLE, Mode.EXTRACTIVE, ())
        return
    yield References(citations)
    yield from _notices(result, searcher, settings)
    generates = use_model and bool(settings.llm)
    reason = why_not(question, result.hits, judge, will_be_read=generates)
    if reason:
        yield Notice(reason)
        yield Finished(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE, citations)
        return
    said: set[int] = set()
    if result.hits[0].found_by is FoundBy.ID:
        yield Sentence(_card(result.hits[0]), (1,))
        said.add(1)
    if generates:
        yield from _generated(question, settings, citations, candidates, said)
    else:
        yield from _extracted(candidates, citations, Outcome.ANSWERED, said)


def _asked(question: str, result: SearchResult) -> str:
    """Return what to look for in the passages: of a bare name, what its title says."""
    named = result.hits and result.hits[0].found_by is FoundBy.ID
    return (result.asked or result.hits[0].document.title) if named else question


def _card(hit: Hit) -> str:
    """Return a sentence on a document, from what its home system says of it."""
    document = hit.document
    people = f" by {', '.join(document.authors)}" if document.authors else ""
    facts = [f"dated {document.date}" if document.date else "", document.status]
    about = ", ".join(filter(None, facts))
    return (
        f"{document.id} is “{document.title}”{people}{', ' + about if about else ''}."
    )


def _notices(
    result: SearchResult, searcher: Searcher, settings: Settings
) -> Iterator[Notice]:
    manifest = searcher.snapshot.manifest
    day = manifest["created_at"][:10]
    for name in result.unknown:
        yield Notice(f"{name} is not in the index as of {day}.")
    made_with, wanted = manifest["settings"]["model"], settings.embed.model
    if made_with != wanted:
        yield Notice(
            f"The index was made with the model {made_with}, and is searched with it;"
            f" the settings say {wanted}. Run 'dunegpt index'."
        )


def _citations(
    hits: Sequence[Hit],
    candidates: Sequence[Candidate],
    searcher: Searcher,
    settings: Settings,
) -> tuple[Citation, ...]:
    """Return the numbered references, each with the best sentence of its passage."""
    best: dict[int, str] = {}
    for candidate in candidates:
        best.setdefault(candidate.hit.row, candidate.text)
    return tuple(
        citation(number, hit, best.get(hit.row, ""), searcher, settings)
        for number, hit in enumerate(hits, start=1)
    )


def citation(
    number: int, hit: Hit, quote: str, searcher: Searcher, settings: Settings
) -> Citation:
    """Return a reference that opens the page on which its quote stands.

    A PDF is opened at its page; anything else on our own page about the document if
    the settings name a server, else in its home system.
    """
    quote = quote or next(sentences(hit.passage.text), hit.passage.text)
    page = _page_of(quote, hit, searcher)
    file = next(f for f in hit.document.files if f.key == hit.passage.file_key)
    if file.media_type == "application/pdf":
        url = f"{file.url}#page={page}"
    elif settings.server.url:
        base = settings.server.url.rstrip("/")
        url = f"{base}/view/{hit.document.id}?file={file.key}&page={page}"
    else:
        url = hit.document.url
    return Citation(number, hit, quote, page, url)


def _page_of(quote: str, hit: Hit, searcher: Searcher) -> int:
    passage = hit.passage
    if passage.first_page == passage.last_page:
        return passage.first_page
    flat = _flat(quote)
    for page in searcher.snapshot.store.pages(hit.document.id, passage.file_key):
        inside = passage.first_page <= page.number <= passage.last_page
        if inside and flat in _flat(page.text):
            return page.number
    return passage.first_page


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _extracted(
    candidates: Sequence[Candidate],
    citations: Sequence[Citation],
    outcome: Outcome,
    cited: set[int],
) -> Iterator[AnswerEvent]:
    """Yield the best sentences, verbatim; nothing if none of them answers.

    Args:
        candidates: Sentences, best first.
        citations: The numbered references.
        outcome: If there is an answer.
        cited: Numbers that were cited before.
    """
    numbers = {c.hit.row: c.number for c in citations}
    best = candidates[0].score if candidates else 0.0
    cited = set(cited)
    said: set[str] = set()
    for candidate in candidates:
        text = _flat(candidate.text)
        if candidate.score < max(LEAST_SENTENCE, _NEAR_BEST * best):
            break
        if text.casefold() in said or len(said) == _MOST_SENTENCES:
            continue
        said.add(text.casefold())
        number = numbers[candidate.hit.row]
        cited.add(number)
        yield Sentence(text, (number,))
    if not cited and outcome is Outcome.ANSWERED:
        outcome = Outcome.NOT_IN_DOCUMENTS
    yield _finished(outcome, Mode.EXTRACTIVE, citations, cited)


def _generated(
    question: str,
    settings: Settings,
    citations: Sequence[Citation],
    candidates: Sequence[Candidate],
    said: set[int],
) -> Iterator[AnswerEvent]:
    """Yield a model's sentences, checked one by one as they come."""
    name, table = next(iter(settings.llm.items()))
    readable = [c for c in citations if _may_read(c, table)]
    if not readable:
        yield Notice(f"No passage found may be sent to the model server {name!r}.")
        yield from _extracted(candidates, citations, Outcome.ANSWERED, said)
        return
    budget = table.context_tokens - table.max_tokens
    text = llm.stream(name, table, messages(question, readable, budget))
    cited = set(said)
    try:
        for piece in _streamed_sentences(text):
            if REFUSAL.casefold() in piece.casefold():
                continue
            sentence = verified(piece, readable)
            cited.update(sentence.citations if sentence.supported else ())
            yield sentence
    except ModelError as error:
        yield Notice(f"{error} The documents' own sentences follow.")
        yield from _extracted(candidates, citations, Outcome.MODEL_UNAVAILABLE, said)
        return
    outcome = Outcome.ANSWERED if cited else Outcome.NOT_IN_DOCUMENTS
    yield _finished(outcome, Mode.GENERATED, citations, cited)


def _may_read(found: Citation, table: LLMTable) -> bool:
    """Return whether a passage may be sent to a model server."""
    hit = found.hit
    file = next(f for f in hit.document.files if f.key == hit.passage.file_key)
    allowed = {*table.may_read, PUBLIC}
    return "*" in allowed or bool(file.access & allowed)


def _streamed_sentences(pieces: Iterator[str]) -> Iterator[str]:
    """Yield whole sentences, with the marks that follow them, from pieces of text."""
    text = ""
    for piece in pieces:
        text += piece
        while end := re.search(r"[.!?](?:\s*\[[\d,;\s]+\])*\s+(?=[^\s\[])|\n+", text):
            yield from filter(None, [text[: end.end()].strip()])
            text = text[end.end() :]
    yield from filter(None, [text.strip()])


def _finished(
    outcome: Outcome, mode: Mode, citations: Sequence[Citation], cited: set[int]
) -> Finished:
    final = tuple(replace(c, cited=c.number in cited) for c in citations)
    return Finished(outcome, mode, final)
