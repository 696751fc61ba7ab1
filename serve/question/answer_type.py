"""The expected answer type of a question: an amount, a price, an id, a day.

A passage that has none does not answer, however many words it shares with the
question. Only what the wording says for sure is told. Knows no index.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from dunegpt.text.english import MONTHS, WEEKDAYS
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import find_dates, find_quantities, get_dimension
from dunegpt.text.units import parse_unit


@dataclass(frozen=True, slots=True)
class AnswerType:
    """A kind of answer.

    Attributes:
        name: As a refusal says it: "a price".
        is_in: Whether a text has something of the kind.
    """

    name: str
    is_in: Callable[[str], bool]


def detect_answer_type(question: str) -> AnswerType | None:
    """Return the kind of answer that a question wants; None if its words tell none.

    >>> detect_answer_type("What price did the vendor quote?").name
    'a price'
    >>> detect_answer_type("Why was the voltage lowered?") is None
    True
    """
    for pattern, kind in _ANSWER_TYPES:
        if pattern.search(question):
            return kind
    return None


def _make_unit_test(*units: str) -> Callable[[str], bool]:
    """Return a test for an amount that has the dimension of one of some units.

    Rows of tables have it without a unit.
    """

    def is_in(text: str) -> bool:
        is_row = not text.rstrip().endswith((".", ":"))
        own = find_quantities(text)
        dimensions = {found[0] for unit in units if own and (found := parse_unit(unit))}
        return any(get_dimension(q) in dimensions if q.unit else is_row for q in own)

    return is_in


def _make_pattern_test(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda text: bool(compiled.search(text))


def _has_number(text: str) -> bool:
    return bool(find_quantities(text))


def _has_frequency(text: str) -> bool:
    return _has_number(text) or bool(_FREQUENCY.search(text))


def _has_day(text: str) -> bool:
    return bool(find_dates(text) or _YEAR.search(text) or _PARTIAL_DATE.search(text))


_FREQUENCY = compile_re(
    r"\b(?:once|twice|thrice|never|always|often|rarely|seldom|sometimes|hourly"
    r"|daily|weekly"
    r"|monthly|yearly|annually|(?:each|every|per|an?) (?:\w+ )?(?:second|minute"
    r"|hour|day|night"
    r"|shift|week|month|quarter|year|run|spill|event|fill))\b",
    re.I,
)
_PRICE = compile_re(r"[$€£]\s?\d|\b(?:USD|CHF|EUR|GBP|M\$|k\$|dollars?|euros?)\b", re.I)
_YEAR = compile_re(r"\b(?:19|20)\d\d\b|\bFY\s?\d\d\b")
_MONTH = "|".join(name.capitalize() for name in MONTHS)
_PERIOD = (
    r"weeks? \d{1,2}|KW ?\d{1,2}|Q[1-4]|spring|summer|autumn|winter|fall of"
    r"|(?:first|second|third|fourth|last|1st|2nd|3rd|4th) (?:quarter|half)|easter"
    r"|christmas|yesterday|today|tomorrow|tonight|midnight|noon"
    r"|(?:last|next|this|same|following|previous) (?:day|week|month|year|night|morning"
    r"|evening)|(?:day|week|month|year|hour)s? (?:ago|later|earlier|before|after)"
)
_PARTIAL_DATE = compile_re(
    rf"\b(?:{_MONTH}|Januar|Februar|März|Mai|Juni|Juli|Oktober|Dezember)\b"
    r"|\b\d{1,2}[:.]\d\d\s?(?:h|Uhr|UTC|[ap]\.?m)?\b"
    rf"|(?i:\b(?:{'|'.join(WEEKDAYS)}|{_PERIOD})\b)",
)
"""A time that is no full date: a month, a weekday, a season, an hour."""
_QUESTION_START = (
    r"\b(?:what|which)\b(?: (?:is|was|are|were|the|a|an|its|their|nominal|typical|total"
    r"|average|mean|maximum|minimum|highest|lowest|largest|smallest))*(?: \w+)? "
)
_QUESTION_END = (
    r"(?=\s*(?:[?.,;]|$|(?:of|at|in|on|for|during|when|where|does|do|did|is|was|are"
    r"|were"
    r"|should|must|can|to|between|across|inside|has|have|had|will|would)\b))"
)
"""What may follow: in "the voltage divider" no voltage is asked for."""


def _compile_what(words: str) -> re.Pattern[str]:
    return compile_re(rf"{_QUESTION_START}(?:{words})\b{_QUESTION_END}", re.IGNORECASE)


def _compile_how(words: str) -> re.Pattern[str]:
    return compile_re(rf"\bhow (?:{words})\b", re.IGNORECASE)


_LENGTH = AnswerType("a length", _make_unit_test("m"))
_MASS = AnswerType("a mass", _make_unit_test("kg"))
_NUMBER = AnswerType("a number", _has_number)
_ANSWER_TYPES: tuple[tuple[re.Pattern[str], AnswerType], ...] = (
    (
        compile_re(
            r"\bEDMS (?:number|id|document number)\b|\bunder which EDMS\b",
            re.IGNORECASE,
        ),
        AnswerType("an EDMS number", _make_pattern_test(r"\bEDMS\b\D{0,20}\d{5,}")),
    ),
    (
        compile_re(
            r"\b(?:DocDB|DUNE.doc) (?:number|id|entry|document number)\b", re.IGNORECASE
        ),
        AnswerType(
            "a DocDB number",
            _make_pattern_test(r"\b(?:doc-?db|dune-?doc)\b\D{0,20}\d+"),
        ),
    ),
    (
        compile_re(r"\barXiv (?:number|id|identifier)\b", re.IGNORECASE),
        AnswerType(
            "an arXiv number", _make_pattern_test(r"\d{4}\.\d{4,5}|arxiv\D{0,12}\d+")
        ),
    ),
    (
        compile_re(
            _QUESTION_START + rf"(?:price|costs?)\b{_QUESTION_END}"
            r"|\bhow much\b.*\bcosts?\b|\bhow expensive\b",
            re.IGNORECASE,
        ),
        AnswerType("a price", lambda text: bool(_PRICE.search(text))),
    ),
    (_compile_how("heavy"), _MASS),
    (_compile_what("mass|weight"), _MASS),
    (_compile_how("thick|wide|high|deep|tall|far"), _LENGTH),
    (_compile_what("temperature"), AnswerType("a temperature", _make_unit_test("K"))),
    (_compile_what("voltage"), AnswerType("a voltage", _make_unit_test("V"))),
    (
        _compile_what("drift field|electric field"),
        AnswerType("a field", _make_unit_test("V/cm")),
    ),
    (_compile_what("pressure"), AnswerType("a pressure", _make_unit_test("bar"))),
    (_compile_what("power|heat load"), AnswerType("a power", _make_unit_test("W"))),
    (
        _compile_what("frequency|sampling rate"),
        AnswerType("a frequency", _make_unit_test("Hz")),
    ),
    (
        compile_re(r"^\W*(?:when (?:did|was|were)|since when)\b", re.I),
        AnswerType("a date", _has_day),
    ),
    (_compile_how("many"), _NUMBER),
    (_compile_how("often"), AnswerType("how often", _has_frequency)),
)
