"""Source code and settings to pages: a function, class or section, with its lines."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.task import Task
from dunegpt.ingest.extract.text import parts
from dunegpt.types import Page

_BRACES = (
    ".c .cc .cpp .cxx .h .hh .hpp .hxx .icc .cu .java .js .ts .go .rs .scala .kt .swift"
)
_STARTS = {
    **dict.fromkeys(
        _BRACES.split(),
        r"(?!\s|[#/*}{]|using\b|typedef\b|extern\b|return\b)"
        r"(?:[\w:<>,*&~\[\]\s]+?)?\b(?P<name>[~\w:]+)\s*(?:\([^;]*|\{[^;]*)$",
    ),
    **dict.fromkeys(
        [".f", ".f90", ".f77", ".for"],
        r"\s*(?!end)(?:[\w*() ]+\s)?(?:subroutine|function|program|module)\s+"
        r"(?P<name>\w+)",
    ),
    **dict.fromkeys(
        [".sh", ".bash", ".zsh"], r"(?:function\s+)?(?P<name>[\w-]+)\s*\(\)"
    ),
    **dict.fromkeys([".ini", ".cfg", ".toml"], r"\[+(?P<name>[^\]]+)\]+"),
    **dict.fromkeys([".yaml", ".yml"], r"(?P<name>[\w-]+):\s*(?:#.*)?$"),
    ".fcl": r"(?P<name>[\w.]+)\s*:\s*(?:@\w+::[\w.]+)?\s*\{?",
    ".rb": r"(?:def|class|module)\s+(?P<name>[\w.:]+)",
    ".pl": r"sub\s+(?P<name>\w+)",
    ".pm": r"sub\s+(?P<name>\w+)",
    ".r": r"(?P<name>[\w.]+)\s*(?:<-|=)\s*function",
    ".jl": r"(?:function|struct|module|macro)\s+(?P<name>[\w.!]+)",
    ".lua": r"(?:local\s+)?function\s+(?P<name>[\w.:]+)",
    ".tcl": r"proc\s+(?P<name>[\w:]+)",
}
_SHORT_LINES = 4


def pages(task: Task) -> Iterator[Page]:
    """Yield the functions and sections of a file, long ones in parts."""
    text = decode(task.path.read_bytes())
    lines = text.split("\n")
    ending = PurePosixPath(task.name).suffix.lower()
    starts = _python(text) if ending == ".py" else _by_pattern(lines, ending)
    number = 0
    for name, first, last in _blocks(starts, len(lines)):
        for part, line in parts(lines[first - 1 : last], first):
            number += 1
            body = clean("\n".join(part), keep_layout=True)
            begin = line + _blank(part)
            label = f"{PurePosixPath(task.name).name}, line {begin}"
            yield Page(number, name, body, label, begin)


def _blank(lines: list[str]) -> int:
    """Return how many lines before the first that says something: a page lacks them."""
    return next((n for n, line in enumerate(lines) if clean(line)), 0)


def _blocks(
    starts: list[tuple[int, str]], count: int
) -> Iterator[tuple[str, int, int]]:
    """Yield name, first and last line of each block; the shortest go with the next."""
    found = [(1, ""), *((line, name) for line, name in starts if line > 1)]
    if starts and starts[0][0] == 1:
        found[0] = starts[0]
    first, name = found[0]
    for begin, following in found[1:]:
        if begin - first < _SHORT_LINES:
            name = following
            continue
        yield name, first, begin - 1
        first, name = begin, following
    yield name, first, count


def _python(text: str) -> list[tuple[int, str]]:
    """Return first line and name of functions, classes and their methods."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _by_pattern(text.split("\n"), ".rb")
    return sorted(_definitions(tree, ""))


def _definitions(node: ast.AST, outer: str) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
            name = f"{outer}{child.name}"
            yield first, name
            if isinstance(child, ast.ClassDef):
                yield from _definitions(child, f"{name}.")


def _by_pattern(lines: list[str], ending: str) -> list[tuple[int, str]]:
    """Return first line and name of what looks like a definition at the left edge."""
    pattern = _STARTS.get(ending)
    if pattern is None:
        return []
    start = re.compile(pattern, re.I)
    found = []
    for number, line in enumerate(lines, start=1):
        match = start.match(line[:400])
        if match and match["name"].lower() not in {"if", "for", "while", "switch"}:
            found.append((_above(lines, number), match["name"].strip()))
    return found


def _above(lines: list[str], number: int) -> int:
    """Return where the comment begins that stands right above a definition."""
    while number > 1 and lines[number - 2].lstrip().startswith(("//", "/*", "*", "#")):
        number -= 1
    return number
