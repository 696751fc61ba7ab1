"""One question on its way from what was found to its outcome, as events.

References and their numbers come from the search alone; a model can use them, never
change them. What it writes is told as the checks leave it; where it writes nothing that
is backed, or is down, the documents' own best sentences follow.
"""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property

from dunegpt.errors import ModelError
from dunegpt.index.search import Searcher, SearchResult
from dunegpt.index.words import words
from dunegpt.serve.citing import citation, flat
from dunegpt.serve.cover import gives_none, why_not
from dunegpt.serve.differences import differences
from dunegpt.serve.models import Stream
from dunegpt.serve.prompt import may_read
from dunegpt.serve.receipts import Account
from dunegpt.serve.sentences import (
    PLAIN,
    Candidate,
    Judge,
    answering,
    sentences,
)
from dunegpt.serve.widen import Widen
from dunegpt.serve.writing import Writer
from dunegpt.statuses import told
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

_LEAST_SHARE = 0.4
"""Of the question's words, by weight, in a model's answer, for it not to be doubted."""
_NEAREST = "No sentence found answers plainly; these come nearest to the question."
_LIST_MARK = re.compile(r"^(?:[-*\u2022]\s+)+|^[\s|]+|[\s|]+$")


class OneAnswer:
    """One question on its way from what was found to its outcome."""

    def __init__(
        self,
        question: str,
        told: str,
        searcher: Searcher,
        found: SearchResult,
        *,
        stream: Stream,
        account: Account,
        widen: Widen | None = None,
    ) -> None:
        self.question = question
        encoder = searcher.snapshot.encoder
        # A model is told the question with the words that became filters.
        self.writer = Writer(told, account.settings, encoder, stream, account)
        self.account = account
        self.widen = widen
        self.shown = found.hits  # which decide whether there is an answer
        self.order = found.hits  # in which a model reads
        self.settings = account.settings
        self.searcher = searcher
        self.found = found
        self.is_named = bool(found.hits) and found.hits[0].found_by is FoundBy.ID
        asked = self._asked()
        weights = searcher.weights(asked, account.request.reader)
        self.judge = Judge(asked, weights, searcher.snapshot.encoder)
        self.quotes = {hit.rank: self.judge.quote(hit) for hit in found.hits}
        self.cited: set[int] = set()
        self.kept: list[str] = []  # of a model's sentences
        self.quoted: set[int] = set()  # by a sentence of the answer: settled

    @cached_property
    def candidates(self) -> list[Candidate]:
        """The sentences that may answer, best first; costs more than the search."""
        found = self.judge.best(self.found.hits)
        best: dict[int, str] = {}
        for candidate in found:
            best.setdefault(candidate.hit.rank, candidate.text)
        self.quotes |= {n: q for n, q in best.items() if n not in self.quoted}
        return found

    def _asked(self) -> str:
        """Return what to look for: of a bare name, what its title says."""
        if not self.is_named:
            return self.question
        return self.found.asked or self.found.hits[0].document.title

    def events(self, *, generates: bool) -> Iterator[AnswerEvent]:
        """Yield all events of the answer."""
        yield References(self._citations())
        yield from self._notices()
        reason = why_not(self.question, self.shown, self.judge, will_be_read=generates)
        if reason:
            if self.found.named and not self.found.hits:
                names = ", ".join(self.found.named)
                yield Notice(
                    f"{names} is in the index, but no text of it could be read."
                )
            elif not self.found.unknown:
                yield Notice(reason)
            yield from self._end(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE)
            return
        if self.widen and not self.is_named:
            yield from self._widened(self.widen)
        reason = gives_none(self.found.hits, self.judge)
        if reason and not self.is_named:
            yield Notice(reason)
            yield from self._end(Outcome.NOT_IN_DOCUMENTS, Mode.EXTRACTIVE)
            return
        for hit in self._introduced():
            self.cited.add(hit.rank)
            yield Sentence(_card(hit), (hit.rank,))
        yield from self._generated() if generates else self._extracted()

    def _widened(self, widen: Widen) -> Iterator[References | Notice]:
        """Yield references that a model adds; take over in which order it reads."""
        more = widen(self.question, self.shown)
        self.found = replace(self.found, hits=more.hits)
        self.order = more.order
        self.account.noted(more.notes)
        new = more.hits[len(self.shown) :]
        self.quotes |= {hit.rank: self.judge.quote(hit) for hit in new}
        if new:
            yield References(self._citations()[len(self.shown) :])
        yield from map(Notice, more.notes)

    def _fallen_back(self, outcome: Outcome) -> Iterator[AnswerEvent]:
        """Yield the documents' own sentences where a model was to read, if they answer.

        Args:
            outcome: If they do.
        """
        reason = why_not(self.question, self.shown, self.judge, will_be_read=False)
        if reason:
            yield Notice(reason)
            refused = Outcome.NOT_IN_DOCUMENTS
            is_down = outcome is Outcome.MODEL_UNAVAILABLE
            yield from self._end(outcome if is_down else refused, Mode.EXTRACTIVE)
            return
        yield from self._extracted(outcome)

    def _introduced(self) -> list[Hit]:
        """Return a hit of each document that the answer begins by introducing.

        Those are the documents that the question names, or the first one found if it
        asks who wrote it or when.
        """
        if not self.is_named:
            asks = _ASKS_ABOUT_DOCUMENT.search(self.question)
            return list(self.found.hits[:1]) if asks else []
        first: dict[str, Hit] = {}
        for hit in self.found.hits:
            first.setdefault(hit.document.id, hit)
        return list(first.values())

    def _notices(self) -> Iterator[Notice]:
        if self.searcher.narrowing.notice:
            yield Notice(self.searcher.narrowing.notice)
        yield from map(Notice, self.found.notes)
        manifest = self.searcher.snapshot.manifest
        for name in self.found.unknown:
            yield Notice(
                f"{name} is not in the index as of {manifest['created_at'][:10]}."
            )
        made_with, wanted = manifest["settings"]["model"], self.settings.embed.model
        if made_with != wanted:
            yield Notice(
                f"The index was made with the model {made_with}, and is searched with"
                f" it; the settings say {wanted}. Run 'dunegpt index'."
            )

    def _extracted(self, outcome: Outcome = Outcome.ANSWERED) -> Iterator[AnswerEvent]:
        """Yield the best sentences, verbatim; none if none of them answers."""
        best = list(answering(self.candidates, self.judge.wanted))
        if best and best[0].score < PLAIN and not self.is_named:
            yield Notice(_NEAREST)
        for candidate in best:
            number = candidate.hit.rank
            self.cited.add(number)
            self._quote(number, candidate.text)
            yield Sentence(_LIST_MARK.sub("", flat(candidate.text)), (number,))
        if not self.cited and outcome is Outcome.ANSWERED:
            outcome = Outcome.NOT_IN_DOCUMENTS
        yield from self._end(outcome, Mode.EXTRACTIVE)

    def _generated(self) -> Iterator[AnswerEvent]:
        """Yield a model's sentences; those of the next server if one wrote none."""
        outcome = Outcome.ANSWERED
        for name, table in self.settings.llm.items():
            readable = [c for c in self._in_order() if may_read(c.hit, table)]
            if not readable:
                self.account.passed_over(name)
                yield Notice(
                    f"No passage found may be sent to the model server {name!r}."
                )
                continue
            begun = False
            try:
                with closing(self.writer.written(name, table, readable)) as written:
                    for event in written:
                        begun = begun or isinstance(event, Sentence)
                        if isinstance(event, Sentence) and event.supported:
                            self._cite(event)
                            self.kept.append(event.text)
                        yield event
            except ModelError as error:
                yield Notice(str(error))
                outcome = Outcome.MODEL_UNAVAILABLE
                if begun:  # two models' sentences are never mixed
                    break
                continue
            if begun and not self.writer.refused and (lack := self._lack()):
                yield Notice(lack)
                yield from self._fallen_back(Outcome.ANSWERED)
                return
            yield from self._doubt()
            outcome = Outcome.ANSWERED if self.cited else Outcome.NOT_IN_DOCUMENTS
            yield from self._end(outcome, Mode.GENERATED)
            return
        if outcome is Outcome.MODEL_UNAVAILABLE:
            yield Notice("The answer rests on the documents' own sentences.")
        yield from self._fallen_back(outcome)

    def _lack(self) -> str:
        """Return what a model's sentences do not give; empty if they may answer."""
        kind = self.judge.wanted
        if not self.cited:
            return "Nothing that the model wrote is backed by the documents."
        if kind and self.kept and not any(kind.is_in(text) for text in self.kept):
            return f"What the model wrote does not give {kind.name}."
        return ""

    def _doubt(self) -> Iterator[Notice]:
        """Yield a notice if neither passages nor answer have the question's words."""
        reason = why_not(self.question, self.shown, self.judge, will_be_read=False)
        share = self.judge.share("\n".join(self.kept))
        if self.kept and reason and share < _LEAST_SHARE:
            yield Notice(f"{reason} The answer may be beside the question.")

    def _cite(self, sentence: Sentence) -> None:
        """Note what a sentence cites; quote the sentences that are most like it."""
        own = set(words(sentence.text))
        for hit in self.found.hits:
            if hit.rank in sentence.citations:
                parts = sentences(hit.passage.text)
                nearest = max(
                    parts,
                    key=lambda text: len(own & set(words(text))),
                    default=hit.passage.text,
                )
                self._quote(hit.rank, nearest)
        self.cited.update(sentence.citations)

    def _quote(self, number: int, text: str) -> None:
        """Settle the quote of a reference, if none was before."""
        if number not in self.quoted:
            self.quotes[number] = text
            self.quoted.add(number)

    def _citations(self) -> tuple[Citation, ...]:
        """Return the numbered references with their quotes as chosen so far."""
        return tuple(
            citation(hit, self.quotes.get(hit.rank, ""), self.searcher, self.settings)
            for hit in self.found.hits
        )

    def _in_order(self) -> list[Citation]:
        """Return the references in the order in which a model is to read them."""
        by_number = {c.number: c for c in self._citations()}
        return [by_number[hit.rank] for hit in self.order]

    def _end(self, outcome: Outcome, mode: Mode) -> Iterator[AnswerEvent]:
        """Yield where documents differ from what was cited, then the outcome."""
        for found in differences(self.candidates) if self.cited else ():
            amounts = (found.newer, found.older)
            if self.cited.isdisjoint(amount.citation for amount in amounts):
                continue
            for amount in amounts:
                self.cited.add(amount.citation)
                self._quote(amount.citation, amount.quote)
            yield found
        final = tuple(
            replace(c, cited=c.number in self.cited) for c in self._citations()
        )
        yield Finished(outcome, mode, final)


_ASKS_ABOUT_DOCUMENT = re.compile(
    r"\bwho\s+(?:wrote|has written|authored|gave|presented|made)\b|\bauthors?\s+of\b"
    r"|\bwhen was\b.+\b(?:written|published|dated|presented)\b",
    re.IGNORECASE,
)


def _card(hit: Hit) -> str:
    """Return a sentence on a document, from what its home system says of it."""
    document = hit.document
    people = f" by {', '.join(document.authors)}" if document.authors else ""
    facts = [f"dated {document.date}" if document.date else "", told(document.status)]
    about = ", ".join(filter(None, facts))
    return (
        f"{document.id} is “{document.title}”{people}{', ' + about if about else ''}."
    )
