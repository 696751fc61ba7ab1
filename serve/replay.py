"""Asks the question of a receipt again, and says what has changed.

It is asked as the reader of the receipt. What whoever looks may not open by now is
taken out of the receipt before anything is compared: neither its id nor what it said is
told.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache

from dunegpt.config import Settings
from dunegpt.errors import (
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    StorageError,
)
from dunegpt.index.search import Searcher
from dunegpt.index.snapshot import CURRENT
from dunegpt.index.view import Filters
from dunegpt.receipt_schemas import (
    ChangeShape,
    PassageChangeShape,
    ReceiptPassageShape,
    ReceiptSentenceShape,
    ReceiptShape,
    ReplayShape,
    SentenceChangeShape,
)
from dunegpt.serve.answer import open_searcher, unrecorded
from dunegpt.serve.asking import Choice
from dunegpt.serve.receipts import Account, Request

log = logging.getLogger(__name__)

MayOpen = Callable[[str, str], bool]
"""From the id of a document and the key of a file to whether that may be opened."""

_SCORE = 1e-4
_FACTS = ("ended", "outcome", "mode", "snapshot", "server", "model", "prompt_sha256")
_OF_THE_ANSWER = {"ended", "outcome", "mode"}
Key = tuple[str, str, str, int]
"""Document, file, hash of the text, and which of several equal ones."""


def replay(
    receipt: ReceiptShape, settings: Settings, *, as_then: bool = False
) -> ReplayShape:
    """Return what has changed since an answer was given.

    Args:
        receipt: Whoever sees the result holds all of its principals.
        settings: Of now.
        as_then: Ask the receipt's snapshot, not the current one.

    Raises:
        StorageError: That snapshot is not kept any more.
        UsageError: The question cannot be asked any more: a source in it is gone.
    """
    snapshot = _kept_snapshot(receipt, settings) if as_then else CURRENT
    account = Account(_request(receipt), settings)
    for _ in account.seeing(unrecorded(account, snapshot=snapshot)):
        pass
    now = _as_typed(account.receipt(), receipt)
    shown = {(passage.document, passage.file) for passage in now.passages}
    with closing(_Opening(settings, snapshot, account.request)) as opening:
        then = redacted(
            receipt,
            lambda *file: file in shown or opening.may_open(*file),
            now,
        )
    return compared(then, now, as_then=as_then)


def _as_typed(now: ReceiptShape, receipt: ReceiptShape) -> ReceiptShape:
    """Return what is told of asking again: the question as its reader typed it.

    What a follow-up was made to may name documents of answers before it.
    """
    typed = {"question": receipt.question, "standing": ""}
    is_follow_up = receipt.standing not in {"", receipt.question}
    return now.model_copy(update=typed | ({"asked": ""} if is_follow_up else {}))


def _kept_snapshot(receipt: ReceiptShape, settings: Settings) -> str:
    name = receipt.snapshot
    if not name or not (settings.data / "snapshots" / name).is_dir():
        raise StorageError(
            f"The snapshot {name or 'of this answer'} is not kept any more.",
            hint="Leave out --as-then to ask the current one.",
        )
    return name


def _request(receipt: ReceiptShape) -> Request:
    given = receipt.filters
    filters = Filters(
        sources=tuple(given.sources),
        since=given.since,
        until=given.until,
        author=given.author,
        kinds=tuple(given.kinds),
        statuses=tuple(given.statuses),
        documents=tuple(given.documents),
    )
    reader = frozenset(receipt.principals)
    return Request(
        receipt.standing or receipt.question,
        reader,
        filters,
        receipt.k,
        receipt.use_model,
        choice=Choice(tuple(receipt.without), receipt.as_asked, receipt.at.date()),
    )


class _Opening:
    """What a reader may open by now; nothing if there is no index."""

    def __init__(self, settings: Settings, snapshot: str, request: Request) -> None:
        self._reader = request.reader
        self.may_open = cache(self._may_open)
        self._searcher: Searcher | None = None
        try:
            self._searcher = open_searcher(settings, snapshot)
        except (IndexMissingError, IndexBrokenError, IndexMismatchError) as error:
            log.info("nothing of the receipt is shown: %s", error)

    def _may_open(self, document_id: str, key: str) -> bool:
        if self._searcher is None:
            return False
        found = self._searcher.find(document_id, self._reader)
        return any(
            file.key == key
            for document, _ in found
            if document.id == document_id
            for file in document.files
        )

    def close(self) -> None:
        """Release the snapshot."""
        if self._searcher:
            self._searcher.close()


# ── what may be told of a receipt ─────────────────────────────────────────────────────


def redacted(
    receipt: ReceiptShape, may_open: MayOpen, now: ReceiptShape
) -> ReceiptShape:
    """Return a receipt without what may not be opened any more, nor what rests on it.

    A sentence goes with any passage that it cites; one that nothing backs goes with any
    passage at all, since the model had them all before it. Notices name documents, and
    what was searched, or a follow-up was made to, may, so they go. What the answer of
    now says anyway stays.
    """
    closed = {
        passage.number
        for passage in receipt.passages
        if not may_open(passage.document, passage.file)
    }
    told = {sentence.text for sentence in now.sentences}

    def is_withheld(sentence: ReceiptSentenceShape) -> bool:
        backed = sentence.supported and bool(sentence.citations)
        rests_on = closed & set(sentence.citations) if backed else closed
        return bool(rests_on) and sentence.text not in told

    return receipt.model_copy(
        update={
            "notices": [],
            "standing": "",
            "asked": receipt.asked if receipt.asked == now.asked else "",
            "passages": [
                ReceiptPassageShape(number=passage.number)
                if passage.number in closed
                else passage
                for passage in receipt.passages
            ],
            "sentences": [
                ReceiptSentenceShape(
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


# ── comparing ─────────────────────────────────────────────────────────────────────────


def compared(
    then: ReceiptShape, now: ReceiptShape, *, as_then: bool = False
) -> ReplayShape:
    """Return what differs between two receipts; times and notices are not compared.

    Args:
        then: Without what may not be told.
        now: Of the same question.
        as_then: Which snapshot was asked, for the record.
    """
    changes = list(_changes(then, now))
    passages = list(_passages(then, now))
    sentences = list(_sentences(then, now))
    of_the_answer = [change for change in changes if change.what in _OF_THE_ANSWER]
    return ReplayShape(
        id=then.id,
        same=not (changes or passages or sentences),
        same_answer=not (of_the_answer or sentences),
        as_then=as_then,
        changes=changes,
        passages=passages,
        sentences=sentences,
        then=then,
        now=now,
    )


def _changes(then: ReceiptShape, now: ReceiptShape) -> Iterator[ChangeShape]:
    for name in _FACTS:
        was, is_now = getattr(then, name), getattr(now, name)
        if was != is_now:
            yield ChangeShape(what=name, then=was, now=is_now)
    for name in sorted(then.settings.keys() | now.settings.keys()):
        was, is_now = then.settings.get(name), now.settings.get(name)
        if was != is_now:
            yield ChangeShape(what=f"settings {name}", then=was, now=is_now)


def _keys(receipt: ReceiptShape) -> dict[Key, ReceiptPassageShape]:
    """Return the passages that may be told of, by what they are."""
    found: dict[Key, ReceiptPassageShape] = {}
    seen: Counter[tuple[str, str, str]] = Counter()
    for passage in receipt.passages:
        if passage.document:
            own = (passage.document, passage.file, passage.sha256)
            found[*own, seen[own]] = passage
            seen[own] += 1
    return found


def _passages(then: ReceiptShape, now: ReceiptShape) -> Iterator[PassageChangeShape]:
    for passage in then.passages:
        if not passage.document:
            yield PassageChangeShape(change="closed", then=passage.number, now=None)
    before, after = _keys(then), _keys(now)
    for key in dict.fromkeys([*before, *after]):
        was, is_now = before.get(key), after.get(key)
        change = _change(was, is_now)
        either = is_now or was
        if not change or either is None:
            continue
        yield PassageChangeShape(
            change=change,
            then=was.number if was else None,
            now=is_now.number if is_now else None,
            document=either.document,
            file=either.file,
            page=either.first_page,
            score_then=was.score if was else None,
            score_now=is_now.score if is_now else None,
        )


def _change(was: ReceiptPassageShape | None, now: ReceiptPassageShape | None) -> str:
    """Return in a word what became of a passage; empty if nothing."""
    if was is None or now is None:
        return "gone" if was else "new"
    if was.number != now.number:
        return "moved"
    return "scored" if abs(was.score - now.score) > _SCORE else ""


def _sentences(then: ReceiptShape, now: ReceiptShape) -> Iterator[SentenceChangeShape]:
    after = {sentence.text: sentence for sentence in now.sentences}
    before = {s.text: s for s in then.sentences if not s.withheld}
    for sentence in then.sentences:
        if sentence.withheld:
            yield SentenceChangeShape(change="withheld", text="")
    for text in dict.fromkeys([*before, *after]):
        was, is_now = before.get(text), after.get(text)
        change = "gone" if is_now is None else "new"
        if was and is_now:
            if _verdict(was) != _verdict(is_now):
                change = "verdict"
            elif _cited(was, then) != _cited(is_now, now):
                change = "citations"
            else:
                continue
        yield SentenceChangeShape(
            change=change,
            text=text,
            then=_verdict(was) if was else "",
            now=_verdict(is_now) if is_now else "",
        )


def _verdict(sentence: ReceiptSentenceShape) -> str:
    return "supported" if sentence.supported else sentence.reason


def _cited(sentence: ReceiptSentenceShape, receipt: ReceiptShape) -> set[Key | None]:
    """Return the passages that a sentence cites; None for one that is closed."""
    keys = {passage.number: key for key, passage in _keys(receipt).items()}
    return {keys.get(number) for number in sentence.citations}
