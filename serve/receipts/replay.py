"""Replays a receipt: asks its question again and compares the answers.

The question is asked as the reader of the receipt. Documents that this reader may no
longer open are redacted before the comparison, so neither ids nor text are shown.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache

from dunegpt.config import Settings
from dunegpt.datadir import CURRENT
from dunegpt.errors import (
    SEARCH_UNAVAILABLE,
    StorageError,
)
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.search.searcher import Searcher
from dunegpt.schemas.receipts import (
    ChangeResponse,
    PassageChangeResponse,
    ReceiptPassageResponse,
    ReceiptResponse,
    ReceiptSentenceResponse,
    ReplayResponse,
    SentenceChangeResponse,
)
from dunegpt.serve.answer.pipeline import answer
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.trace import AnswerTrace
from dunegpt.serve.receipts.recorder import receipt_of

log = logging.getLogger(__name__)

MayOpen = Callable[[str, str], bool]
"""Returns whether a file may be opened, by document id and file key."""

_SCORE_TOLERANCE = 1e-4
_FACTS = ("ended", "outcome", "mode", "snapshot", "server", "model", "prompt_sha256")
_ANSWER_FACTS = {"ended", "outcome", "mode"}
PassageKey = tuple[str, str, str, int]
"""Document id, file key, hash of the text, and a counter of equal passages."""


def replay(
    receipt: ReceiptResponse, settings: Settings, *, as_then: bool = False
) -> ReplayResponse:
    """Return what has changed since an answer was given.

    Args:
        receipt: Receipt of the answer. Show the result only to readers who hold all of
            its principals.
        settings: Current settings.
        as_then: Whether to ask the receipt's snapshot instead of the current one.

    Raises:
        StorageError: The receipt's snapshot was removed.
        UsageError: The question is no longer valid: a source in it is gone.
    """
    snapshot = _find_snapshot(receipt, settings) if as_then else CURRENT
    request = _restore_request(receipt, settings)
    trace = AnswerTrace(request)
    for _ in answer(request, trace=trace, snapshot=snapshot):
        pass
    now = _restore_typed_question(receipt_of(trace), receipt)
    shown = {(passage.document, passage.file) for passage in now.passages}
    with ExitStack() as opened:
        # Open it after the answer, to see revocations that came meanwhile.
        searcher = _open_if_possible(settings, snapshot, opened)
        index = searcher.as_reader(request.principals) if searcher else None

        @cache
        def may_open(document_id: str, key: str) -> bool:
            if (document_id, key) in shown:
                return True
            return index is not None and _may_open(index, document_id, key)

        then = redact(receipt, may_open, now)
    return compare(then, now, as_then=as_then)


def _restore_typed_question(
    now: ReceiptResponse, receipt: ReceiptResponse
) -> ReceiptResponse:
    """Return the new receipt with the question as the reader typed it.

    A rewritten follow-up may name documents from earlier answers, so it is left out.
    """
    typed = {"question": receipt.question, "standing": ""}
    is_follow_up = receipt.standing not in {"", receipt.question}
    return now.model_copy(update=typed | ({"asked": ""} if is_follow_up else {}))


def _find_snapshot(receipt: ReceiptResponse, settings: Settings) -> str:
    name = receipt.snapshot
    if not name or not (settings.paths.snapshots / name).is_dir():
        raise StorageError(
            f"The snapshot {name or 'of this answer'} is not kept any more.",
            hint="Leave out --as-then to ask the current one.",
        )
    return name


def _restore_request(receipt: ReceiptResponse, settings: Settings) -> AnswerRequest:
    stored = receipt.filters
    filters = Filters(
        sources=tuple(stored.sources),
        since=stored.since,
        until=stored.until,
        author=stored.author,
        authors=tuple(stored.authors),
        kinds=tuple(stored.kinds),
        statuses=tuple(stored.statuses),
        documents=tuple(stored.documents),
    )
    return AnswerRequest(
        receipt.standing or receipt.question,
        settings,
        frozenset(receipt.principals),
        filters,
        receipt.k,
        receipt.use_model,
        without=tuple(receipt.without),
        as_asked=receipt.as_asked,
        today=receipt.at.date(),
    )


def _open_if_possible(
    settings: Settings, snapshot: str, opened: ExitStack
) -> Searcher | None:
    """Return a searcher, or None if there is no usable index."""
    try:
        return opened.enter_context(closing(open_searcher(settings, snapshot)))
    except SEARCH_UNAVAILABLE as error:
        log.info("all passages of the receipt are redacted: %s", error)
        return None


def _may_open(index: ReaderIndex, document_id: str, key: str) -> bool:
    """Return whether the reader may currently open a file."""
    return any(
        file.key == key
        for document, _ in index.find_documents(document_id)
        if document.id == document_id
        for file in document.files
    )


# ── redaction ─────────────────────────────────────────────────────────────────────────


def redact(
    receipt: ReceiptResponse, may_open: MayOpen, now: ReceiptResponse
) -> ReceiptResponse:
    """Return a receipt without closed passages and everything that depends on them.

    A supported sentence is withheld if a passage that it cites is closed. Others are
    withheld if any passage is closed, since the model had read them all. Notices and
    rewritten questions may name documents, so they are removed. Sentences that the new
    answer contains, too, are kept.
    """
    closed = {
        passage.number
        for passage in receipt.passages
        if not may_open(passage.document, passage.file)
    }
    current_texts = {sentence.text for sentence in now.sentences}

    def is_withheld(sentence: ReceiptSentenceResponse) -> bool:
        backed = sentence.supported and bool(sentence.citations)
        rests_on = closed & set(sentence.citations) if backed else closed
        return bool(rests_on) and sentence.text not in current_texts

    return receipt.model_copy(
        update={
            "notices": [],
            "standing": "",
            "asked": receipt.asked if receipt.asked == now.asked else "",
            "passages": [
                ReceiptPassageResponse(number=passage.number)
                if passage.number in closed
                else passage
                for passage in receipt.passages
            ],
            "sentences": [
                ReceiptSentenceResponse(
                    text="",
                    citations=[],
                    supported=sentence.supported,
                    check=None,
                    reason="",
                    withheld=True,
                )
                if is_withheld(sentence)
                else sentence
                for sentence in receipt.sentences
            ],
        }
    )


# ── comparison ────────────────────────────────────────────────────────────────────────


def compare(
    then: ReceiptResponse, now: ReceiptResponse, *, as_then: bool = False
) -> ReplayResponse:
    """Return the differences between two receipts; times and notices are ignored.

    Args:
        then: The stored receipt, redacted.
        now: The new receipt of the same question.
        as_then: Whether the receipt's snapshot was asked; only reported.
    """
    changes = list(_compare_facts(then, now))
    passages = list(_compare_passages(then, now))
    sentences = list(_compare_sentences(then, now))
    answer_changes = [change for change in changes if change.what in _ANSWER_FACTS]
    return ReplayResponse(
        id=then.id,
        same=not (changes or passages or sentences),
        same_answer=not (answer_changes or sentences),
        as_then=as_then,
        changes=changes,
        passages=passages,
        sentences=sentences,
        then=then,
        now=now,
    )


def _compare_facts(
    then: ReceiptResponse, now: ReceiptResponse
) -> Iterator[ChangeResponse]:
    for name in _FACTS:
        was, is_now = getattr(then, name), getattr(now, name)
        if was != is_now:
            yield ChangeResponse(what=name, then=was, now=is_now)
    for name in sorted(then.settings.keys() | now.settings.keys()):
        was, is_now = then.settings.get(name), now.settings.get(name)
        if was != is_now:
            yield ChangeResponse(what=f"settings {name}", then=was, now=is_now)


def _index_passages(
    receipt: ReceiptResponse,
) -> dict[PassageKey, ReceiptPassageResponse]:
    """Return the passages that are not redacted, by key."""
    passages: dict[PassageKey, ReceiptPassageResponse] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for passage in receipt.passages:
        if passage.document:
            content = (passage.document, passage.file, passage.sha256)
            passages[*content, seen[content]] = passage
            seen[content] += 1
    return passages


def _compare_passages(
    then: ReceiptResponse, now: ReceiptResponse
) -> Iterator[PassageChangeResponse]:
    for passage in then.passages:
        if not passage.document:
            yield PassageChangeResponse(change="closed", then=passage.number, now=None)
    before, after = _index_passages(then), _index_passages(now)
    for key in dict.fromkeys([*before, *after]):
        was, is_now = before.get(key), after.get(key)
        change = _classify_change(was, is_now)
        either = is_now or was
        if not change or either is None:
            continue
        yield PassageChangeResponse(
            change=change,
            then=was.number if was else None,
            now=is_now.number if is_now else None,
            document=either.document,
            file=either.file,
            page=either.first_page,
            score_then=was.score if was else None,
            score_now=is_now.score if is_now else None,
        )


def _classify_change(
    was: ReceiptPassageResponse | None, now: ReceiptPassageResponse | None
) -> str:
    """Return the change of a passage in one word; empty if there is none."""
    if was is None or now is None:
        return "gone" if was else "new"
    if was.number != now.number:
        return "moved"
    return "scored" if abs(was.score - now.score) > _SCORE_TOLERANCE else ""


def _compare_sentences(
    then: ReceiptResponse, now: ReceiptResponse
) -> Iterator[SentenceChangeResponse]:
    after = {sentence.text: sentence for sentence in now.sentences}
    before = {s.text: s for s in then.sentences if not s.withheld}
    for sentence in then.sentences:
        if sentence.withheld:
            yield SentenceChangeResponse(change="withheld", text="")
    for text in dict.fromkeys([*before, *after]):
        was, is_now = before.get(text), after.get(text)
        change = "gone" if is_now is None else "new"
        if was and is_now:
            if _get_verdict(was) != _get_verdict(is_now):
                change = "verdict"
            elif _get_cited(was, then) != _get_cited(is_now, now):
                change = "citations"
            else:
                continue
        yield SentenceChangeResponse(
            change=change,
            text=text,
            then=_get_verdict(was) if was else "",
            now=_get_verdict(is_now) if is_now else "",
        )


def _get_verdict(sentence: ReceiptSentenceResponse) -> str:
    return "supported" if sentence.supported else sentence.reason


def _get_cited(
    sentence: ReceiptSentenceResponse, receipt: ReceiptResponse
) -> set[PassageKey | None]:
    """Return the keys of the passages that a sentence cites; None for closed ones."""
    keys = {passage.number: key for key, passage in _index_passages(receipt).items()}
    return {keys.get(number) for number in sentence.citations}
