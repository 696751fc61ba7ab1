"""What kind of answer a question wants: an amount of some kind, a price, an id, a day.

A passage that has none does not answer, however many words it shares with the
question. Only what the wording says for sure is told. Knows no index.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from dunegpt.serve.quantities import dates, dimension, quantities
from dunegpt.serve.units import measure


@dataclass(frozen=True, slots=True)
class Wanted:
    """A kind of answer.

    Attributes:
        name: As a refusal says it: "a price".
        is_in: Whether a text has something of the kind.
    """

    name: str
    is_in: Callable[[str], bool]


def wanted(question: str) -> Wanted | None:
    """Return the kind of answer that a question wants; None if its words tell none.

    >>> wanted("What price did the vendor quote?").name
    'a price'
    >>> wanted("Why was the voltage lowered?") is None
    True
    """
    for pattern, kind in _KINDS:
        if pattern.search(question):
            return kind
    return None


def _in_units(*units: str) -> Callable[[str], bool]:
    """Return a test for an amount that has the dimension of one of some units.

    Rows of tables have it without a unit.
    """

    def is_in(text: str) -> bool:
        is_row = not text.rstrip().endswith((".", ":"))
        own = quantities(text)
        dimensions = {found[0] for unit in units if own and (found := measure(unit))}
        return any(dimension(q) in dimensions if q.unit else is_row for q in own)

    return is_in


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda text: bool(compiled.search(text))


def _has_number(text: str) -> bool:
    return bool(quantities(text))


def _has_day(text: str) -> bool:
    return bool(dates(text)) or bool(_YEAR.search(text))


_PRICE = re.compile(r"[$€£]\s?\d|\b(?:USD|CHF|EUR|GBP|M\$|k\$|dollars?|euros?)\b", re.I)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b|\bFY\s?\d\d\b")
_ASKS = (
    r"\b(?:what|which)\b(?: (?:is|was|are|were|the|a|an|its|their|nominal|typical|total"
    r"|average|mean|maximum|minimum|highest|lowest|largest|smallest))*(?: \w+)? "
)
_ENDS = (
    r"(?=\s*(?:[?.,;]|$|(?:of|at|in|on|for|during|when|where|does|do|did|is|was|are|were"
    r"|should|must|can|to|between|across|inside|has|have|had|will|would)\b))"
)
"""What may follow: in "the voltage divider" no voltage is asked for."""


def _asks(words: str) -> re.Pattern[str]:
    return re.compile(rf"{_ASKS}(?:{words})\b{_ENDS}", re.IGNORECASE)


def _how(words: str) -> re.Pattern[str]:
    return re.compile(rf"\bhow (?:{words})\b", re.IGNORECASE)


_LENGTH = Wanted("a length", _in_units("m"))
_MASS = Wanted("a mass", _in_units("kg"))
_NUMBER = Wanted("a number", _has_number)
_KINDS: tuple[tuple[re.Pattern[str], Wanted], ...] = (
    (
        re.compile(
            r"\bEDMS (?:number|id|document number)\b|\bunder which EDMS\b",
            re.IGNORECASE,
        ),
        Wanted("an EDMS number", _matches(r"\bEDMS\b\D{0,20}\d{5,}")),
    ),
    (
        re.compile(
            r"\b(?:DocDB|DUNE.doc) (?:number|id|entry|document number)\b", re.IGNORECASE
        ),
        Wanted("a DocDB number", _matches(r"\b(?:doc-?db|dune-?doc)\b\D{0,20}\d+")),
    ),
    (
        re.compile(r"\barXiv (?:number|id|identifier)\b", re.IGNORECASE),
        Wanted("an arXiv number", _matches(r"\d{4}\.\d{4,5}|arxiv\D{0,12}\d+")),
    ),
    (
        re.compile(
            _ASKS
            + rf"(?:price|costs?)\b{_ENDS}|\bhow much\b.*\bcosts?\b|\bhow expensive\b",
            re.IGNORECASE,
        ),
        Wanted("a price", lambda text: bool(_PRICE.search(text))),
    ),
    (_how("heavy"), _MASS),
    (_asks("mass|weight"), _MASS),
    (_how("thick|wide|high|deep|tall|far"), _LENGTH),
    (_asks("temperature"), Wanted("a temperature", _in_units("K"))),
    (_asks("voltage"), Wanted("a voltage", _in_units("V"))),
    (_asks("drift field|electric field"), Wanted("a field", _in_units("V/cm"))),
    (_asks("pressure"), Wanted("a pressure", _in_units("bar"))),
    (_asks("power|heat load"), Wanted("a power", _in_units("W"))),
    (_asks("frequency|sampling rate"), Wanted("a frequency", _in_units("Hz"))),
    (re.compile(r"^\W*when (?:did|was|were)\b", re.I), Wanted("a date", _has_day)),
    (_how("many|often"), _NUMBER),
)
