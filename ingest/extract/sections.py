"""Groups lines under headings into pages: for formats that have no pages."""

import re
from collections.abc import Iterable, Iterator

from dunegpt.types import Page


def sections(lines: Iterable[tuple[str, str]], *, title: str = "") -> Iterator[Page]:
    """Yield one page for each heading that has text below it.

    A heading with nothing below it opens the section after it, so that no text is
    lost and no page is just a title.

    Args:
        lines: Of (heading or empty, text).
        title: Heading of what stands before the first heading.
    """
    heading, kept, has_body, number = title, list[str](), False, 0
    for found, text in lines:
        if found and has_body:
            number += 1
            yield Page(number, heading, _joined(kept))
            kept, has_body = [], False
        heading = found or heading
        kept.append(text)
        has_body = has_body or (not found and bool(text.strip()))
    if any(text.strip() for text in kept):
        yield Page(number + 1, heading, _joined(kept))


def _joined(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
