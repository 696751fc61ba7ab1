"""List numbers that Word computes: "2.1" in front of a paragraph, as it is printed.

Source: ECMA-376 part 1, 17.9 (numbering).
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dunegpt.ingest.extract.list_numbers import format_roman
from dunegpt.ingest.extract.office.open_xml import get_attribute, is_on

_LEVELS = 9


@dataclass(frozen=True, slots=True)
class _Level:
    start: int = 1
    number_format: str = "decimal"
    text: str = ""
    restart: int | None = None
    is_legal: bool = False
    style: str = ""


@dataclass
class _List:
    """A list; most documents define dozens and use few, so levels are read late."""

    node: Any
    counts: list[int | None] = field(default_factory=lambda: [None] * _LEVELS)

    @cached_property
    def levels(self) -> dict[int, _Level]:
        return _read_levels(self.node)


class ListNumbers:
    """Counts the paragraphs of all lists of a document, in its order."""

    def __init__(self, numbering: Any | None) -> None:
        self._lists: dict[str, _List] = {}
        self._by_number: dict[str, _List] = {}
        self._starts: dict[str, dict[int, int]] = {}
        self._levels: dict[str, dict[int, _Level]] = {}
        if numbering is not None:
            self._read(numbering)

    def _read(self, numbering: Any) -> None:
        links = dict[str, str]()
        styles = dict[str, str]()
        for node in numbering.iterchildren("{*}abstractNum"):
            ident = get_attribute(node, "abstractNumId")
            self._lists[ident] = _List(node)
            for link in node.iterchildren("{*}numStyleLink"):
                links[ident] = get_attribute(link, "val")
            for link in node.iterchildren("{*}styleLink"):
                styles[get_attribute(link, "val")] = ident
        for ident, style in links.items():
            if style in styles:
                self._lists[ident] = self._lists[styles[style]]
        for node in numbering.iterchildren("{*}num"):
            self._read_number(node)

    def _read_number(self, node: Any) -> None:
        number = get_attribute(node, "numId")
        for link in node.iterchildren("{*}abstractNumId"):
            listed = self._lists.get(get_attribute(link, "val"))
            if listed is not None:
                self._by_number[number] = listed
        for override in node.iterchildren("{*}lvlOverride"):
            level = _parse_int(get_attribute(override, "ilvl"), 0)
            self._levels.setdefault(number, {}).update(_read_levels(override))
            for start in override.iterchildren("{*}startOverride"):
                value = _parse_int(get_attribute(start, "val"), 1)
                self._starts.setdefault(number, {})[level] = value

    def find_style_level(self, number: str, style: str) -> int:
        """Return the level that a list gives to paragraphs of a style; 0 if none."""
        levels = self._get_levels(number)
        return next((at for at, each in levels.items() if each.style == style), 0)

    def count(self, number: str, level: int) -> str:
        """Count a paragraph; return its number as printed, empty for a bullet."""
        listed = self._by_number.get(number)
        levels = self._get_levels(number)
        if listed is None or level not in levels:
            return ""
        counts = listed.counts
        start = self._starts.get(number, {}).pop(level, None)
        if start is not None:
            counts[level] = start - 1
        elif counts[level] is None:
            counts[level] = levels[level].start - 1
        counts[level] = (counts[level] or 0) + 1
        for below in range(level + 1, _LEVELS):
            restart = levels[below].restart if below in levels else None
            if restart is None or level < restart:
                counts[below] = None
        for above in range(level):
            if counts[above] is None and above in levels:
                counts[above] = levels[above].start
        return _format_number(levels, level, counts)

    def _get_levels(self, number: str) -> dict[int, _Level]:
        listed = self._by_number.get(number)
        return {
            **(listed.levels if listed else {}),
            **self._levels.get(number, {}),
        }


def _read_levels(parent: Any) -> dict[int, _Level]:
    levels = {}
    for node in parent.iterchildren("{*}lvl"):
        values = {
            child.tag.rpartition("}")[2]: child
            for child in node
            if isinstance(child.tag, str)
        }

        def value(name: str, nodes: dict[str, Any] = values) -> str:
            return get_attribute(nodes[name], "val") if name in nodes else ""

        restart = value("lvlRestart")
        levels[_parse_int(get_attribute(node, "ilvl"), 0)] = _Level(
            _parse_int(value("start"), 1 if "start" in values else 0),
            value("numFmt") or "decimal",
            value("lvlText"),
            int(restart) if restart.isdigit() else None,
            "isLgl" in values and is_on(values["isLgl"]),
            value("pStyle"),
        )
    return levels


def _parse_int(text: str, default: int) -> int:
    return int(text) if re.fullmatch(r"-?\d+", text) else default


def _format_number(
    levels: dict[int, _Level], level: int, counts: list[int | None]
) -> str:
    """Return the text of a level with the numbers of the levels in it."""
    own = levels[level]
    if own.number_format in {"bullet", "none"} and "%" not in own.text:
        return "" if own.number_format == "bullet" else own.text.strip()

    def fill(match: re.Match[str]) -> str:
        at = int(match[1]) - 1
        count = counts[at] if at < _LEVELS else None
        if count is None or at not in levels:
            return ""
        kind = levels[at].number_format
        return format_count(count, "decimal" if own.is_legal else kind)

    return re.sub(r"%([1-9])", fill, own.text).strip()


def format_count(count: int, kind: str) -> str:
    """Return a number in one of the formats of lists: decimal, letters, Roman.

    >>> [format_count(4, kind) for kind in ("decimal", "lowerLetter", "upperRoman")]
    ['4', 'd', 'IV']
    """
    if kind in {"bullet", "none"}:
        return ""
    if kind in {"lowerLetter", "upperLetter"} and count > 0:
        letter = chr(ord("a") + (count - 1) % 26) * ((count - 1) // 26 + 1)
        return letter.upper() if kind == "upperLetter" else letter
    if kind in {"lowerRoman", "upperRoman"} and 0 < count < 4000:
        roman = format_roman(count)
        return roman.upper() if kind == "upperRoman" else roman
    if kind == "decimalZero":
        return f"{count:02d}"
    if kind == "ordinal":
        ending = {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
        return f"{count}{'th' if 10 < count % 100 < 14 else ending}"
    return str(count)
