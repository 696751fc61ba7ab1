"""Extracts what a text claims: values of named kinds, and what they are values of.

A claim is an amount, a pole of an axis (see `opposites`), a name, a share of all (most,
none), a period (per hour). Its owner is the words around it, weighted by how near they
stand: within a clause, up to the next one. A row of a table claims of its first cell
and of the head of the column. Knows words, not grammar.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from dunegpt.serve.verify.opposites import get_poles
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import Quantity, find_quantities, get_dimension

_WORD = compile_re(r"[^\W_]+(?:[-./:_'\u2019][^\W_]+)*")
_CLAUSE_END = compile_re(
    r"[;:()\u2014]|,\s|\s(?:while|whereas|but|because|although|though|which|whose|and"
    r"|so that|then)\s",
    re.I,
)
_NEGATOR = compile_re(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|nobody|nothing|hardly|un(?:able)"
    r"|lacks?|lacking|fail(?:s|ed)?\s+to)\b|n[\u2019']t\b",
    re.I,
)
_ITEM = compile_re(r"\s*(?:[-*\u2022]\s*)?[^\W\d][^:.;,|]{1,40}:\s(?=\S)")
"""The label of an item of a list: ``- Run control: ...``"""
_NEGATION_REACH = 4
"""Words that a negator denies behind it."""
_CLAUSE_FACTOR = 0.35
"""What a word counts for less for each clause that lies between."""
_DISTANCE = 6.0
_SCOPES = {
    "all": "all each every always entire entirely whole everybody everyone"
    " throughout everywhere completely fully",
    "most": "most mostly majority",
    "some": "some several partly partially few sometimes",
    "none": "none neither nobody never nowhere",
}
_SCOPE_OF = {word: scope for scope, words in _SCOPES.items() for word in words.split()}
_PERIOD = compile_re(
    r"\b(?:per|an?|each|every)\s(?P<unit>second|minute|hour|day|week|month|year)\b"
    r"|/(?P<short>s|min|h|d|yr)\b|\b(?P<adverb>hourly|daily|weekly|monthly|yearly"
    r"|annually)\b",
    re.I,
)
_PERIOD_NAMES = {
    "s": "second", "min": "minute", "h": "hour", "d": "day", "yr": "year",
    "hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month",
    "yearly": "year", "annually": "year",
}  # fmt: skip
_SWITCH = compile_re(
    r"\b(?:(?:switch|turn|power)(?:ed|ing|es|s)?|is|was|are|were|stays?|stayed"
    r"|remain(?:s|ed)?|be|been|kept)\s(?:still\s|now\s)?(?P<state>on|off)"
    r"(?=\s*(?:[.,;)|]|$|and\b|or\b|again\b|at\b|when\b|until\b))"
    r"|(?:^|\|)[^|]*\s(?P<last>on|off)(?=\s*(?:again\s*)?(?:\||$))",
    re.I,
)


_NAME = compile_re(
    r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w-]+(?:\s(?:[A-Z]\.\s)?[A-Z][\w-]+)*|\b[A-Z]{2}[\w-]*\b"
    r"|^[A-Z][a-z]+(?:\s[A-Z][a-z]+)*(?=\s)"
)
"""Names; at the start of a sentence any word looks like one."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its stem, where it begins, and in which clause."""

    stem: str
    start: int
    clause: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A value that a text gives.

    Attributes:
        kind: Claims of one kind can be at odds: ``axis 3``, ``scope``, a dimension.
        value: A pole, or a `Quantity`.
        text: As it stands there.
        owner: Stems around it, with weights from 0 to 1.
        beside: The stems right before and behind it.
        clause: The stems of its clause, or row.
        label: The stems of the first cell of its row, or of what a colon ends.
        column: The stems of the head of its column.
    """

    kind: str
    value: object
    text: str
    owner: Mapping[str, float] = field(hash=False, compare=False)
    beside: frozenset[str] = frozenset()
    clause: frozenset[str] = frozenset()
    label: frozenset[str] = frozenset()
    column: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClaimedText:
    """A sentence, or a row of a table, with what it claims."""

    text: str
    words: tuple[Word, ...]
    claims: tuple[Claim, ...]
    stems: frozenset[str]


@lru_cache(maxsize=8192)
def read_claims(text: str, head: str = "") -> ClaimedText:
    """Return what a sentence claims.

    Args:
        text: The sentence, or a row of a table.
        head: The head of its table, if it is a row.
    """
    words = tuple(_find_words(text))
    stems = frozenset(word.stem for word in words)
    if text.lstrip().startswith("|"):
        claims = tuple(_read_row(text, head))
    else:
        claims = tuple(_read_sentence(text, words))
    return ClaimedText(text, words, claims, stems)


def _find_words(text: str) -> Iterator[Word]:
    ends = [match.start() for match in _CLAUSE_END.finditer(text)]
    for match in _WORD.finditer(text):
        clause = sum(end < match.start() for end in ends)
        for stem in _find_stems(match[0], is_first=match.start() == 0):
            yield Word(stem, match.start(), clause)


def _find_stems(word: str, *, is_first: bool = False) -> list[str]:
    """Return the stems of a word; a single capital is a name, but for an article."""
    is_label = len(word) == 1 and word.isupper() and not (is_first and word in "AI")
    return [word] if is_label else tokenize(word)


def _read_sentence(text: str, words: Sequence[Word]) -> Iterator[Claim]:
    item = _ITEM.match(text)
    end = item.end() if item else 0
    label = frozenset(word.stem for word in words if word.start < end)
    for kind, value, place, shown in _find_values(text, words):
        owner = _weigh_owner(words, place, len(shown), text)
        before = [w.stem for w in words if w.start < place][-1:]
        behind = [w.stem for w in words if w.start >= place + len(shown)][:2]
        number = next((w.clause for w in words if w.start >= place), -1)
        clause = frozenset(w.stem for w in words if w.clause == number)
        own = label if place >= end else frozenset()
        yield Claim(kind, value, shown, owner, frozenset(before + behind), clause, own)


def _read_row(text: str, head: str) -> Iterator[Claim]:
    """Yield the claims of a row: of its first cell, and of the head of each column."""
    cells = _split_row(text)
    heads = _split_row(head)
    label = dict.fromkeys(
        _find_stems(cells[0]) if len(cells[0]) == 1 else tokenize(cells[0]), 1.0
    )
    rest = dict.fromkeys(tokenize(text), 0.3)
    for number, cell in enumerate(cells):
        column = tokenize(heads[number]) if number < len(heads) else []
        own = dict.fromkeys(tokenize(cell), 1.0)
        owner = rest | own | label | dict.fromkeys(column, 1.0)
        words = tuple(_find_words(cell))
        for kind, value, _, found in _find_values(cell, words):
            beside = frozenset([*column, *own, *label])
            clause = beside | rest.keys()
            own_label = frozenset(label) if number else frozenset()
            yield Claim(
                kind, value, found, owner, beside, clause, own_label, frozenset(column)
            )


def expand_row(row: str, head: str) -> str:
    """Return a row of a table with the units that the head gives for its columns.

    >>> expand_row("| A | 32 |", "| Wire | Load [N] |")
    '| A | 32 N |'
    """
    heads = _split_row(head)
    cells = _split_row(row)
    for number, cell in enumerate(cells):
        unit = re.search(r"[\[(]([^\])]+)[\])]", "".join(heads[number : number + 1]))
        if unit and re.fullmatch(r"[-\u2212+]?[\d.,]+(?:e-?\d+)?", cell):
            cells[number] = f"{cell} {unit[1]}"
    return f"| {' | '.join(cells)} |"


def _split_row(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _find_values(
    text: str, words: Sequence[Word]
) -> Iterator[tuple[str, object, int, str]]:
    """Yield kind and value of each claim, where it begins, and how it is written."""
    for quantity in find_quantities(text):
        yield _get_kind(quantity), quantity, quantity.start, quantity.text
    negators = [match.start() for match in _NEGATOR.finditer(text)]
    starts = sorted({word.start for word in words})
    for word in words:
        if text.count("`", 0, word.start) % 2:
            continue  # code
        match = _WORD.match(text, word.start)
        shown = match[0] if match else word.stem
        for axis, pole in get_poles().get(word.stem, ()):
            denied = _is_denied(word, negators, starts, text)
            yield f"axis {axis}", (pole, denied), word.start, shown
    for match in _WORD.finditer(text):
        if scope := _SCOPE_OF.get(match[0].casefold()):
            yield "scope", scope, match.start(), match[0]
    for match in _NAME.finditer(text):
        yield "name", frozenset(tokenize(match[0])), match.start(), match[0]
    for match in _PERIOD.finditer(text):
        name = next(filter(None, match.groups())).casefold()
        yield "period", _PERIOD_NAMES.get(name, name), match.start(), match[0]
    for match in _SWITCH.finditer(text):
        state = (match["state"] or match["last"]).casefold()
        denied = any(match.start() - 8 < n <= match.end() for n in negators)
        place = match.start("state") if match["state"] else match.start("last")
        yield "switch", ("on", "off").index(state) ^ denied, place, state


def _get_kind(quantity: Quantity) -> str:
    return get_dimension(quantity) or "number"


def _is_denied(
    word: Word, negators: Sequence[int], starts: Sequence[int], text: str
) -> bool:
    """Return whether a negator stands shortly before a word, in its clause."""
    for place in negators:
        if place < word.start:
            between = [start for start in starts if place < start < word.start]
            gap = text[place : word.start]
            if len(between) <= _NEGATION_REACH and not _CLAUSE_END.search(gap):
                return True
    return False


def _weigh_owner(
    words: Sequence[Word], place: int, length: int, text: str
) -> dict[str, float]:
    """Return the stems of a sentence, each with how near it stands to a place."""
    before = [word for word in words if word.start < place]
    here = sum(match.start() < place for match in _CLAUSE_END.finditer(text))
    weights: dict[str, float] = {}
    for index, word in enumerate(words):
        if place <= word.start < place + length:
            continue
        gap = abs(index - len(before)) + (word.start < place)
        nearness = 1 / (1 + gap / _DISTANCE)
        weight = nearness * _CLAUSE_FACTOR ** abs(word.clause - here)
        weights[word.stem] = max(weight, weights.get(word.stem, 0))
    return weights
