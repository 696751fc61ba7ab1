"""The one sentence splitter, with the rules of each of its three uses.

Passages are cut where nothing may be lost and content ids must stay the same; quotes
are sentences, list items and table rows that can stand alone; a model's answer comes in
pieces and has citation marks behind its sentences. The rules differ, the splitting does
not.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from dunegpt.text.patterns import compile_re

MAX_QUOTE = 400
"""Longer quotes are cut at the ends of lines; long lines, between clauses or words."""
_WINDOW = 12
"""Characters before a boundary that an abbreviation is looked for in."""


@dataclass(frozen=True, slots=True)
class SentenceRules:
    """What ends a sentence.

    Attributes:
        boundary: Matches between two sentences. Its group ``kept`` is what still
            belongs to the first one: a closing quotation mark, citation marks.
        abbreviation: Matches the end of a text whose last full stop ends no sentence.
        joins_paragraphs: Whether an abbreviation also joins over an empty line.
        has_marks: Whether ``kept`` are citation marks: behind them a sentence has
            ended, whatever stands before.
        joint: Matches across a full stop that ends no sentence for what follows it:
            ``12. März``, ``bldg. 40``. None if only what stands before counts.
    """

    boundary: re.Pattern[str]
    abbreviation: re.Pattern[str]
    joins_paragraphs: bool = False
    has_marks: bool = False
    joint: re.Pattern[str] | None = None

    def find_spans(self, text: str) -> Iterator[tuple[int, int, int]]:
        """Yield start and end of each sentence but the last, and the next one's start.

        >>> list(PASSAGE_RULES.find_spans("See Fig. 3. It is cold. Very"))
        [(0, 11, 12), (12, 23, 24)]
        """
        start = 0
        for match in self.boundary.finditer(text):
            if self._is_end(text, start, match):
                yield start, max(match.start(), match.end("kept")), match.end()
                start = match.end()

    def _is_end(self, text: str, start: int, match: re.Match[str]) -> bool:
        """Return whether a sentence ends at a boundary, not just an abbreviation."""
        if match["kept"] and self.has_marks:
            return True
        if match[0].count("\n") > 1 and not self.joins_paragraphs:
            return True
        window = max(start, match.start() - _WINDOW)
        if self.abbreviation.search(text, window, match.start()):
            return False
        if self.joint is None:
            return True
        joints = self.joint.finditer(text, window, match.end() + _WINDOW)
        return not any(j.start() < match.start() < j.end() for j in joints)


_ABBREVIATION = (
    r"(?:\b(?:e\.g|i\.e|cf|Figs?|Eqs?|Refs?|Sec|Tab|vs|Dr|Prof|[Nn]o|approx|ca|et al)"
    r"|(?<!\d\s)(?<!\d)\b[A-Z])\."
)

_GERMAN_MONTH = (
    r"(?:Jan(?:uar)?|Feb(?:ruar)?|März?|Apr(?:il)?|Mai|Juni?|Juli?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Okt(?:ober)?|Nov(?:ember)?|Dez(?:ember)?)"
)
_JOINT = compile_re(
    r"(?:\A|(?<=\n\n))(?:Fig(?:ure|\.)|FIG(?:URE|\.)|T(?:able|ABLE|ab\.))\s?[\w.-]{1,6}\.\s+\S"
    r"|\b(?:[Nn]r|[Bb]ldg|[Vv]ols?|[Cc]h|[Pp]p?|[Aa]rt|[Aa]bb|[Tt]el|[Ee]xt|[Rr]ms?|[Rr]ev"
    r"|[Vv]er|[Ff]igs?|[Ee]qs?|[Rr]efs?|[Ss]ecs?|[Tt]abs?|[Pp]ara|[Kk]ap|Bd|Jan|Feb|Mar"
    r"|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.\s+\d"
    rf"|(?<![\w.,])\d{{1,2}}\.\s+{_GERMAN_MONTH}\b"
    r"|\b(?i:am|der|dem|den|des|die|das|vom|zum|zur|im|beim|bis|seit|ab|jede[rmns]?)\s+"
    r"\d{1,2}\.\s+[A-ZÄÖÜ]"
    r"|\b(?:bzw|inkl|exkl|z\.\s?B|d\.\s?h|u\.\s?a|evtl|ggf|Hr|Fr|Dipl|Ing|Mrs?|Ms|St)"
    r"\.\s+\w"
    r"|\bFIGS?\.\s+\d"
)
"""Full stops of abbreviations before numbers, of German ordinals, and of captions."""

PASSAGE_RULES = SentenceRules(
    boundary=compile_re(r"(?P<kept>)(?:\n{2,}|(?<=[.!?])\s+(?=[A-Z0-9À-ÞΑ-Ω(\[“\"]))"),
    abbreviation=compile_re(
        r"(?:\b(?:[A-Z]|Figs?|Eqs?|Secs?|Refs?|Tabs?|Nos?|Vol|vs|cf|al|etc|approx|ca"
        r"|resp|Dr|Prof|Mr|Ms|St|e\.g|i\.e))\.$"
    ),
)
"""Of passages. A change needs another ``VERSION`` in ``ingest/split.py``: it changes
passages, and with them content ids."""

QUOTE_RULES = SentenceRules(
    boundary=compile_re(
        r"(?<=[.!?])(?P<kept>[\"')\]]?)\s+(?=[A-ZÀ-ÞΑ-Ω0-9(\[*\-])"
        r"|\n{2,}|\n(?=\s*(?:[-*•]|\d+[.)])\s)"
    ),
    abbreviation=compile_re(_ABBREVIATION + "$"),
    joint=_JOINT,
)
"""Of quotes: a list item begins one, too."""

_ANSWER_MARK = (
    r"(?:\[[^\[\]\n]{0,12}\d[\d,;\s\u2013-]*\]|\u3010[^\u3011\n]{1,40}\u3011"
    r"|\(\d{1,2}(?:,\s?\d{1,2})*\)(?=\s|$))"
)
"""Of a citation, as models write them; see ``dunegpt/serve/verify/marks.py``."""

ANSWER_RULES = SentenceRules(
    boundary=compile_re(
        rf"(?<=[.!?])(?P<kept>(?:\s*{_ANSWER_MARK})*)\s+(?=[^\s\[\u3010])"
        r"(?!\(\d{0,2}(?:$|\)(?:\s|$)))"
        r"|\n\n+|\n(?=[^\sa-z])"
    ),
    abbreviation=compile_re(_ABBREVIATION + r"\s*$"),
    joins_paragraphs=True,
    has_marks=True,
    joint=_JOINT,
)
"""Of what a model writes: each new line may begin a sentence."""
_CLAUSE_END = compile_re(r"[;:.,](?=\s)")
_ROWS = compile_re(r"\|[^\n]*\n[^\n]*\|")
"""Rows of a table: each stands for itself."""


def split_passage(text: str) -> Iterator[str]:
    """Yield the sentences and paragraphs of a text; joined they are the text again."""
    start = 0
    for _, _, following in PASSAGE_RULES.find_spans(text):
        yield text[start:following]
        start = following
    if start < len(text):
        yield text[start:]


def split_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a passage, verbatim, without white space around them.

    A sentence here is what can stand alone as a quote: a sentence, an item of a list, a
    row of a table.
    """
    start = 0
    for _, end, following in QUOTE_RULES.find_spans(text):
        yield from _split_long(text[start:end])
        start = following
    yield from _split_long(text[start:])


