"""Numbers of list items in letters and Roman numerals, for all formats."""

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


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
        text = format_roman(number)
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


def format_roman(number: int) -> str:
    """Return a number from 1 to 3999 in small Roman letters."""
    text = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        text += sign * count
    return text
