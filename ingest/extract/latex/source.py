"""What of a LaTeX source is typeset at all.

Comments, ``comment`` environments and branches that are switched off are taken out, but
for their line breaks, so that the lines of what remains are known. Verbatim text and
addresses, in which ``%`` is a character, are put aside. Runs nothing, reads no file.
"""

import re

EATEN_BREAK = "\x1f"
"""A line break of the file that is none of the text."""

_OPEN, _CLOSE = "\ue000", "\ue001"
_KEPT = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_VERBATIM = r"verbatim\*?|[BL]?Verbatim\*?|lstlisting|minted|alltt|filecontents\*?"
_PIECE = re.compile(
    rf"\\begin\{{(?P<name>{_VERBATIM})\}}(?P<body>.*?)\\end\{{(?P=name)\}}"
    r"|\\(?:verb\*?|lstinline\*?(?:\[[^\]]*\])?)(?P<sign>[^\w\s*{])(?P<code>[^\n]*?)(?P=sign)"
    r"|\\(?P<link>url|nolinkurl|path|href|lstinline|mintinline\{\w+\})\s*\{(?P<address>[^{}]*)\}"
    r"|\\begin\{(?P<left_out>comment)\}.*?\\end\{comment\}"
    r"|(?P<escaped>\\[^A-Za-z])|%[^\n]*(?:\n[ \t]*)?",
    re.S,
)
_EXCLUDED = re.compile(r"\\excludecomment\{(\w+)\}")
_CONDITIONALS = frozenset(
    """if ifx ifnum ifdim ifodd ifcase iftrue iffalse ifdefined ifcsname ifmmode ifvmode
    ifhmode ifinner ifcat ifeof ifvoid ifhbox ifvbox ifpdf ifxetex ifluatex""".split()
)
_COMPARED = {"if": 2, "ifx": 2, "ifcat": 2, "ifdefined": 1}
"""How many tokens a condition takes."""

_TOKEN = re.compile(r"\s*(?:\\[A-Za-z@]+\s*|\\?.)", re.S)
_NEW_CONDITIONAL = re.compile(r"\\newif\s*\\if([A-Za-z@]+)")
_BRANCH = re.compile(r"\\(if[A-Za-z@]*|else|or|fi)(?![A-Za-z@])")
_STOP = re.compile(r"\\(?:end\{document\}|endinput(?![A-Za-z]))")


class LatexSource:
    """A source without what is not typeset.

    Attributes:
        preamble: The part before the document, which is not typeset.
        body: The document.
        first_line: Line of the file in which the body begins, from 1.
    """

    def __init__(self, text: str) -> None:
        self._kept = list[str]()
        excluded = "|".join(map(re.escape, _EXCLUDED.findall(text)))
        if excluded:
            pattern = rf"\\begin\{{({excluded})\}}.*?\\end\{{\1\}}"
            text = re.sub(pattern, lambda m: _keep_breaks(m[0]), text, flags=re.S)
        text = _drop_branches(_PIECE.sub(self._put_aside, text))
        stop = _STOP.search(text)
        text = text[: stop.start()] if stop else text
        begin = text.find("\\begin{document}")
        start = begin + len("\\begin{document}") if begin >= 0 else 0
        self.preamble, self.body = text[:start], text[start:]
        self.first_line = 1 + count_breaks(self.preamble)

    def restore(self, text: str) -> str:
        """Return a text with what was put aside in its place again."""
        return _KEPT.sub(lambda match: self._kept[int(match[1])], text)

    def _put_aside(self, piece: re.Match[str]) -> str:
        if piece["escaped"]:
            return piece[0]
        if piece["body"] is not None:
            kept = self._keep(piece["body"].strip("\n"))
            return f"\n{kept}\n" + EATEN_BREAK * max(piece[0].count("\n") - 2, 0)
        if piece["sign"]:
            return self._keep(piece["code"])
        if piece["link"] == "href":
            return f"\\href{{{self._keep(piece['address'])}}}"
        if piece["link"]:
            return self._keep(piece["address"])
        return _keep_breaks(piece[0])

    def _keep(self, text: str) -> str:
        self._kept.append(text)
        return f"{_OPEN}{len(self._kept) - 1}{_CLOSE}"


def count_breaks(text: str) -> int:
    """Return how many lines of the file a text covers, less one."""
    return text.count("\n") + text.count(EATEN_BREAK)


def _keep_breaks(text: str) -> str:
    return EATEN_BREAK * text.count("\n")


def _drop_branches(text: str) -> str:
    """Return a text without the branches of conditionals that are switched off.

    Of a condition that is unknown here, both branches stay.
    """
    states = dict.fromkeys(_NEW_CONDITIONAL.findall(text), False)
    switch = re.compile(
        rf"\\({'|'.join(map(re.escape, states))})(true|false)(?![A-Za-z@])"
    )
    pieces, end, open_branches = list[str](), 0, list[tuple[bool, bool | None]]()
    shown = True
    for match in _BRANCH.finditer(text):
        name = match[1]
        piece = text[end : match.start()]
        if shown and states:
            states |= {m[1]: m[2] == "true" for m in switch.finditer(piece)}
        if _is_conditional(name, states):
            if text[: match.start()].rstrip().endswith("\\newif"):
                continue
        elif name not in {"else", "or", "fi"} or not open_branches:
            continue
        pieces.append(piece if shown else _keep_breaks(piece))
        end = _skip_tokens(text, match.end(), _COMPARED.get(name, 0))
        if name == "fi":
            shown = open_branches.pop()[0]
        elif name in {"else", "or"}:
            outer, value = open_branches[-1]
            shown = outer and value is not True
        else:
            value = _evaluate(name, states)
            open_branches.append((shown, value))
            shown = shown and value is not False
    rest = text[end:]
    return "".join([*pieces, rest if shown else _keep_breaks(rest)])


def _skip_tokens(text: str, at: int, count: int) -> int:
    for _ in range(count):
        match = _TOKEN.match(text, at)
        at = match.end() if match else at
    return at


def _is_conditional(name: str, states: dict[str, bool]) -> bool:
    return name in _CONDITIONALS or name.removeprefix("if") in states


def _evaluate(name: str, states: dict[str, bool]) -> bool | None:
    """Return the value of a condition; None if it is unknown."""
    known = {"iftrue": True, "iffalse": False}
    return known.get(name, states.get(name.removeprefix("if")))
