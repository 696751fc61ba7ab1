"""Removes the words of a question that only ask, and keeps its content.

``whats``, ``could you tell me ... please`` and ``explain`` say how somebody asks, not
what for; ``Wann wurde`` is ``When was``. Searched for and scored is what is left, so
that no doubt is ever about such a word. Shown is the question as it was asked. Knows no
documents.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re

_AT_PRESENT = "(?:exact|actual|present|current|latest|newest|most recent)"
_OF_AMPERES = (
    r"(?:of|in|at|through|is|was|for|from|to|per|and|or|that|which|when|limits?|source"
    r"|supply|draw|flow|leak\w*|density|monitor|meter|trip|range|step|signal|pulse|noise"
    r"|reading|rise|drop|transformer|sensor|clamp|loop|return)\b"
)
"""After ``the current``: then it is one in amperes, and no word for now."""
_CHAT = tuple(
    (compile_re(pattern, re.IGNORECASE), plain)
    for pattern, plain in (
        (r"\b(what|who|where|when|how)[\u2019']?s\b(?!\s+(?:up|at)\b)", r"\1 is"),
        (r"\bhow come\b|\bfor (?:what|which) reasons?\b", "why"),
        (r"\bwhat (?:caused|made)\b", "why"),
        (
            r"\bwhat (?:is|was|were|are) the (?:reasons?|causes?) (?:for|of|why)\b",
            "why",
        ),
        (
            r"\b(do|does|did|is|was|are|were|has|have|should|would)n[\u2019']?t\b",
            r"\1 not",
        ),
        (r"(?<=[A-Za-z0-9])[\u2019']s\b", ""),
        (rf"\bthe (?:{_AT_PRESENT} )?(?:value|figure) (?:of|for)\b", ""),
        (r"\b(?:latest|newest|most recent|currently|nowadays|right now)\b", " "),
        (rf"(?<=\bthe )current(?= (?!{_OF_AMPERES})[a-z])", " "),
        (r"\b(?:i\.\s?e|e\.\s?g)\.,?", " "),
        (
            r"\b(?:pls|plz|please|kindly|thx|thanks(?: a lot)?|thank you|btw|asap)\b",
            " ",
        ),
        (r"^\W*(?:hi|hello|hey|dear all|good (?:morning|evening))\b[\s,!.]*", ""),
    )
)
_TELL = (
    r"(?:(?:tell|explain to|show|remind|give|inform) (?:me|us)"
    r"|tell|explain|say|look up|find out|check|describe|specify|define|outline)"
)
_POLITE = compile_re(
    r"^\W*(?:(?:so|and|ok|okay|well)\b[\s,]*)?(?:"
    r"(?:can|could|would|will) (?:you|u|somebody|someone|anybody|anyone)"
    rf"(?: (?:please|quickly|maybe|be so kind (?:as )?to))*\s+{_TELL}"
    r"|(?:i|we)(?:[\u2019']d| would|d)? (?:like|love|want|need|wish) (?:to|2)"
    r" (?:know|learn|understand|find out|see|hear)"
    r"|(?:i|we)(?: am|[\u2019']m| are|[\u2019']re|m)?"
    r" (?:wondering|wonder|looking for|interested in|curious)"
    r"|(?:do|does) (?:you|anyone|anybody|someone|somebody) know|any idea"
    rf"|any(?:one|body) knows?|i forgot|{_TELL})\b"
    r"[\s,:]*(?:about\b)?[\s,:]*(?:(?:if|whether)\b)?",
    re.IGNORECASE,
)
_TYPED = compile_re(r"(?<!\S)\w+:(?:\"[^\"]*\"|\S+)|\"[^\"]*\"|“[^”]*”|`[^`]*`")
"""Typed filters and quotations, which stay as they are."""
_PUT_BY = compile_re("\0(\\d+)\0")
_WORD = compile_re(r"[^\W\d_]+")
_MIN_FUNCTION_WORDS = 3
"""In a question that does not begin with a question word of its language."""


@dataclass(frozen=True, slots=True)
class _Language:
    """What a question of another language is recognised by.

    Attributes:
        questions: Patterns of question words at the beginning, each with English words.
        words: Its function words, in lower case.
    """

    questions: tuple[tuple[re.Pattern[str], str], ...]
    words: frozenset[str]

    def translate(self, text: str) -> str | None:
        """Return a question without function words, or None if it is of another."""
        begun = text
        for pattern, english in self.questions:
            begun, count = pattern.subn(english, text, count=1)
            if count:
                break
        least = 1 if begun != text else _MIN_FUNCTION_WORDS
        if sum(word in self.words for word in _WORD.findall(text.casefold())) < least:
            return None
        return _WORD.sub(lambda m: "" if m[0].casefold() in self.words else m[0], begun)


def find_content(question: str) -> str:
    """Return a question without the words that only ask; whole if nothing is left.

    >>> find_content("could you tell me what the dead time is pls")
    'what the dead time is'
    >>> find_content("Wann wurde der Deckel geliefert?")
    'when was Deckel geliefert?'
    """
    kept: list[str] = []

    def put_by(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\0{len(kept) - 1}\0"

    text = _TYPED.sub(put_by, question)
    for pattern, plain in _CHAT:
        text = pattern.sub(plain, text)
    text = _POLITE.sub("", " ".join(text.split()), count=1)
    translations = (language.translate(text) for language in _read_languages())
    text = next((each for each in translations if each is not None), text)
    text = " ".join(_PUT_BY.sub(lambda match: kept[int(match[1])], text).split())
    return text if tokenize(text) else question


@cache
def _read_languages() -> tuple[_Language, ...]:
    """Return the languages of ``languages.toml``."""
    file = resources.files("dunegpt.serve.question").joinpath("languages.toml")

    def compile_questions(
        pairs: list[list[str]],
    ) -> Iterator[tuple[re.Pattern[str], str]]:
        for pattern, english in pairs:
            yield re.compile(rf"^\W*(?:{pattern})(?!\w)", re.IGNORECASE), english

    return tuple(
        _Language(
            tuple(compile_questions(table["questions"])),
            frozenset(table["words"].split()),
        )
        for table in tomllib.loads(file.read_text("utf-8")).values()
    )
