"""Finds the passages of source code that define a symbol named in the question.

A passage defines a symbol if its heading, which extraction takes from the code, or one
of its lines says so. Only files of source code are considered.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from dunegpt.ingest.extract.media_type import is_source
from dunegpt.text.analyzer import find_symbols
from dunegpt.types import Document, Passage

_KEYWORDS = r"(?:async\s+)?(?:def|class|struct|enum|union|namespace|function|module)"


def find_definitions(
    question: str,
    rows: Sequence[int],
    passages: Mapping[int, tuple[int, Passage]],
    documents: Mapping[int, Document],
) -> Iterator[int]:
    """Yield the positions in ``rows`` of passages that define a symbol of the question.

    Args:
        question: The question as asked.
        rows: Rows to look at, in any order.
        passages: Document number and passage of each row.
        documents: Documents by number.
    """
    names = find_symbols(question)
    for position, row in enumerate(rows) if names else ():
        number, passage = passages[row]
        files = {file.key: file.name for file in documents[number].files}
        file = files.get(passage.file_key, "")
        if is_source(file) and any(_defines(passage, file, name) for name in names):
            yield position


def _defines(passage: Passage, file: str, name: str) -> bool:
    heading, wanted = passage.heading.casefold(), name.casefold()
    if heading == wanted or heading.endswith((f"::{wanted}", f".{wanted}")):
        return True
    full = re.escape(name)
    line = rf"^\s*{_KEYWORDS}\s+{full}\b"
    if file.endswith(".fcl"):
        # Either the full name, or only the last part inside nested tables.
        last = re.escape(name.rpartition(".")[2])
        line = rf"^\s*(?:{full}|{last})\s*:"
    return bool(re.search(rf"{line}(?!\s*;)", passage.text, re.M))
