"""The numbers that a browser shows before the items of an HTML list."""

from bs4.element import Tag

_TYPES = {
    "a": "lower-alpha",
    "A": "upper-alpha",
    "i": "lower-roman",
    "I": "upper-roman",
    "1": "decimal",
}
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
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


def format_number(number: int, kind: str) -> str:
    """Return a number in a style of lists.

    >>> format_number(4, "lower-roman"), format_number(28, "upper-alpha")
    ('iv', 'AB')
    """
    if number < 1:
        return str(number)
    name = kind.partition("-")[2]
    if name in {"alpha", "latin"}:
        text = _format_letters(number)
    elif name == "roman" and number < 4000:
        text = _format_roman(number)
    elif kind == "decimal-leading-zero":
        return f"{number:02d}"
    else:
        return str(number)
    return text.upper() if kind.startswith("upper") else text


def _format_letters(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _format_roman(number: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        text += sign * count
    return text


def _parse(value: object, default: int) -> int:
    text = str(value or "").strip()
    return int(text) if text.lstrip("-").isdigit() and text.isascii() else default
