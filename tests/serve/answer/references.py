"""Citations made by hand."""

import datetime as dt

from dunegpt.types import Citation, FoundBy, Hit, Passage
from tests.index.corpus import document


def hit(text: str, number: int = 1, *, score: float = 0.6, title: str = "") -> Hit:
    doc = document(
        f"n:{'abcdefghi'[number - 1]}",
        title=title or "Note",
        authors=("Okonjo",),
        date=dt.date(2024, 2, 29),
    )
    passage = Passage(doc.id, "a.txt", 1, 1, 0, len(text), "", text)
    return Hit(number - 1, passage, doc, score, number, FoundBy.FUSED)


def references(*texts: str, title: str = "") -> list[Citation]:
    return [
        Citation(n, hit(text, n, title=title), text, 1, "https://notes.test")
        for n, text in enumerate(texts, start=1)
    ]
