"""Finds citation marks as models write them, and removes them from the text.

The prompt asks for ``[2]``. Named models also write 【2】, 【2†source】, ``(2)`` at the
end of a sentence, ``[Passage 2]``, ``[1-3]`` and superscripts, before the full stop or
behind it.
"""

import re

from dunegpt.text.patterns import compile_re

MARK = (
    r"(?:\[\s?(?:(?:[Pp]assages?|[Ss]ources?|[Rr]efs?\.?|[Dd]oc(?:ument)?s?)\s?)?\^?#?\d{1,3}"
    r"(?:\s?(?:[,;&\u2013-]|and)\s?\#?(?:[Pp]assage\s)?\d{1,3})*\s?\]"
    r"|\u3010[^\u3011\n]{1,40}\u3011"
    r"|\((?:[Pp]assages?|[Ss]ources?)\s\d{1,3}(?:\s?(?:[,;&-]|and)\s?\d{1,3})*\)"
    r"|\((?:\[\d{1,3}\](?:,\s?)?)+\))"
)
"""A pattern of one mark: in square or full-width brackets, or round, with a word."""
_ROUND = compile_re(
    r"(?<=[\w%)\u201d\"])\s?\((\d{1,2}(?:\s?,\s?\d{1,2})*)\)(?=\s*(?:[.!?;]|$))"
)
_MARK = compile_re(rf"\s*{MARK}")
_NUMBERS = compile_re(r"(\d{1,3})(?:\s?[\u2013-]\s?(\d{1,3}))?")
_MAX_RANGE = 9


def split_marks(text: str) -> tuple[str, list[int]]:
    """Return a sentence without its marks, and the numbers in them, in order.

    >>> split_marks("It is 5 K【2†note】. (3)")
    ('It is 5 K.', [2, 3])
    """
    marks: list[int] = []
    for match in re.finditer(rf"{MARK}|{_ROUND.pattern}", text):
        inner = match[0].partition("\u2020")[0]
        for first, last in _NUMBERS.findall(inner):
            end = int(last) if last else int(first)
            if int(first) <= end <= int(first) + _MAX_RANGE:
                marks += range(int(first), end + 1)
    plain = _ROUND.sub("", _MARK.sub("", text))
    plain = re.sub(r"([.!?])\s*\((\d{1,2})\)\s*$", _take_last(marks), plain)
    return re.sub(r"\s+([.,;!?])", r"\1", plain).strip(), marks


def _take_last(marks: list[int]):  # type: ignore[no-untyped-def]
    def take(match: re.Match[str]) -> str:
        marks.append(int(match[2]))
        return match[1]

    return take