def split_stream(pieces: Iterator[str], *, ticks: bool = False) -> Iterator[str]:
    """Yield whole sentences of an answer, each as soon as its end has come.

    Args:
        pieces: Of the answer's text, in order.
        ticks: Also yield an empty text after each piece.
    """
    text = ""
    for piece in pieces:
        text += piece
        text = yield from _take_complete(text)
        if ticks:
            yield ""
    yield from filter(None, [text.strip()])


def _take_complete(text: str) -> Generator[str, None, str]:
    """Yield the sentences that a text holds whole; return the rest of it."""
    start = 0
    for _, end, following in ANSWER_RULES.find_spans(text):
        yield from filter(None, [text[start:end].strip()])
        start = following
    return text[start:]


def _split_long(sentence: str) -> Iterator[str]:
    """Yield a sentence, line by line if it is a table or too long to be a quote."""
    sentence = sentence.strip()
    if len(sentence) <= MAX_QUOTE and not _ROWS.search(sentence):
        parts = [sentence]
    else:
        parts = [part for line in sentence.split("\n") for part in _wrap(line.strip())]
    yield from (part for part in parts if part)


def _wrap(line: str) -> Iterator[str]:
    """Yield a line in pieces of at most `MAX_QUOTE` characters, cut between clauses.

    Where there is no clause they are cut between words, and a longer word as it comes.
    """
    while len(line) > MAX_QUOTE:
        ends = [m.end() for m in _CLAUSE_END.finditer(line, 0, MAX_QUOTE)]
        good = [end for end in ends if end > MAX_QUOTE / 2]
        end = good[-1] if good else line.rfind(" ", 0, MAX_QUOTE) + 1 or MAX_QUOTE
        yield line[:end].rstrip()
        line = line[end:].lstrip()
    yield line
