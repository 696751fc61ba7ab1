"""Reads a whole document as its reader sees it: sections, steps, sentences.

Passages overlap; here each line stands once, with the passage that it is cited from.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dunegpt.text.patterns import compile_re
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Document, Hit

_STEP = compile_re(
    r"^\s*(?:\*\*)?(?:(?:step|schritt)\s+)?(?P<number>\d{1,3})\s?[.):]\s?(?:\*\*)?\s*(?=\S)",
    re.IGNORECASE,
)
_MIN_LEAD_WORDS = 2
_MARKUP = compile_re(r"^[\s#>*\u2022\u25e6-]+|[*_`]{1,3}")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, item or step of a document.

    Attributes:
        hit: The passage that it stands in.
        text: Verbatim, lines joined.
        number: Of a step; 0 for anything else.
        heading: Last part of the nearest heading.
        is_heading: Whether it is that heading.
    """

    hit: Hit
    text: str
    number: int = 0
    heading: str = ""
    is_heading: bool = False


def split_blocks(hits: Sequence[Hit]) -> list[Block]:
    """Return the blocks of a document in order, each once; title and authors left out.

    Args:
        hits: Its passages, in order.
    """
    blocks: list[Block] = []
    seen: set[tuple[str, str]] = set()
    for hit in hits:
        heading = hit.passage.heading.rpartition(" > ")[2]
        for text in _split_passage(hit.passage.text):
            key = hit.passage.file_key, " ".join(text.split()).casefold()
            if key in seen or _is_card(text, hit.document):
                continue
            seen.add(key)
            step = _STEP.match(text)
            is_heading = _strip(text) == _strip(heading) or _looks_like_heading(text)
            if is_heading and not (step and len(text) > len(heading)):
                heading = " ".join(text.split())
                blocks.append(Block(hit, heading, 0, heading, is_heading=True))
            else:
                number = int(step["number"]) if step else 0
                blocks.append(Block(hit, text, number, heading))
    return _join_cut_steps(blocks)


def find_lead(text: str) -> str:
    """Return the first sentence of a block; empty if it has none, as a page number.

    >>> find_lead("7."), find_lead("3. Close the valve first. Then wait.")
    ('', 'Close the valve first.')
    """
    if len(re.findall(r"[^\W\d_]{2,}", text)) < _MIN_LEAD_WORDS:
        return ""
    return next((s for s in split_sentences(text) if len(s.split()) > 2), text)


def make_readable(text: str) -> str:
    """Return a block on one line, without the marks of headings and emphasis."""
    return " ".join(_MARKUP.sub("", text).split())


def _split_passage(text: str) -> Iterator[str]:
    """Yield paragraphs, list items and steps of a passage; indented lines stay."""
    block: list[str] = []
    for line in text.split("\n"):
        begins = _STEP.match(line) or re.match(r"^\s{0,3}[-*\u2022]\s", line)
        if (not line.strip() or begins or "|" in line) and block:
            yield "\n".join(block)
            block = []
        if line.strip():
            block.append(line)
    if block:
        yield "\n".join(block)


def _join_cut_steps(blocks: list[Block]) -> list[Block]:
    """Return blocks without what overlapping passages have twice, in part or whole."""
    kept: list[Block] = []
    for block in blocks:
        text = " ".join(block.text.split())
        before = " ".join(kept[-1].text.split()) if kept else ""
        if not block.is_heading and len(text) > 3 and text in before:
            continue
        is_cut = kept and not kept[-1].is_heading and text.startswith(before)
        if is_cut and kept[-1].number == block.number:
            kept.pop()
        kept.append(block)
    return kept


def _looks_like_heading(text: str) -> bool:
    flat = " ".join(text.split())
    return bool(re.match(r"^\d{1,2}(?:\.\d{1,2})*\s+[A-Z]", flat)) and (
        len(flat) < 80 and not flat.endswith((".", ";", ":", "!", "?"))
    )


def _is_card(text: str, document: Document) -> bool:
    """Return whether a block only tells title, authors, id or date of its document."""
    flat = _strip(text)
    if flat == _strip(document.title):
        return True
    rest = flat
    number = document.id.split(":")[1] if ":" in document.id else document.id
    for known in (*document.authors, document.title, number, str(document.date or "")):
        rest = rest.replace(_strip(known), " ") if known else rest
    words = re.findall(r"[^\W_]+", re.sub(r"\b(?:version|page|v?\d+)\b", " ", rest))
    return rest != flat and len(words) < 4 and len(flat.split()) < 30


def _strip(text: str) -> str:
    return " ".join(re.findall(r"[\w.-]+", text.casefold()))
