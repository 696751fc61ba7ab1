"""Which raised figures of an HTML page are marks of footnotes, not exponents.

``45 kg<sup>3</sup>`` is 45 kg with note 3 if the mark is a link within the page, or if
a paragraph of the page begins with the same raised mark.
"""

# ruff: noqa: RUF001 - the signs are the subject

import re

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

from dunegpt.ingest.extract.html.styles import get_classes

_ISOTOPE = re.compile(
    r"(?:H|He|Li|Be|B|C|N|O|F|Ne|Na|Mg|Al|Si|P|S|Cl|Ar|K|Ca|Sc|Ti|V|Cr|Mn|Fe|Co|Ni|Cu|Zn"
    r"|Ga|Ge|As|Se|Br|Kr|Rb|Sr|Y|Zr|Nb|Mo|Tc|Ru|Rh|Pd|Ag|Cd|In|Sn|Sb|Te|I|Xe|Cs|Ba|La|Ce"
    r"|Gd|Hf|Ta|W|Re|Os|Ir|Pt|Au|Hg|Tl|Pb|Bi|Po|At|Rn|Fr|Ra|Ac|Th|Pa|U|Np|Pu|Am|Cm)"
    r"(?![a-z])"
)
_NOTE_CLASS = re.compile(
    r"footnote|endnote|noteref|fnref|reference\b|MsoFootnoteReference"
)
_NOTE_LINK = re.compile(r"#.*(?:fn|note|ftn|foot|cite|ref|edn)|#\w{0,3}\d+$", re.I)
_MARK = re.compile(r"[\[(]?\s*(\d{1,3}|[a-z]|[*†‡§¶#]{1,3})\s*[\])]?")
_LIST_OF_MARKS = re.compile(r"\d{1,3}(?:\s*[,;]\s*\d{1,3})+")
_SCRIPTS = ["sup", "sub"]
_BLOCKS = ["p", "li", "div", "td", "dd", "aside", "footer", "br", "body", "section"]
_LENGTHS = r"(?:[kcdmµμn]?m|in|ft|inch|foot)"
_EXPONENT_BASE = re.compile(
    rf"(?:(?<![\w.])(?:10|2)|[)\]}}]|/\s?\w{{1,4}}|(?<![A-Za-z]){_LENGTHS}"
    r"|(?<![A-Za-z\d]\s)(?<![A-Za-z])[A-Za-zΑ-ωµ]|\b(?:sin|cos|tan|cot|sinh|cosh|tanh|log|ln"
    r"|exp))$"
)
_PLAIN_WORD = re.compile(r"(?:[^\W\d_]{4,}|[.,;:!?”\"’])$")
_FUNCTION = re.compile(r"\b(?:sinh|cosh|tanh)$")


def find_note_marks(soup: BeautifulSoup) -> frozenset[str]:
    """Return the marks with which a paragraph of notes begins."""
    marks = set()
    for raised in soup.find_all("sup"):
        is_nested = raised.find(_SCRIPTS) is not None
        match = None if is_nested else _MARK.fullmatch(raised.get_text().strip())
        if match and _begins_block(raised) and not _is_isotope(raised):
            marks.add(match[1])
    return frozenset(marks)


def find_note(raised: Tag, before: str, marks: frozenset[str]) -> str:
    """Return the mark of the note that raised text refers to; "" if it is no mark.

    Args:
        raised: The raised element.
        before: The text in front of it.
        marks: The marks of the notes of the page.
    """
    if raised.find(_SCRIPTS) is not None:
        return ""
    text = raised.get_text().strip()
    match = _MARK.fullmatch(text)
    if not match and not _LIST_OF_MARKS.fullmatch(text.strip("[]()")):
        return ""
    mark = match[1] if match else text.strip("[]()")
    if _is_linked(raised):
        return mark
    before = before.rstrip("\n")
    if not mark[0].isdigit():
        return mark if mark in marks and mark.isalpha() else ""
    if mark in marks and not _is_isotope(raised):
        return "" if _EXPONENT_BASE.search(before) else mark
    is_word = _PLAIN_WORD.search(before) and not _FUNCTION.search(before)
    return mark if is_word and not _is_isotope(raised) else ""


def _is_linked(raised: Tag) -> bool:
    around = [raised, *raised.find_all(True), *raised.parents]
    for element in around[: len(around) - len(list(raised.parents)) + 2]:
        if element.name == "a" and _NOTE_LINK.match(str(element.get("href") or "")):
            return True
        classes = " ".join(get_classes(element))
        role = f"{element.get('role') or ''} {element.get('epub:type') or ''}"
        if _NOTE_CLASS.search(f"{classes} {role}"):
            return True
    return False


def _begins_block(raised: Tag) -> bool:
    node: Tag = raised
    while True:
        previous = node.previous_sibling
        while isinstance(previous, NavigableString) and not previous.strip():
            previous = previous.previous_sibling
        if previous is not None:
            return isinstance(previous, Tag) and previous.name in _BLOCKS
        if node.parent is None or node.parent.name in _BLOCKS:
            return True
        node = node.parent


def _is_isotope(raised: Tag) -> bool:
    following = raised.next_sibling
    return isinstance(following, NavigableString) and bool(_ISOTOPE.match(following))
