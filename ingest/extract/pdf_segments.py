"""Segments of text on a page: words without a wide gap between them.

Works on coordinates only; does not depend on PDF.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

_TEXT_GAP = 0.9
_NUMBER_GAP = 0.45


@dataclass(slots=True)
class TextSegment:
    """A run of words without a wide gap; y increases upwards."""

    text: str
    left: float
    right: float
    bottom: float
    top: float
    word_rights: list[float] = field(default_factory=list)

    def continues_with(self, word: "TextSegment") -> bool:
        """Return whether a word continues this run; numbers need a smaller gap."""
        height = word.height
        numbers = word.text[0].isdigit() and self.text[-1].isdigit()
        gap = (_NUMBER_GAP if numbers else _TEXT_GAP) * height
        near = -0.5 * height <= word.left - self.right <= gap
        return near and abs(word.bottom - self.bottom) < 0.7 * height

    def add(self, word: "TextSegment") -> None:
        """Append a word."""
        self.text += f" {word.text}"
        self.word_rights.append(self.right)
        self.right = max(self.right, word.right)
        self.bottom = min(self.bottom, word.bottom)
        self.top = max(self.top, word.top)

    @property
    def middle(self) -> float:
        """The vertical center."""
        return (self.bottom + self.top) / 2

    @property
    def height(self) -> float:
        """The distance from bottom to top, at least 1."""
        return max(self.top - self.bottom, 1.0)

    @property
    def words(self) -> int:
        """The number of words."""
        return self.text.count(" ") + 1

    def split(self) -> "Iterator[TextSegment]":
        """Yield each word as a segment of its own."""
        left = self.left
        words = self.text.split(" ")
        for word, right in zip(words, [*self.word_rights, self.right], strict=True):
            yield TextSegment(word, left, right, self.bottom, self.top)
            left = right


SegmentLine = list[TextSegment]
