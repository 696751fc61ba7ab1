"""Bytes to text, whatever the encoding: marks first, UTF-8, then a guess."""

from collections import Counter

from charset_normalizer import from_bytes

from dunegpt.errors import ExtractError

_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_GUESSED_BYTES = 65_536
_MIN_COHERENCE = 0.2


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file look like text of any encoding."""
    if head.startswith(tuple(_MARKS)):
        return True
    if b"\0" in head:
        return bool(_wide(head))
    odd = sum(byte < 32 and byte not in b"\t\n\r\f\x1b\x08" for byte in head)
    return odd * 100 <= len(head)


def decode(content: bytes) -> str:
    """Return text from bytes, with line feeds for line ends.

    UTF-16 and UTF-32 by their marks or by where their zeros are, UTF-8, else what
    charset-normalizer is sure of, else Windows-1252.

    Raises:
        ExtractError: It is not text.
    """
    if not is_text(content[:4096]):
        raise ExtractError("The file is not text.")
    text = _decoded(content)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes) -> str:
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return content.decode(name, errors="replace")
    if b"\0" in content[:4096]:
        return content.decode(_wide(content[:4096]) or "utf-8", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode(_guess(content), errors="replace")


def _wide(head: bytes) -> str:
    """Return UTF-16 without a mark, or empty.

    Told by its high bytes, every second one: of few values, zero among them.
    """
    for name, high, low in (
        ("utf-16-le", head[1::2], head[0::2]),
        ("utf-16-be", head[0::2], head[1::2]),
    ):
        common = Counter(high).most_common(2)
        few = sum(count for _, count in common) >= 0.9 * len(high) and len(set(low)) > 3
        if few and high.count(0) >= 0.05 * len(high) and low.count(0) < 0.02 * len(low):
            return name
    return ""


def _guess(content: bytes) -> str:
    """Return the encoding of text that is not UTF-8; Western if nothing is sure."""
    best = from_bytes(content[:_GUESSED_BYTES]).best()
    if best is None or best.coherence < _MIN_COHERENCE:
        return "cp1252"
    western = best.encoding in {"latin_1", "cp1250", "cp1252", "iso8859_15", "ascii"}
    return "cp1252" if western else best.encoding
