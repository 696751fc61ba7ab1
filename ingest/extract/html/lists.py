"""The numbers that a browser shows before the items of an HTML list."""

from bs4.element import Tag

from dunegpt.ingest.extract.list_numbers import format_number

_TYPES = {
    "a": "lower-alpha",
    "A": "upper-alpha",
    "i": "lower-roman",
    "I": "upper-roman",
    "1": "decimal",
}
_NO_NUMBER = frozenset({"none", "disc", "circle", "square"})


def number_items(element: Tag, list_style: str = "") -> dict[int, str]:
    """Return the number of each item by the ``id()`` of its element.

    Args:
        element: A list; one that is not ordered has no numbers.
        list_style: Its ``list-style-type``, or "".
    """
    if element.name != "ol" or list_style in _NO_NUMBER:
        return {}
    items = [c for c in element.children if isinstance(c, Tag) and c.name == "li"]
    step = -1 if element.has_attr("reversed") else 1
    number = _parse(element.get("start"), len(items) if step < 0 else 1)
    kind = list_style or _TYPES.get(str(element.get("type") or "1"), "decimal")
    marks = {}
    for item in items:
        number = _parse(item.get("value"), number)
        marks[id(item)] = f"{format_number(number, kind)}."
        number += step
    return marks


def _parse(value: object, default: int) -> int:
    text = str(value or "").strip()
    return int(text) if text.lstrip("-").isdigit() and text.isascii() else default
