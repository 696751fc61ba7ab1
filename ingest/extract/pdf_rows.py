"""Text of a page of a PDF, line by line."""

from typing import Any


def text_of(layer: Any) -> str:
    """Return the text of a page's layer, with line feeds for line ends."""
    text: str = layer.get_text_bounded()
    return text.replace("\r\n", "\n").replace("\r", "\n")
