"""Formats the date of a document for readers and models, and says where it is from."""

import re

from dunegpt.types import Document

_YEAR = re.compile(r"(?<![\d.,/-])(?:19[5-9]|20[0-4])\d(?![\d.,/]\d|\d)")


def format_date(document: Document) -> str:
    """Return a document's date; without one the year in its title, and that it is so.

    >>> format_date(Document("n:1", "n", "note", "", "TDR (2017)", frozenset()))
    '2017 by its title'
    """
    if document.date:
        return str(document.date)
    years = _YEAR.findall(document.title)
    return f"{max(years)} by its title" if years else "undated"
