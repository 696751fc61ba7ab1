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

    def add(
        self, word: str, left: float, right: float, bottom: float, top: float
    ) -> bool:
        """Append a word if it continues this run; numbers need a smaller gap.

        Returns:
            Whether it was appended.
        """
        height = top - bottom if top - bottom > 1.0 else 1.0
        last, text = self.right, self.text
        gap = left - last
        if not -0.5 * height <= gap <= _TEXT_GAP * height:
            return False
        # A raised mark is small, and its line is not.
        if abs(bottom - self.bottom) >= 0.7 * max(height, self.top - self.bottom):
            return False
        if gap > _NUMBER_GAP * height and word[0].isdigit() and text[-1].isdigit():
            return False
        self.text = f"{text} {word}"
        self.word_rights.append(last)
        if right > last:
            self.right = right
        self.bottom = min(self.bottom, bottom)
        self.top = max(self.top, top)
        return True

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
