"""Scores extracted text against ground truth in Markdown.

Markup is removed from both first, so that only words, their order and table rows count:
also that of raised, lowered and struck-out text, which each program writes otherwise.
Does not depend on any extractor.
"""

import html
import re
import unicodedata
from bisect import bisect_left
from dataclasses import asdict, dataclass, fields

from rapidfuzz.distance import Levenshtein

_COMMENT = re.compile(r"<!--.*?-->", re.S)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"(?m)^\s{0,3}(?:#{1,6}|>|[-*+]|\d+\.)\s+|\*\*|__|~~|```\w*|`|\|")
_RULE = re.compile(r"(?m)^\s*\|?[\s:|-]*-{2,}[\s:|-]*$")
_ESCAPE = re.compile(r"\\([\\_*#|<>\[\](){}.!+-])")
_GREEK = re.compile(r"\\([A-Za-z]+)(?![A-Za-z])")
_LEFT = re.compile(r"\\(?:left|right|displaystyle|text|mathrm)(?![A-Za-z])|\$+")
_SCRIPT = re.compile(r"[\^_](?:\{([^{}]*)\}|\(([^()]*)\)|(?=[\w+-]))")
_STRUCK = re.compile(r"\[struck out: ([^\]]*)\]")
_LONGEST = 40_000


@dataclass(frozen=True, slots=True)
class Quality:
    """Scores of a text against its ground truth.

    Attributes:
        cer: Character error rate; lower is better.
        wer: Word error rate; lower is better.
        words: F1 score of the words, in any order.
        order: Share of the words unique in both texts that are in the same order.
        cells: Share of table cells on the same line as the first cell of their row;
            None without tables.
    """

    cer: float
    wer: float
    words: float
    order: float
    cells: float | None


def quality(found: str, truth: str) -> Quality:
    """Return the scores of a text against its ground truth."""
    ours, theirs = plain(found)[:_LONGEST], plain(truth)[:_LONGEST]
    our_words, their_words = ours.split(), theirs.split()
    return Quality(
        cer=_rate(ours, theirs),
        wer=_rate(our_words, their_words),
        words=_f1(our_words, their_words),
        order=_order(our_words, their_words),
        cells=_cells(found, truth),
    )


def mean(scores: list[Quality]) -> dict[str, float]:
    """Return the mean of each score over the texts that have it."""
    means = {}
    for field in fields(Quality):
        values = [v for s in scores if (v := asdict(s)[field.name]) is not None]
        if values:
            means[field.name] = round(sum(values) / len(values), 4)
    return means


def plain(text: str) -> str:
    """Return text without Markdown markup, with single spaces."""
    text = _unmark(_RULE.sub("", _COMMENT.sub("", text)))
    text = _GREEK.sub(_greek, _LEFT.sub("", text))
    text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    text = _ESCAPE.sub(r"\1", _MARKUP.sub(" ", text))
    return " ".join(unicodedata.normalize("NFKC", html.unescape(text)).split())


def _unmark(text: str) -> str:
    """Return text with scripts on the line, and struck-out text like any other."""
    text = _STRUCK.sub(r"\1", text)
    return _SCRIPT.sub(lambda match: match[1] or match[2] or "", text)


def _greek(command: re.Match[str]) -> str:
    """Return the character of a LaTeX command, or the command itself."""
    name = f"greek small letter {command[1]}"
    try:
        return unicodedata.lookup(name)
    except KeyError:
        return {"times": "\u00d7", "pm": "±"}.get(command[1], command[0])


def _rate(found: str | list[str], truth: str | list[str]) -> float:
    return min(1.0, Levenshtein.distance(found, truth) / max(1, len(truth)))


def _f1(found: list[str], truth: list[str]) -> float:
    left = list(truth)
    common = 0
    counts: dict[str, int] = {}
    for word in left:
        counts[word] = counts.get(word, 0) + 1
    for word in found:
        if counts.get(word, 0):
            counts[word] -= 1
            common += 1
    return 2 * common / max(1, len(found) + len(truth))


def _order(found: list[str], truth: list[str]) -> float:
    """Return the share of shared words in the longest common order."""
    positions = {word: at for at, word in enumerate(found) if found.count(word) == 1}
    shared = [w for w in truth if truth.count(w) == 1 and w in positions]
    ends: list[int] = []
    for word in shared:
        at = bisect_left(ends, positions[word])
        ends[at : at + 1] = [positions[word]]
    return len(ends) / len(shared) if shared else 1.0


def _cells(found: str, truth: str) -> float | None:
    """Return the share of cells on the same line as the first cell of their row."""
    lines = [_key(line) for line in _unmark(found).split("\n")]
    hits = total = 0
    for row in re.findall(r"(?m)^\s*\|(.+)\|\s*$", truth):
        cells = [key for cell in row.split("|") if (key := _key(plain(cell)))]
        if len(cells) < 2 or _RULE.fullmatch(f"|{row}|"):
            continue
        rows = [line for line in lines if cells[0] in line]
        for cell in cells[1:]:
            total += 1
            hits += any(cell in line.replace(cells[0], "", 1) for line in rows)
    return hits / total if total else None


def _key(text: str) -> str:
    text = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    return "".join(character for character in text if character.isalnum())
