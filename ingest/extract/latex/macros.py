"""Expands the macros that a LaTeX source defines itself."""

import re
from dataclasses import dataclass

_COMMAND = re.compile(r"\\([A-Za-z@]+)\*?")
_DEFINITIONS = frozenset(
    """newcommand renewcommand providecommand DeclareRobustCommand def gdef edef
    DeclareMathOperator NewDocumentCommand RenewDocumentCommand ProvideDocumentCommand
    DeclareDocumentCommand let newenvironment renewenvironment""".split()
)
_PARAMETER = re.compile(r"#(\d)")
_DOCUMENT_ARGUMENT = re.compile(r"[ms]|o|O\s*\{([^{}]*)\}")
_MAX_DEPTH = 20
_MAX_CHARACTERS = 500_000


@dataclass(frozen=True, slots=True)
class Macro:
    """A definition.

    Attributes:
        defaults: One for each argument; None for a mandatory one.
    """

    body: str
    defaults: tuple[str | None, ...] = ()


class Macros:
    """The macros that are defined so far, by name."""

    def __init__(self) -> None:
        self._known = dict[str, Macro]()
        self._room = _MAX_CHARACTERS

    def expand(self, text: str, depth: int = 0) -> str:
        """Return a text with macros expanded; learn those that it defines."""
        pieces, at = list[str](), 0
        while match := _COMMAND.search(text, at):
            if (
                match.start()
                and text[match.start() - 1] == "\\"
                and (
                    len(text[: match.start()]) - len(text[: match.start()].rstrip("\\"))
                )
                % 2
            ):
                pieces.append(text[at : match.end()])
                at = match.end()
                continue
            pieces.append(text[at : match.start()])
            at = match.end()
            name = match[1]
            if name in _DEFINITIONS:
                at = self._define(name, text, at)
            elif name in self._known and depth < _MAX_DEPTH and self._room > 0:
                made, at = self._apply(self._known[name], text, match.end(1))
                self._room -= len(made)
                made = self.expand(made, depth + 1)
                pieces.append(_end_word(made, text[at : at + 1]))
            else:
                pieces.append(match[0])
        return "".join([*pieces, text[at:]])

    def _apply(self, macro: Macro, text: str, at: int) -> tuple[str, int]:
        arguments = list[str]()
        begin = at
        for default in macro.defaults:
            if default is not None:
                found, at = read_optional(text, at)
                arguments.append(default if found is None else found)
            else:
                found, at = read_argument(text, at)
                arguments.append(found)
        if not arguments:
            at = begin
        return (
            _PARAMETER.sub(
                lambda m: (
                    arguments[int(m[1]) - 1] if 0 < int(m[1]) <= len(arguments) else ""
                ),
                macro.body,
            ),
            at,
        )

    def _define(self, kind: str, text: str, at: int) -> int:
        """Learn a definition; return where it ends."""
        if kind.endswith("environment"):
            _, at = read_argument(text, at)
            for _ in range(2):
                _, at = read_optional(text, at)
            for _ in range(2):
                _, at = read_argument(text, at)
            return at
        name, at = read_argument(text, at)
        name = name.strip().removeprefix("\\")
        if kind == "let":
            value, at = read_argument(text, _skip(text, at, "="))
            self._known[name] = self._known.get(value.removeprefix("\\"), Macro(value))
            return at
        defaults, at = _read_parameters(kind, text, at)
        body, at = read_argument(text, at)
        if kind == "DeclareMathOperator":
            body = f"\\mathrm{{{body}}}"
        if name.isalpha() or "@" in name:
            self._known[name] = Macro(body, defaults)
        return at


def _read_parameters(
    kind: str, text: str, at: int
) -> tuple[tuple[str | None, ...], int]:
    """Return the default of each argument of a definition, and where they end."""
    if kind.endswith("def"):
        begin = text.find("{", at)
        begin = begin if begin >= 0 else len(text)
        return (None,) * text[at:begin].count("#"), begin
    if kind.endswith("DocumentCommand"):
        spec, at = read_argument(text, at)
        found = _DOCUMENT_ARGUMENT.finditer(spec)
        return tuple(None if m[0] == "m" else (m[1] or "") for m in found), at
    if kind == "DeclareMathOperator":
        return (), at
    count, at = read_optional(text, at)
    number = int(count) if count and count.strip().isdigit() else 0
    first, at = read_optional(text, at)
    defaults = [None] * number
    return (first, *defaults[1:]) if first is not None else tuple(defaults), at


def read_argument(text: str, at: int) -> tuple[str, int]:
    """Return the argument that begins at an index, without braces, and its end.

    One without braces is a single character or command.
    """
    at = _skip(text, at, "")
    if at >= len(text):
        return "", at
    if text[at] == "{":
        end = find_close(text, at)
        return text[at + 1 : end], end + 1
    if match := re.compile(r"\\(?:[A-Za-z@]+|.)", re.S).match(text, at):
        return match[0], match.end()
    return text[at], at + 1


def read_optional(text: str, at: int) -> tuple[str | None, int]:
    """Return the argument in brackets that begins at an index, if any, and its end."""
    begin = _skip(text, at, "")
    if text[begin : begin + 1] != "[":
        return None, at
    depth = 0
    for index in range(begin + 1, len(text)):
        if text[index] == "]" and not depth:
            return text[begin + 1 : index], index + 1
        depth += (text[index] == "{") - (text[index] == "}")
    return None, at


def find_close(text: str, at: int) -> int:
    """Return the index of the brace that closes the one at an index, or the end."""
    depth, index = 0, at
    while index < len(text):
        if text[index] == "\\":
            index += 1
        elif text[index] == "{":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if not depth:
                return index
        index += 1
    return len(text)


def _skip(text: str, at: int, also: str) -> int:
    while at < len(text) and (text[at].isspace() or text[at] in also):
        at += 1
    return at


def _end_word(made: str, following: str) -> str:
    """Return an expansion apart from a word that follows it."""
    ends = made.removesuffix("\\xspace")
    apart = ends != made and (following.isalnum() or following == "\\")
    return ends + " " if apart else ends
