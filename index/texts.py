"""The texts by which a passage and a record are found: what is indexed and embedded.

Knows neither vectors nor files.
"""

from collections.abc import Callable, Sequence

from dunegpt.types import Passage

_CONTEXT_CHARACTERS = 120
_LEAD_CHARACTERS = 160
_RECORD_CHARACTERS = 4000
_SPECIAL_TOKENS = 2

CONTEXT_TOKENS = 56
"""At most so many tokens are left to the context line and the special tokens."""


def context(title: str, heading: str, lead: str = "") -> str:
    """Return the line that stands in front of a passage where it is searched.

    Source: "The context line" in the measurements on retrieval: +.05 nDCG@10 for BM25
    on DUNE texts, a toss-up for vectors.
    """
    parts = [title] if heading in {"", title} else [title, heading]
    line = " - ".join(part[:_CONTEXT_CHARACTERS] for part in parts)
    return f"{line}\n{lead[:_LEAD_CHARACTERS]}" if lead else line


def embedded(title: str, passage: Passage, count: Callable[[str], int]) -> str:
    """Return the text that is embedded for a passage.

    Args:
        title: Of the document.
        passage: At most as long as the settings say.
        count: Tells how many of the model's tokens a text has.
    """
    line = context(title, passage.heading, passage.lead)
    return f"{_within(line, count)}\n{passage.text}"


def _within(line: str, count: Callable[[str], int]) -> str:
    """Return as many words of a line as there is room for beside a passage."""
    room = CONTEXT_TOKENS - _SPECIAL_TOKENS
    words = line.split(" ")
    while words and count(" ".join(words)) > room:
        words.pop()
    return " ".join(words)


def record_texts(title: str, passages: Sequence[Passage]) -> list[str]:
    """Return the text that is embedded for each record, in the order of the records.

    The model cuts it at its longest input, so what lies far behind is left out here.
    """
    records: dict[tuple[str, int], list[str]] = {}
    for passage in passages:
        records.setdefault((passage.file_key, passage.record), []).append(passage.text)
    return [
        f"{title}\n{' '.join(texts)[:_RECORD_CHARACTERS]}" for texts in records.values()
    ]
