"""Formulas of spreadsheets: those that cells share, moved to the place of each."""

import re

_REFERENCE = re.compile(
    r"\"[^\"]*\"|'[^']*'!|"
    r"(?<![\w.$])(?P<fix_column>\$?)(?P<column>[A-Z]{1,3})"
    r"(?P<fix_row>\$?)(?P<row>\d{1,7})(?![\w(.])"
)


def shift_formula(formula: str, rows: int, columns: int) -> str:
    """Return a formula as it reads that many rows below and columns to the right.

    >>> shift_formula("B2*$C$1+SUM(D2:D9)", 1, 0)
    'B3*$C$1+SUM(D3:D10)'
    """

    def move(match: re.Match[str]) -> str:
        if match["column"] is None:
            return match[0]
        column, row = match["column"], match["row"]
        if not match["fix_column"]:
            column = _name_column(_number_column(column) + columns)
        if not match["fix_row"]:
            row = str(int(row) + rows)
        return f"{match['fix_column']}{column}{match['fix_row']}{row}"

    return _REFERENCE.sub(move, formula)


def _number_column(name: str) -> int:
    number = 0
    for char in name:
        number = number * 26 + ord(char) - ord("A") + 1
    return number


def _name_column(number: int) -> str:
    name = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
