"""Composes the answer to one question from its search result, as events.

References and their numbers come from the search; a model can cite but not change them.
Its sentences are verified before they are yielded. If none of them is supported, or no
server answers, sentences quoted from the documents follow.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property

from dunegpt.document_status import format_status
from dunegpt.errors import ModelError
from dunegpt.index.search.hits import SearchResult
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.candidates import Candidate, format_answer
from dunegpt.serve.answer.citations import make_citation
from dunegpt.serve.answer.conflicts import find_conflicts
from dunegpt.serve.answer.extractive import SentenceScorer, select_answers
from dunegpt.serve.answer.generation import AnswerWriter
from dunegpt.serve.answer.reader import find_reader
from dunegpt.serve.answer.refusal import check_answer_type, refusal_reason
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.serve.llm.permissions import may_send_hit
from dunegpt.serve.llm.pool import AskYesNoFunction, StreamFunction
from dunegpt.serve.question.expand import ExpandHits
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.sentences import split_sentences
from dunegpt.types import (
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

_MIN_WORD_SHARE = 0.4
"""Minimum weighted share of the question's words in an answer that is not doubted."""
_WEAK_ANSWER_NOTICE = (
    "No sentence found answers plainly; these come nearest to the question."
)


class AnswerComposer:
    """Composes the answer to one question."""

    def __init__(
        self,
        question: str,
        model_question: str,
        index: ReaderIndex,
        found: SearchResult,
        *,
        stream: StreamFunction,
        trace: AnswerTrace,
        expand: ExpandHits | None = None,
        ask_yes_no: AskYesNoFunction | None = None,
    ) -> None:
        """Prepare to compose.

        Args:
            question: The question as searched, without the words of its filters.
            model_question: The question for the model, with those words.
            index: Index of the person who asks.
            found: Result of the search.
            stream: Streams the output of a model server.
            trace: Trace of the answer.
            expand: Adds hits with the help of a model, or None.
            ask_yes_no: Asks a model server for yes or no, or None.
        """
        self.question = question
        self.settings = trace.request.settings
        encoder = index.snapshot.encoder
        self.writer = AnswerWriter(
            model_question, self.settings, encoder, stream, trace, ask_yes_no
        )
        self.trace = trace
        self.expand = expand
        self.shown_hits = found.hits  # decide whether there is an answer
        self.reading_order = found.hits  # order of passages in the prompt
        self.index = index
        self.result = found
        self.is_named = bool(found.hits) and found.hits[0].found_by is FoundBy.ID
        asked = self._get_search_text()
        weights = index.get_word_weights(asked)
        reader = find_reader(self.settings)
        self.scorer = SentenceScorer(asked, weights, encoder, reader)
        self.quotes = {hit.rank: self.scorer.select_quote(hit) for hit in found.hits}
        self.cited: set[int] = set()
        self.supported_texts: list[str] = []  # sentences of the model
        self.settled_quotes: set[int] = set()  # references quoted by the answer

    @cached_property
    def candidates(self) -> list[Candidate]:
        """The sentences that may answer, best first; slower than the search."""
        candidates = self.scorer.rank_sentences(self.result.hits)
        best: dict[int, str] = {}
        for candidate in candidates:
            best.setdefault(candidate.hit.rank, candidate.text)
        self.quotes |= {n: q for n, q in best.items() if n not in self.settled_quotes}
        return candidates

    def _get_search_text(self) -> str:
        """Return the text to score with: for a mere document name, its title."""
        if not self.is_named:
            return self.question
        return self.result.asked or self.result.hits[0].document.title

    def compose(self, *, generates: bool) -> Iterator[AnswerEvent]:
        """Yield all events of the answer."""
        yield References(self._make_citations())
        yield from self._make_notices()
        reason = refusal_reason(
            self.question, self.shown_hits, self.scorer, will_be_read=generates
        )
        if reason:
            if self.result.named and not self.result.hits:
                names = ", ".join(self.result.named)
                yield Notice(
                    f"{names} is in the index, but no text of it could be read."
                )
            elif not self.result.unknown:
                yield Notice(reason)
            yield from self._finish(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE)
            return
        if self.expand and not self.is_named:
            yield from self._expand_hits(self.expand)
        reason = check_answer_type(self.result.hits, self.scorer)
        if reason and not self.is_named:
            yield Notice(reason)
            yield from self._finish(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE)
            return
        for hit in self._select_introduced():
            self.cited.add(hit.rank)
            yield Sentence(_describe_document(hit), (hit.rank,))
        yield from self._generate() if generates else self._extract()

    def _expand_hits(self, expand: ExpandHits) -> Iterator[References | Notice]:
        """Add hits with the help of a model; yield their references and notes."""
        expanded = expand(self.question, self.shown_hits)
        self.result = replace(self.result, hits=expanded.hits)
        self.reading_order = expanded.reading_order
        self.trace.add_notes(expanded.notes)
        new = expanded.hits[len(self.shown_hits) :]
        self.quotes |= {hit.rank: self.scorer.select_quote(hit) for hit in new}
        if new:
            yield References(self._make_citations()[len(self.shown_hits) :])
        yield from map(Notice, expanded.notes)

    def _fall_back(self, outcome: Outcome) -> Iterator[AnswerEvent]:
        """Yield sentences quoted from the documents, in place of a model's answer.

        Args:
            outcome: Outcome if they answer the question.
        """
        reason = refusal_reason(
            self.question, self.shown_hits, self.scorer, will_be_read=False
        )
        if reason:
            yield Notice(reason)
            refused = Outcome.NOT_IN_DOCUMENTS
            is_down = outcome is Outcome.MODEL_UNAVAILABLE
            yield from self._finish(outcome if is_down else refused, Mode.EXTRACTIVE)
            return
        yield from self._extract(outcome)

    def _select_introduced(self) -> list[Hit]:
        """Return a hit of each document that the answer introduces first.

        These are the documents that the question names, or the first hit's document if
        the question asks for its author or date.
        """
        if not self.is_named:
            asks = _ASKS_ABOUT_DOCUMENT.search(self.question)
            return list(self.result.hits[:1]) if asks else []
        first: dict[str, Hit] = {}
        for hit in self.result.hits:
            first.setdefault(hit.document.id, hit)
        return list(first.values())

    def _make_notices(self) -> Iterator[Notice]:
        if self.index.revocations.notice:
            yield Notice(self.index.revocations.notice)
        yield from map(Notice, self.result.notes)
        manifest = self.index.snapshot.manifest
        for name in self.result.unknown:
            yield Notice(
                f"{name} is not in the index as of {manifest['created_at'][:10]}."
            )
        made_with, wanted = manifest["settings"]["model"], self.settings.embed.model
        if made_with != wanted:
            yield Notice(
                f"The index was made with the model {made_with}, and is searched with"
                f" it; the settings say {wanted}. Run 'dunegpt index'."
            )

    def _extract(self, outcome: Outcome = Outcome.ANSWERED) -> Iterator[AnswerEvent]:
        """Yield the best sentences verbatim, if any of them answers.

        Who wrote a document, and when, its introduction has told already.
        """
        if self.cited and _ASKS_ABOUT_DOCUMENT.search(self.question):
            yield from self._finish(outcome, Mode.EXTRACTIVE)
            return
        if not self.is_named and self.scorer.is_doubtful(self.result.hits):
            yield Notice(_WEAK_ANSWER_NOTICE)
        for candidate in select_answers(self.candidates):
            number = candidate.hit.rank
            self.cited.add(number)
            self._set_quote(number, candidate.text)
            yield Sentence(format_answer(candidate), (number,))
        if not self.cited and outcome is Outcome.ANSWERED:
            outcome = Outcome.NOT_IN_DOCUMENTS
        yield from self._finish(outcome, Mode.EXTRACTIVE)

    def _generate(self) -> Iterator[AnswerEvent]:
        """Yield the sentences of the first model server that writes any."""
        outcome = Outcome.ANSWERED
        for name, table in self.settings.llm.items():
            readable = [
                c for c in self._order_citations() if may_send_hit(c.hit, table)
            ]
            if not readable:
                self.trace.note_skipped_server(name)
                yield Notice(
                    f"No passage found may be sent to the model server {name!r}."
                )
                continue
            begun = False
            try:
                with closing(
                    self.writer.stream_sentences(name, table, readable)
                ) as events:
                    for event in events:
                        begun = begun or isinstance(event, Sentence)
                        if isinstance(event, Sentence) and event.supported:
                            self._cite(event)
                            self.supported_texts.append(event.text)
                        yield event
            except ModelError as error:
                yield Notice(str(error))
                outcome = Outcome.MODEL_UNAVAILABLE
                if begun:  # never mix the sentences of two models
                    break
                continue
            if begun and not self.writer.refused and (gap := self._find_gap()):
                yield Notice(gap)
                yield from self._fall_back(Outcome.ANSWERED)
                return
            yield from self._doubt()
            outcome = Outcome.ANSWERED if self.cited else Outcome.NOT_IN_DOCUMENTS
            yield from self._finish(outcome, Mode.GENERATED)
            return
        if outcome is Outcome.MODEL_UNAVAILABLE:
            yield Notice("The answer rests on the documents' own sentences.")
        yield from self._fall_back(outcome)

    def _find_gap(self) -> str:
        """Return why the model's sentences are no answer; empty if they may be one."""
        kind = self.scorer.answer_type
        if not self.cited:
            return "Nothing that the model wrote is backed by the documents."
        if (
            kind
            and self.supported_texts
            and not any(kind.is_in(text) for text in self.supported_texts)
        ):
            return f"What the model wrote does not give {kind.name}."
        return ""

    def _doubt(self) -> Iterator[Notice]:
        """Yield a notice if passages and answer lack the words of the question."""
        reason = refusal_reason(
            self.question, self.shown_hits, self.scorer, will_be_read=False
        )
        share = self.scorer.word_share("\n".join(self.supported_texts))
        if self.supported_texts and reason and share < _MIN_WORD_SHARE:
            yield Notice(f"{reason} The answer may be beside the question.")

    def _cite(self, sentence: Sentence) -> None:
        """Record the citations of a sentence and quote what is most similar to it."""
        words = set(tokenize(sentence.text))
        for hit in self.result.hits:
            if hit.rank in sentence.citations:
                parts = split_sentences(hit.passage.text)
                nearest = max(
                    parts,
                    key=lambda text: len(words & set(tokenize(text))),
                    default=hit.passage.text,
                )
                self._set_quote(hit.rank, nearest)
        self.cited.update(sentence.citations)

    def _set_quote(self, number: int, text: str) -> None:
        """Set the quote of a reference, unless the answer has set one already."""
        if number not in self.settled_quotes:
            self.quotes[number] = text
            self.settled_quotes.add(number)

    def _make_citations(self) -> tuple[Citation, ...]:
        """Return the numbered references with their current quotes."""
        return tuple(
            make_citation(hit, self.quotes.get(hit.rank, ""), self.index, self.settings)
            for hit in self.result.hits
        )

    def _order_citations(self) -> list[Citation]:
        """Return the references in the order in which a model reads them."""
        by_number = {c.number: c for c in self._make_citations()}
        return [by_number[hit.rank] for hit in self.reading_order]

    def _finish(self, outcome: Outcome, mode: Mode) -> Iterator[AnswerEvent]:
        """Yield the conflicts with cited passages, then the outcome."""
        for conflict in find_conflicts(self.candidates) if self.cited else ():
            amounts = (conflict.newer, conflict.older)
            if self.cited.isdisjoint(amount.citation for amount in amounts):
                continue
            for amount in amounts:
                self.cited.add(amount.citation)
                self._set_quote(amount.citation, amount.quote)
            yield conflict
        final = tuple(
            replace(c, cited=c.number in self.cited) for c in self._make_citations()
        )
        is_judged = mode is Mode.EXTRACTIVE
        probability = self.scorer.last_probability if is_judged else None
        yield Finished(outcome, mode, final, probability=probability)


_ASKS_ABOUT_DOCUMENT = compile_re(
    r"\bwho\s+(?:wrote|has written|authored|gave|presented|made)\b|\bauthors?\s+of\b"
    r"|\bwhen was\b.+\b(?:written|published|dated|presented)\b",
    re.IGNORECASE,
)


def _describe_document(hit: Hit) -> str:
    """Return a sentence that introduces a document, from its metadata."""
    document = hit.document
    people = f" by {', '.join(document.authors)}" if document.authors else ""
    facts = [
        f"dated {document.date}" if document.date else "",
        format_status(document.status),
    ]
    about = ", ".join(filter(None, facts))
    return (
        f"{document.id} is “{document.title}”{people}{', ' + about if about else ''}."
    )
