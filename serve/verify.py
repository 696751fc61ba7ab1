"""Checks a generated sentence against the passages that it cites.

First form, without a second model: the marks must name passages that were given; every
number with its sign and unit, every identifier and address in the sentence must stand
in a cited passage; and most of its words must. What fails is marked with the reason,
never silently passed.
"""

import re
from collections.abc import Sequence

from dunegpt.index.words import words
from dunegpt.serve.sentences import framed
from dunegpt.types import Citation, Sentence

_MARK = re.compile(r"\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_ADDRESS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+\.\S+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PREFIX = "(?:[yzafpnµumcdhkMGTPEZY]|da)?"
_BASE = (
    "(?:eV|Hz|Pa|bar|mol|rad|sr|V|A|W|K|m|s|g|J|N|C|F|T|H|B|b|L|l|Ω|ohm|electrons?)"
    "(?:[²³]|\\^?-?[1-3](?!\\d))?"
)
_PLAIN = (
    "(?:%|‰|°C|°F|°|ppm|ppb|ppt|min|hours?|h|days?|d|weeks?|months?|years?|yr|t|kt|psi"
)
_PLAIN += "|litres?|liters?|euros?|dollars?|francs?|seconds?|metres?|meters?|volts?)"
_UNIT = f"(?:{_PLAIN}|{_PREFIX}{_BASE})"
_QUANTITY = re.compile(
    r"(?<![\w.])(?P<sign>[+-]?)(?P<value>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    rf"(?:\s?(?P<unit>{_UNIT}(?:[/·*]\(?{_UNIT}\)?)*)(?![\w/]))?"
)
_IDENTIFIER = re.compile(
    r"(?<!\w)(?=[\w./:-]*[A-Za-z])(?=[\w./:-]*\d)[A-Za-z][\w./:-]*"
)
_LEAST_SHARE = 0.5
_ATTACHED_SHARE = 0.7


def verified(text: str, citations: Sequence[Citation]) -> Sentence:
    """Return a sentence without its marks, with the citations that back it.

    Args:
        text: As the model wrote it, marks included.
        citations: What the model was given.
    """
    given = {citation.number: citation for citation in citations}
    marks = [int(n) for match in _MARK.findall(text) for n in re.findall(r"\d+", match)]
    plain = re.sub(r"\s+([.,;!?])", r"\1", _MARK.sub("", text)).strip()
    known = [number for number in dict.fromkeys(marks) if number in given]
    if not known:
        return _attached(plain, citations, wrong=bool(marks))
    cited = "\n".join(framed(given[number].hit) for number in known)
    reason = objection(plain, cited, _LEAST_SHARE)
    return Sentence(plain, tuple(known), supported=not reason, reason=reason)


def objection(sentence: str, source: str, least_share: float) -> str:
    """Return why a source does not back a sentence; empty if nothing speaks against it.

    Args:
        sentence: Without marks.
        source: All text that it may rest on.
        least_share: Of the sentence's words that the source must have.
    """
    own = words(sentence)
    if not own:
        return "it says nothing that can be checked"
    missing = [
        *_missing_addresses(sentence, source),
        *_missing_quantities(sentence, source),
    ]
    missing += _missing_identifiers(sentence, source)
    if missing:
        return f"{missing[0]} is not in the source"
    found = set(words(source))
    share = sum(word in found for word in own) / len(own)
    if share < least_share:
        return f"the source has only {share:.0%} of its words"
    return ""


def _attached(sentence: str, citations: Sequence[Citation], *, wrong: bool) -> Sentence:
    """Return a sentence that cites nothing given, with a passage that backs it, if any.

    A passage found after the fact must back it better than one that the model named.
    """
    for citation in citations:
        if not objection(sentence, framed(citation.hit), _ATTACHED_SHARE):
            return Sentence(sentence, (citation.number,))
    reason = "it cites a passage that was not given" if wrong else "it cites nothing"
    return Sentence(sentence, (), supported=False, reason=reason)


def _missing_addresses(sentence: str, source: str) -> list[str]:
    flat = re.sub(r"\s+", " ", source).casefold()
    found = (address.rstrip(".,;)") for address in _ADDRESS.findall(sentence))
    return [address for address in found if address.casefold() not in flat]


def _missing_quantities(sentence: str, source: str) -> list[str]:
    """Return the quantities of a sentence that a source has not.

    A number that has a unit in both must have the same; where the source has it bare,
    as in a table, the unit must stand somewhere in the source.
    """
    present = set(quantities(source))
    units = {unit for _, unit in present}
    missing = []
    for value, unit in quantities(sentence):
        exact = (value, unit) in present
        in_table = (value, "") in present and (unit in units or unit in source)
        bare = not unit and any(value == other for other, _ in present)
        if not (exact or in_table or bare):
            missing.append(f"{value} {unit}".strip())
    return missing


def _missing_identifiers(sentence: str, source: str) -> list[str]:
    present = {_trimmed(token) for token in _IDENTIFIER.findall(source)}
    found = (_trimmed(token) for token in _IDENTIFIER.findall(sentence))
    return [token for token in found if token not in present]


def _trimmed(token: str) -> str:
    return token.strip(".:/-").casefold()


def quantities(text: str) -> list[tuple[str, str]]:
    """Return the numbers of a text with their units, each in one spelling.

    A minus sign counts where a number begins with it, not in a range.

    >>> quantities("from -57.0 kV to 1,300 V/cm, 10-20 of them")
    [('-57.0', 'kV'), ('1300', 'V/cm'), ('10', ''), ('20', '')]
    """
    text = _THOUSANDS.sub("", text.replace("\u2212", "-").replace("\u03bc", "µ"))
    text = re.sub(r"\bminus (?=\d)", "-", text)
    text = re.sub(r"(?<=[A-Za-zµ])\s*/\s*(?=[A-Za-zµ(])", "/", text)
    text = re.sub(r"(?<=\d)[-\u2013](?=\d)", " ", text)
    return [
        (match["sign"].replace("+", "") + match["value"], match["unit"] or "")
        for match in _QUANTITY.finditer(text)
    ]
