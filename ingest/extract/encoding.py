"""Decodes bytes to text: byte order marks first, then UTF-8, then a guess.

A file may hold bytes of several encodings: each sequence that is UTF-8 is read as such,
and the bytes between them in the encoding that fits best.
"""

import re
from collections import Counter
from itertools import chain

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.legacy_encodings import guess_encoding

_BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_GUESSED_BYTES = 65_536
_MIN_COHERENCE = 0.2
_OTHER_SCRIPT = 0.35
_GOOD_SCORE = 0.6
_KANA = "[\u3040-\u30ff\u3001-\u300f]|(?<=[\u3040-\u30ff])[\u4e00-\u9fff]"
_EAST_ASIAN = {
    "shift_jis": (_KANA, 0.5),
    "euc_jp": (_KANA, 0.5),
    "euc_kr": ("[\uac00-\ud7a3]", 0.8),
    "gb18030": ("[\u4e00-\u9fff\u3001\u3002\uff0c]", 0.5),
}
"""What most characters of a text are in each encoding, and how many."""

_UTF8_SEQUENCE = (
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    rb"|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_UTF8 = re.compile(_UTF8_SEQUENCE)
_EUROPEAN_UTF8 = re.compile(  # letters of Latin and Greek, punctuation, signs
    rb"[\xc2-\xc5\xcd-\xcf][\x80-\xbf]|\xe2[\x80-\x8b][\x80-\xbf]"
)
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_ASCII_LETTER = re.compile(rb"[A-Za-z]")
_CONTINUATION = "[" + "".join(
    re.escape(char)
    for char in chain(
        map(chr, range(0x80, 0xC0)),
        bytes(range(0x80, 0xA0)).decode("cp1252", errors="ignore"),
    )
) + "]"  # fmt: skip
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1b\x08"))
_MISREAD = re.compile(f"[ÂÃÄÅÎÏ]{_CONTINUATION}|[â]{_CONTINUATION}{{2}}")
_C1_CONTROL = re.compile("[\x80-\x9f]")
_C1_CONTROLS = {
    code: char
    for code in range(0x80, 0xA0)
    if (char := bytes([code]).decode("cp1252", errors="ignore"))
}


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file look like text in any encoding."""
    if head.startswith(tuple(_BYTE_ORDER_MARKS)):
        return True
    if b"\0" in head and _detect_wide(head):
        return True
    control_count = len(head) - len(head.translate(None, _CONTROL_BYTES))
    return control_count * 100 <= max(len(head), 100)


def decode(content: bytes) -> str:
    """Return the decoded text, with line feeds as line ends.

    UTF-16 and UTF-32 are detected by their byte order mark or their zero bytes; then
    UTF-8, a one-byte encoding of Europe, or charset-normalizer's guess.

    Raises:
        ExtractError: The bytes are not text.
    """
    if not is_text(content[:4096]):
        raise ExtractError("The file is not text.")
    text = _decode_bytes(content)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode_damaged(content: bytes) -> str:
    """Return the text of bytes that are not, or not all, UTF-8."""
    valid = len(_UTF8.findall(content))
    other = len(_HIGH_BYTE.findall(_UTF8.sub(b"", content)))
    sequence = _UTF8 if valid >= other else _EUROPEAN_UTF8
    encoding = _guess_encoding(sequence.sub(b"~", content))
    if valid < other and (script := _guess_script(content, encoding)):
        return content.decode(script, errors="replace")
    if not valid:
        return content.decode(encoding, errors="replace").translate(_C1_CONTROLS)
    pieces = re.split(rb"((?:" + sequence.pattern + rb"|[\x00-\x7f]++)++)", content)
    decoded = (
        piece.decode("utf-8" if index % 2 else encoding, errors="replace")
        for index, piece in enumerate(pieces)
    )
    return repair_text("".join(decoded).removeprefix("\ufeff"))


def decode_as(content: bytes, charset: str) -> str:
    """Return bytes decoded as a message declares, or as they are if that is wrong."""
    name = charset.strip().lower().replace("_", "-")
    if not re.fullmatch(r"us-ascii|ascii|utf-?8|(?:iso-?)?8859-1|latin-?1|", name):
        try:
            return repair_text(content.decode(charset))
        except (LookupError, UnicodeError):
            pass
    if name.endswith("-1") or name.startswith("latin"):
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            return content.decode("cp1252", errors="replace")
    if b"\0" not in content[:4096]:
        return _decode_bytes(content)
    return decode(content)


def repair_text(text: str) -> str:
    """Return text in which UTF-8 that was read as Windows-1252 is read again.

    Control characters of Latin-1 are those of Windows-1252, such as dashes and quotes.

    >>> repair_text("152 Âµm thick, 2 Â± 1 V")
    '152 µm thick, 2 ± 1 V'
    """
    if text.isascii():
        return text
    return _C1_CONTROL.sub(_read_control, _MISREAD.sub(_read_again, text))


def _read_control(match: re.Match[str]) -> str:
    return _C1_CONTROLS.get(ord(match[0]), match[0])


def _read_again(match: re.Match[str]) -> str:
    try:
        return b"".join(map(_to_byte, match[0])).decode("utf-8")
    except UnicodeError:
        return match[0]


def _to_byte(character: str) -> bytes:
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _decode_bytes(content: bytes) -> str:
    for mark, name in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(name, errors="replace")
    if b"\0" in content[:4096] and (wide := _detect_wide(content[:4096])):
        return content.decode(wide, errors="replace")
    try:
        return repair_text(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return decode_damaged(content)


def _detect_wide(head: bytes) -> str:
    """Return the UTF-16 or UTF-32 variant of text without a byte order mark, or "".

    In UTF-16, the high bytes (every second byte) have few distinct values, zero among
    them.
    """
    for name, zeros in (("utf-32-le", head[3::4]), ("utf-32-be", head[0::4])):
        most = head[2::4] if name.endswith("le") else head[1::4]
        if len(zeros) > 1 and not any(zeros) and most.count(0) >= 0.9 * len(most):
            return name
    for name, high, low in (
        ("utf-16-le", head[1::2], head[0::2]),
        ("utf-16-be", head[0::2], head[1::2]),
    ):
        common = Counter(high).most_common(2)
        few = sum(count for _, count in common) >= 0.9 * len(high) and len(set(low)) > 3
        if few and high.count(0) >= 0.05 * len(high) and low.count(0) < 0.02 * len(low):
            return name
    return ""


def _guess_encoding(content: bytes) -> str:
    """Return the likeliest one-byte encoding of text that is not UTF-8."""
    return guess_encoding(_sample(content))[0]


def _guess_script(content: bytes, european: str) -> str:
    """Return the encoding of text in another script, of several bytes; "" if none."""
    sample = _sample(content)
    high, letters = len(_HIGH_BYTE.findall(sample)), len(_ASCII_LETTER.findall(sample))
    _, score = guess_encoding(sample)
    if score > _GOOD_SCORE or high <= _OTHER_SCRIPT * (high + letters):
        return ""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - searches import this module

    best = from_bytes(sample).best()
    if best is not None and best.coherence >= _MIN_COHERENCE:
        return "" if _is_one_byte(best.encoding) else best.encoding
    return next((n for n in _EAST_ASIAN if _is_east_asian(sample, n)), "")


def _is_east_asian(sample: bytes, encoding: str) -> bool:
    """Return whether most characters are of the script that an encoding is for."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    other = re.sub(r"[\x00-\x7f]", "", text)
    script, share = _EAST_ASIAN[encoding]
    return len(re.findall(script, other)) > share * len(other)


def _sample(content: bytes) -> bytes:
    """Return the first part of a text, or the first that is not ASCII."""
    first = _HIGH_BYTE.search(content)
    start = max(0, first.start() - 1000) if first else 0
    start = start if start + 1000 > _GUESSED_BYTES else 0
    return content[start : start + _GUESSED_BYTES]


def _is_one_byte(encoding: str) -> bool:
    """Return whether an encoding has one byte for each character."""
    return len(bytes(range(0x80, 0x100)).decode(encoding, errors="replace")) == 0x80
