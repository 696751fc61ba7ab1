"""Which passages of code define a name that a question holds.

A definition is told by the heading of its passage, which extraction takes from the
code, or by a line that defines the name. Ranks nothing, and looks at code only.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from dunegpt.index.words import symbols
from dunegpt.ingest.extract.kinds import is_source
from dunegpt.types import Document, Passage

_KEYWORDS = r"(?:async\s+)?(?:def|class|struct|enum|union|namespace|function|module)"


def definitions(
    question: str,
    rows: Sequence[int],
    passages: Mapping[int, tuple[int, Passage]],
    documents: Mapping[int, Document],
) -> Iterator[int]:
    """Yield the places among rows of passages that define a name in a question.

    Args:
        question: As asked.
        rows: In any order.
        passages: Document's number and passage of each row.
        documents: By their numbers.
    """
    names = symbols(question)
    for place, row in enumerate(rows) if names else ():
        number, passage = passages[row]
        files = {file.key: file.name for file in documents[number].files}
        file = files.get(passage.file_key, "")
        if is_source(file) and any(_defines(passage, file, name) for name in names):
            yield place


def _defines(passage: Passage, file: str, name: str) -> bool:
    heading, wanted = passage.heading.casefold(), name.casefold()
    if heading == wanted or heading.endswith((f"::{wanted}", f".{wanted}")):
        return True
    own = re.escape(name)
    line = rf"^\s*{_KEYWORDS}\s+{own}\b"
    if file.endswith(".fcl"):
        # Written whole, or as the last of tables within each other.
        last = re.escape(name.rpartition(".")[2])
        line = rf"^\s*(?:{own}|{last})\s*:"
    return bool(re.search(rf"{line}(?!\s*;)", passage.text, re.M))
