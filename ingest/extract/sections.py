"""Groups lines under headings into pages: for formats that have no pages."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dunegpt.types import Page

_PATH_LEVELS = 3
_CHARACTERS = 12_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line or block of a document.

    Attributes:
        level: 1 and more of a heading; 0 of anything else.
        number: Line in the file, where that means something.
    """

    text: str
    level: int = 0
    number: int = 0


def sections(lines: Iterable[Line], *, title: str = "") -> Iterator[Page]:
    """Yield one page for each heading that has text below it, long ones in parts.

    A heading with nothing below it opens the section after it, so that no text is
    lost and no page is just a title. A page's heading is the path of headings that
    lead to it.

    Args:
        lines: In the order of the file.
        title: Heading of what stands before the first heading.
    """
    path, kept, has_body, number = list[Line](), list[Line](), False, 0
    for line in lines:
        size = sum(len(each.text) + 1 for each in kept) if len(kept) % 64 == 0 else 0
        if has_body and (line.level or size > _CHARACTERS):
            number += 1
            yield _page(number, _heading(path, title), kept)
            kept, has_body = [], False
        if line.level:
            path = [above for above in path if above.level < line.level] + [line]
        kept.append(line)
        has_body = has_body or (not line.level and bool(line.text.strip()))
    if any(line.text.strip() for line in kept):
        yield _page(number + 1, _heading(path, title), kept)


def _heading(path: list[Line], title: str) -> str:
    return " > ".join(line.text for line in path[-_PATH_LEVELS:]) or title


def _page(number: int, heading: str, lines: list[Line]) -> Page:
    text = "\n".join(line.text for line in lines)
    first = next((line.number for line in lines if line.text.strip()), 0)
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n").rstrip()
    return Page(number, heading, text, f"line {first}" if first else "", first)
