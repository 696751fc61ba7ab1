"""What the styles of a Word document say of its text: levels, scripts, fonts, lists."""

import re
from dataclasses import dataclass, replace
from typing import Any

from dunegpt.ingest.extract.office.open_xml import get_attribute, is_on, local_name
from dunegpt.text.typography import Shift

_LEVEL = re.compile(r"(?:heading|überschrift|titre)\s*(\d)", re.I)
_SCRIPTS: dict[str, Shift] = {"superscript": "super", "subscript": "sub"}
_MIN_POSITION = 4  # half points
_MAX_BASED_ON = 20


@dataclass(frozen=True, slots=True)
class RunFormat:
    """How a run of text is set, as far as it changes what the text says."""

    shift: Shift = ""
    font: str = ""
    is_struck: bool = False
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Style:
    """A style of paragraphs or runs.

    Attributes:
        level: Heading level, from 1; 0 for text.
        list_id: Number of the list that paragraphs belong to; empty if none.
        list_level: Level in that list, from 0; None if the list tells it.
    """

    level: int = 0
    run: RunFormat = RunFormat()
    list_id: str = ""
    list_level: int | None = None


class Styles:
    """The styles of ``word/styles.xml``, each with what it is based on.

    Attributes:
        may_shift: Whether any of them raises or lowers text.
        may_number: Whether any of them puts paragraphs in a list.
    """

    def __init__(self, root: Any | None = None) -> None:
        found = [] if root is None else root.iterchildren("{*}style")
        self._nodes = {get_attribute(node, "styleId"): node for node in found}
        self._built: dict[str, Style] = {}
        self.may_shift = root is not None and has_shifted_runs(root)
        self.may_number = (
            root is not None and next(root.iter("{*}numPr"), None) is not None
        )

    def get(self, ident: str) -> Style:
        """Return a style; one of plain text if there is none of that id."""
        if ident not in self._built:
            known = ident in self._nodes
            self._built[ident] = _build_style(ident, self._nodes) if known else Style()
        return self._built[ident]


def _build_style(ident: str, nodes: dict[str, Any]) -> Style:
    chain = list[Any]()
    while ident in nodes and len(chain) < _MAX_BASED_ON:
        chain.append(nodes[ident])
        ident = _child_value(nodes[ident], "basedOn")
    style = Style()
    for node in reversed(chain):
        for properties in node.iterchildren("{*}rPr"):
            style = replace(style, run=update_run(style.run, properties))
        for properties in node.iterchildren("{*}pPr"):
            list_id, level = read_list_place(properties)
            style = replace(
                style,
                list_id=list_id or style.list_id,
                list_level=style.list_level if level is None else level,
            )
    return replace(style, level=_heading_level(_child_value(chain[0], "name")))


def _heading_level(name: str) -> int:
    if match := _LEVEL.match(name):
        return int(match[1])
    return int(name.lower() == "title")


def _child_value(node: Any, name: str) -> str:
    children = node.iterchildren(f"{{*}}{name}")
    return next((get_attribute(child, "val") for child in children), "")


def read_list_place(properties: Any) -> tuple[str, int | None]:
    """Return list id and level that paragraph properties name, each if it is there."""
    for numbering in properties.iterchildren("{*}numPr"):
        level = _child_value(numbering, "ilvl")
        return _child_value(numbering, "numId"), int(level) if level.isdigit() else None
    return "", None


def update_run(base: RunFormat, properties: Any) -> RunFormat:
    """Return a format with what run properties set directly."""
    changed = base
    for node in properties:
        name = local_name(node)
        if name == "vertAlign":
            shift = _SCRIPTS.get(get_attribute(node, "val"), "")
            changed = replace(changed, shift=shift)
        elif name == "position" and not changed.shift:
            changed = replace(changed, shift=_read_position(node))
        elif name in {"strike", "dstrike"}:
            changed = replace(changed, is_struck=is_on(node))
        elif name == "vanish":
            changed = replace(changed, is_hidden=is_on(node))
        elif name == "rFonts":
            font = get_attribute(node, "ascii") or get_attribute(node, "hAnsi")
            if font and font != changed.font:
                changed = replace(changed, font=font)
    return changed


def has_shifted_runs(root: Any) -> bool:
    """Return whether run properties anywhere in a part raise or lower text."""
    return next(root.iter("{*}vertAlign", "{*}position"), None) is not None


def _read_position(node: Any) -> Shift:
    value = get_attribute(node, "val")
    height = int(value) if value.lstrip("-").isdigit() else 0
    if abs(height) < _MIN_POSITION:
        return ""
    return "super" if height > 0 else "sub"
