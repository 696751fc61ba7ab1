"""Figures of a page: the label in a caption, and the text that belongs to a picture.

A figure's text is its caption, then what stands in the picture, in brackets. Formats
find captions and pictures, each in its own way. Does not depend on any file format.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.types import Box, Figure, Page

UNNUMBERED = "Figure"
"""Label of a figure without a number."""

_NUMBER = r"(?:[A-Z]{1,2}[.-]?)?\d{1,3}(?:[.-]\d{1,3}){0,3}|[IVX]{1,6}"
_WORD = r"(?:Supplementary |Extended Data )?(?:Fig(?:ure)?s?\b\.?|FIG(?:URE)?S?\b\.?)"
CAPTION = re.compile(
    rf"(?P<word>{_WORD})\s?(?P<number>{_NUMBER})(?P<part>\s?\(?[a-z]\)?(?=[\s:.]))?"
    r"(?P<end>\s?[:.|)\u2013\u2014]+(?=\s|$)|\s+-+\s|\s|$)"
)
"""The beginning of a caption, or of a sentence about a figure."""
_NO_CAPTION = re.compile(
    r"(?:and|or|to|in|on|of|for|at|by|is|are|was|were|has|have|can|may|also|above|below"
    r"|shows?|showed|gives?|gave|presents?|illustrates?|displays?|depicts?|compares?"
    r"|demonstrates?|summari[sz]es?|plots?|contains?|indicates?|reveals?|suggests?"
    r"|provides?|describes?|lists?|left|right|top|bottom|and/or|we|as|with|from)\b|[,;)]"
)
_CONTENTS = re.compile(r"(?:\.\s?){4,}\s*\d*$|\u2026\s*\d+$")
_INNER = "[in the figure: "
_OPEN, _CLOSE = "\x03", "\x04"
_MACHINE_MADE = re.compile(r"automatically generated|AI-generated content", re.I)
_FILE_NAME = re.compile(
    r"[\w ().-]+\.(?:png|jpe?g|gif|svg|webp|bmp|emf|wmf|pdf|eps)", re.I
)


@dataclass(frozen=True, slots=True)
class FigureText:
    """A figure before it has a place in the text of its page.

    Attributes:
        label: ``Figure 7``, or `UNNUMBERED`.
        text: Its caption, then what stands in the picture.
        box: Place of the picture, if known.
    """

    label: str
    text: str
    box: Box | None = None


def parse_label(text: str, *, is_apart: bool = False, needs_sign: bool = False) -> str:
    """Return the label in the caption that a text is; empty if it is none.

    ``Fig. 3: Purity`` is a caption, ``Fig. 3 shows the purity`` is not.

    Args:
        text: A paragraph.
        is_apart: Whether it is known to be a caption: a number alone will do.
        needs_sign: Whether, if it is not, a sign has to stand behind the number.
    """
    match = CAPTION.match(text)
    if match is None or _CONTENTS.search(text):
        return ""
    rest = text[match.end() :].lstrip()
    has_sign = bool(match["end"].strip())
    if not is_apart and not has_sign and (needs_sign or not rest[:1].isupper()):
        return ""
    if not is_apart and _NO_CAPTION.match(rest):
        return ""
    supplement = match["word"].rpartition(" ")[0]
    return f"{supplement} Figure {match['number']}".lstrip()


def join_caption(text: str) -> str:
    """Return the text of a figure with its caption on one line."""
    caption, bracket, inner = text.partition(f"\n{_INNER}")
    own = to_one_line(caption)
    return f"{own}\n{_INNER}{inner}" if bracket else own


def format_inner(texts: Iterable[str]) -> str:
    """Return what stands in a picture, in brackets on one line; empty if nothing."""
    own = dict.fromkeys(filter(None, map(to_one_line, texts)))
    return f"{_INNER}{'; '.join(own)}]" if own else ""


def format_description(text: str) -> str:
    """Return the alternative text that an author gave a picture; empty if none did.

    What Word or PowerPoint wrote by themselves is no text of the document.
    """
    said = to_one_line(text)
    if _MACHINE_MADE.search(said) or _FILE_NAME.fullmatch(said):
        return ""
    return said


def append_figures(page: Page, figures: Sequence[FigureText]) -> Page:
    """Return a page with the texts of figures behind its own."""
    text, placed = page.text, list(page.figures)
    for figure in figures:
        if own := figure.text.strip():
            text = f"{text}\n\n" if text else ""
            placed.append(
                Figure(figure.label, len(text), len(text) + len(own), figure.box)
            )
            text += own
    return replace(page, text=text, figures=tuple(placed))


def prepend_text(page: Page, head: str) -> Page:
    """Return a page with another text before its own."""
    shift = len(head)
    figures = tuple(
        replace(figure, start=figure.start + shift, end=figure.end + shift)
        for figure in page.figures
    )
    return replace(page, text=head + page.text, figures=figures)


def mark_figure(text: str) -> str:
    """Return the text of a figure with marks around it, for `find_marked`."""
    return f"{_OPEN}{text}{_CLOSE}"


def find_marked(page: Page, labels: Sequence[str]) -> Page:
    """Return a page with the marks in its text replaced by figures.

    Args:
        page: With marks in its text, which do not nest.
        labels: Of the marked figures, in order.
    """
    pieces, figures, length = list[str](), list[Figure](), 0
    for at, piece in enumerate(re.split(f"[{_OPEN}{_CLOSE}]", page.text)):
        if at % 2 and piece:
            label = labels[at // 2]
            figures.append(Figure(label, length, length + len(piece)))
        pieces.append(piece)
        length += len(piece)
    return replace(page, text="".join(pieces), figures=tuple(figures))
