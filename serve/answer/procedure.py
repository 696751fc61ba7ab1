"""Answers with the whole numbered list of a procedure, word for word."""

import re
from collections.abc import Sequence

from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.listing import introduce_document
from dunegpt.serve.answer.sections import Block, make_readable, split_blocks
from dunegpt.serve.answer.statements import Statement
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.variants import find_alternatives, has_word
from dunegpt.types import Hit

_HITS = 12
_MAX_DOCUMENTS = 4
_MIN_STEPS = 2
_MIN_SHARE = 0.6
"""Least share of the question's words, by weight, that the list has with its titles."""
_MIN_TITLE_SHARE = 0.45
"""... and that the titles alone have."""
_MAX_BEFORE = 14
_ASKS = compile_re(
    r"^\W*(?:how\s+(?:do|does|can|could|should|would|must|shall)\s+(?:i|we|you|one"
    r"|people"
    r"|anybody|somebody|the \w+)\s+(?P<a>.+)"
    r"|how\s+to\s+(?P<b>.+)"
    r"|how\s+(?:is|are|must|should|shall|can|does)\s+(?P<c>.+)"
    r"|(?:(?:what\s+(?:is|are)|which\s+are|give\s+me|show\s+me|list"
    r"|tell\s+me)\s+)?(?:the\s+)?"
    r"(?:whole\s+|full\s+|complete\s+)?(?:steps?|instructions?|procedures?"
    r"|recipe)\s+(?:for|to"
    r"|of|in|after|when|on|that)\s+(?P<d>.+)"
    r"|(?:walk|guide|talk|take)\s+(?:me|us)\s+through\s+(?P<e>.+)"
    r"|what\s+(?:do|should|must)\s+(?:i|we|you|one)\s+do\s+(?P<f>(?:to|when|if"
    r"|after|for).+))$",
    re.IGNORECASE,
)
_NO_CONTENT = frozenset(
    tokenize("procedure steps instructions perform carry exactly properly")
)


def answer_procedure(question: str, index: ReaderIndex) -> list[Statement]:
    """Return the steps that a question asks for, in order; nothing if there are none.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    match = _ASKS.match(" ".join(question.split()).strip(" ?.!"))
    if not match:
        return []
    subject = next(filter(None, match.groups()))
    weights = {
        word: weight
        for word, weight in index.get_word_weights(subject).items()
        if word not in _NO_CONTENT
    }
    if not weights:
        return []
    measure = _Measure(subject, weights)
    best: tuple[float, list[Block]] | None = None
    for document_id in _list_candidates(subject, index):
        blocks = split_blocks(index.read_passages(document_id))
        for steps in _split_lists(blocks):
            titles = _get_titles(steps)
            share = measure(f"{titles} {' '.join(block.text for block in steps)}")
            in_title = measure(titles)
            if share < _MIN_SHARE or in_title < _MIN_TITLE_SHARE:
                continue
            if best is None or in_title > best[0]:
                best = in_title, steps
    return _tell(best[1]) if best else []


class _Measure:
    """Tells the share of the words of a question that a text has, by weight."""

    def __init__(self, subject: str, weights: dict[str, float]) -> None:
        self._weights = weights
        self._alternatives = find_alternatives(subject)

    def __call__(self, text: str) -> float:
        present = set(tokenize(text))
        own = (
            weight
            for word, weight in self._weights.items()
            if has_word(word, present, self._alternatives)
        )
        return sum(own) / sum(self._weights.values())


def _list_candidates(subject: str, index: ReaderIndex) -> list[str]:
    hits = index.search(subject, k=_HITS).hits
    found = dict.fromkeys(hit.document.id for hit in hits if not hit.superseded_by)
    return list(found)[:_MAX_DOCUMENTS]


def _split_lists(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return the numbered lists of a document, each with what stands before step 1."""
    lists: list[list[Block]] = []
    current: list[Block] = []
    last = 0
    for block in blocks:
        if block.number == last + 1 or (block.number and block.number == 1):
            if block.number == 1 and last:
                lists.append(current)
                current = []
            last = block.number
        elif last and not block.number and not block.is_heading:
            current.append(block)
            continue
        current.append(block)
    lists.append(current)
    return [_trim(own) for own in lists if sum(b.number > 0 for b in own) >= _MIN_STEPS]


def _trim(blocks: list[Block]) -> list[Block]:
    """Return a list without what follows its last step under other headings."""
    numbers = [place for place, block in enumerate(blocks) if block.number]
    first, last = numbers[0], numbers[-1]
    return blocks[max(0, first - _MAX_BEFORE) : last + 1]


def _get_titles(steps: Sequence[Block]) -> str:
    headings = dict.fromkeys(block.heading for block in steps)
    return " ".join([steps[0].hit.document.title, *headings])


def _tell(steps: Sequence[Block]) -> list[Statement]:
    first = steps[0].hit
    statements = [Statement(introduce_document(first), ((first, ""),))]
    statements += [_make_statement(block.hit, block) for block in steps]
    return statements


def _make_statement(hit: Hit, block: Block) -> Statement:
    text = " ".join(block.text.split()) if block.number else make_readable(block.text)
    return Statement(text, ((hit, block.text),))
