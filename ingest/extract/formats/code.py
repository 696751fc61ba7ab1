"""Source code and configuration files: one page per function, class or section."""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from dunegpt.ingest.extract.clean import clean_text
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.formats.plain_text import split_lines
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_BRACE_SUFFIXES = (
    ".c .cc .cpp .cxx .h .hh .hpp .hxx .icc .cu .java .js .ts .go .rs .scala .kt .swift"
)
_DEFINITION_PATTERNS = {
    **dict.fromkeys(
        _BRACE_SUFFIXES.split(),
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


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the functions and sections of a file; long ones span several pages."""
    text = decode(task.path.read_bytes())
    lines = text.split("\n")
    suffix = PurePosixPath(task.name).suffix.lower()
    starts = (
        _python_definitions(text)
        if suffix == ".py"
        else _pattern_definitions(lines, suffix)
    )
    number = 0
    for name, first, last in _iter_blocks(starts, len(lines)):
        for part, line in split_lines(lines[first - 1 : last], first):
            number += 1
            body = clean_text("\n".join(part), keep_layout=True)
            begin = line + _count_blank_lines(part)
            label = f"{PurePosixPath(task.name).name}, line {begin}"
            yield Page(number, name, body, label, begin)


def _count_blank_lines(lines: list[str]) -> int:
    """Return the number of leading blank lines, which a page leaves out."""
    return next((n for n, line in enumerate(lines) if clean_text(line)), 0)


def _iter_blocks(
    starts: list[tuple[int, str]], count: int
) -> Iterator[tuple[str, int, int]]:
    """Yield name, first and last line of each block; join short ones with the next."""
    blocks = [(1, ""), *((line, name) for line, name in starts if line > 1)]
    if starts and starts[0][0] == 1:
        blocks[0] = starts[0]
    first, name = blocks[0]
    for begin, following in blocks[1:]:
        if begin - first < _SHORT_LINES:
            name = following
            continue
        yield name, first, begin - 1
        first, name = begin, following
    yield name, first, count


def _python_definitions(text: str) -> list[tuple[int, str]]:
    """Return first line and name of all functions, classes and methods."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _pattern_definitions(text.split("\n"), ".rb")
    return sorted(_iter_definitions(tree, ""))


def _iter_definitions(node: ast.AST, outer: str) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
            name = f"{outer}{child.name}"
            yield first, name
            if isinstance(child, ast.ClassDef):
                yield from _iter_definitions(child, f"{name}.")


def _pattern_definitions(lines: list[str], suffix: str) -> list[tuple[int, str]]:
    """Return first line and name of each line that looks like a definition."""
    pattern = _DEFINITION_PATTERNS.get(suffix)
    if pattern is None:
        return []
    start = re.compile(pattern, re.I)
    definitions = []
    for number, line in enumerate(lines, start=1):
        match = start.match(line[:400])
        if match and match["name"].lower() not in {"if", "for", "while", "switch"}:
            definitions.append((_comment_start(lines, number), match["name"].strip()))
    return definitions


def _comment_start(lines: list[str], number: int) -> int:
    """Return the first line of the comment right above a definition."""
    while number > 1 and lines[number - 2].lstrip().startswith(("//", "/*", "*", "#")):
        number -= 1
    return number
