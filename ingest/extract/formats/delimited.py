"""Delimited tables (CSV, TSV): pages of rows, each starting with the header row.

Lines with one text above the header are titles: they are on every page, too.
"""

import csv
from collections import Counter
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import join_row
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_PAGE_ROWS = 40
_PAGE_CHARACTERS = 6000
_FILE_CHARACTERS = 1_000_000
_DELIMITERS = ",;\t|"
_MAX_TITLES = 400


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield pages of rows; each page repeats the titles and the header row."""
    text = decode(task.path.read_bytes())
    number, part, remaining = 0, list[str](), _FILE_CHARACTERS
    head, has_header = list[str](), False
    first = line = 1
    for line, text_row in _iter_rows(task, text):
        if not has_header:
            has_header = " | " in text_row
            head = (
                [*head, text_row] if sum(map(len, head)) < _MAX_TITLES else [text_row]
            )
        if part and (len(part) >= _PAGE_ROWS or sum(map(len, part)) > _PAGE_CHARACTERS):
            number += 1
            yield Page(number, "", "\n".join(part), f"line {first}", first)
            part, first = list(head) if has_header else head[:1], line
        remaining -= len(text_row)
        if remaining < 0:
            task.remark(
                f"The table is cut off at line {line} of {text.count(chr(10)) + 1}:"
                f" over {_FILE_CHARACTERS:,} characters."
            )
            break
        part.append(text_row)
    if part:
        yield Page(number + 1, "", "\n".join(part), f"line {first}", first)


def _iter_rows(task: ExtractTask, text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and the text of each row that is not empty."""
    csv.field_size_limit(10_000_000)
    lines = (f"{line}\n" for line in text.split("\n"))
    reader = csv.reader(lines, delimiter=_detect_delimiter(task, text))
    line = 1
    for cells in reader:
        if joined := join_row(cells):
            yield line, joined
        line = reader.line_num + 1


def _detect_delimiter(task: ExtractTask, text: str) -> str:
    """Return the delimiter that splits most of the first lines alike."""
    if task.media_type == "text/tab-separated-values":
        return "\t"
    lines = [line for line in text[:20_000].split("\n")[:20] if line.strip()]
    counts = {d: [line.count(d) for line in lines] for d in _DELIMITERS}
    best, best_rank = ",", (0, 0)
    for delimiter in _DELIMITERS:
        usual = Counter(filter(None, counts[delimiter])).most_common(1)
        for count, lines_so in usual:
            if lines_so * 2 >= len(lines) and (lines_so, count) > best_rank:
                best, best_rank = delimiter, (lines_so, count)
    return best
