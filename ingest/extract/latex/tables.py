"""Rows of LaTeX tables, with merged cells in each place that they cover."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dunegpt.ingest.extract.clean import join_row, to_one_line
from dunegpt.ingest.extract.latex.macros import read_argument, read_optional
from dunegpt.ingest.extract.table_rows import Cell, is_full_width, merge_heads

TABLES = ("tabular", "tabular*", "tabularx", "tabulary", "longtable", "longtabu",
          "tabu", "supertabular", "xltabular", "tblr", "array")  # fmt: skip
_WITH_WIDTH = frozenset({"tabular*", "tabularx", "tabulary", "xltabular"})
_RULE = re.compile(
    r"\s*(?:\\(?:hline|toprule|bottomrule|firsthline|lasthline|midrule|specialrule"
    r"|addlinespace|cmidrule|cline|hhline|noalign|rowcolor|arrayrulecolor|tabularnewline"
    r"|morecmidrules|Xhline|cdashline|hdashline|endfoot|endlastfoot)\*?"
    r"(?:\([^)]*\)|\[[^\]]*\]|\{[^{}]*\})*)"
)
_WHOLE_RULE = re.compile(r"\\(?:midrule|hline|Xhline|hhline|hdashline)")
_LONG = re.compile(r"\\(endfirsthead|endhead|endfoot|endlastfoot)(?![A-Za-z])")
_MULTIROW = re.compile(r"\\multirow(?:cell)?(?:\s*\[[^\]]*\])?\s*(?=\{)")
_MULTICOLUMN = re.compile(r"\\multicolumn\s*(?=\{)")
_BREAK = re.compile(
    r"\\\\\*?(?:\s*\[[-\d.]+\s*[a-z]{2}\])?|\\tabularnewline(?![A-Za-z])"
)


@dataclass(frozen=True, slots=True)
class _Row:
    cells: list[Cell]
    has_rule_above: bool


def format_table(name: str, content: str, convert: Callable[[str], str]) -> list[str]:
    """Return the title lines and rows of a table, each on one line.

    Args:
        name: The environment.
        content: What is between its begin and end, with its arguments.
        convert: Returns the text of a cell.
    """
    columns, body = _skip_arguments(name, content)
    rows = list(_iter_rows(_drop_repeated_heads(body), convert))
    if joints := _find_joints(columns, convert):
        rows = [
            _Row(_join_cells(row.cells, joints), row.has_rule_above) for row in rows
        ]
    grid = _fill([row.cells for row in rows])
    lines = list[str]()
    first = 0
    while first < len(grid) and is_full_width(grid[first]):
        lines.append(to_one_line(grid[first][0].text))
        first += 1
    head = _count_head_rows(rows, first)
    if head > 1:
        texts = [[cell.text for cell in row] for row in grid[first : first + head]]
        lines.append(join_row(merge_heads(texts)))
        first += head
    for row in grid[first:]:
        group = is_full_width(row)
        texts_of_row = [row[0].text, *[""] * (len(row) - 1)]
        lines.append(join_row(texts_of_row if group else [cell.text for cell in row]))
    return [line for line in lines if line]


def _skip_arguments(name: str, content: str) -> tuple[str, str]:
    """Return the columns that a table declares, and what is behind its arguments."""
    columns, at = "", 0
    _, at = read_optional(content, at)
    for _ in range(2 if name in _WITH_WIDTH else 1):
        columns, at = read_argument(content, at)
    return columns, content[at:]


def _find_joints(columns: str, convert: Callable[[str], str]) -> dict[int, str]:
    """Return what joins a column with the next one, as the dot of ``r@{.}l`` does."""
    joints, column, at = dict[int, str](), -1, 0
    while at < len(columns):
        if columns[at] in "@!":
            inner, end = read_argument(columns, at + 1)
            text = convert(inner).strip()
            if columns[at] == "@" and text and column >= 0 and end < len(columns):
                joints[column] = text
        elif columns[at] in "><*":
            if columns[at] == "*":
                return {}
            _, end = read_argument(columns, at + 1)
        else:
            column += columns[at].isalpha()
            end = at + 1
            if columns[end : end + 1] == "{":
                _, end = read_argument(columns, end)
        at = max(end, at + 1)
    return joints


def _join_cells(cells: list[Cell], joints: dict[int, str]) -> list[Cell]:
    """Return the cells of a row, those that are joined by a text as one."""
    joined, column, is_open = list[Cell](), 0, False
    for cell in cells:
        last = column + cell.columns - 1
        inside = sum(column <= joint < last for joint in joints)
        if is_open and joined[-1].text and cell.text:
            text = f"{joined[-1].text}{joints[column - 1]}{cell.text}"
        else:
            text = f"{joined[-1].text}{cell.text}" if is_open else cell.text
        if is_open:
            joined.pop()
        joined.append(Cell(text, cell.rows, max(cell.columns - inside, 1)))
        column = last + 1
        is_open = last in joints
    return joined


def _drop_repeated_heads(content: str) -> str:
    """Return a long table without the heads and feet that are for its later pages."""
    parts, marks = list[str](), list[str]()
    end = 0
    for match in _LONG.finditer(content):
        parts.append(content[end : match.start()])
        marks.append(match[1])
        end = match.end()
    kept = [
        part
        for part, mark in zip(parts, marks, strict=True)
        if mark in {"endfirsthead", "endlastfoot"}
        or (mark == "endhead" and "endfirsthead" not in marks)
    ]
    return "".join([*kept, content[end:]])


def _iter_rows(content: str, convert: Callable[[str], str]) -> Iterator[_Row]:
    for source in _split(content, _BREAK):
        rest, has_rule = source, False
        while match := _RULE.match(rest):
            has_rule = has_rule or bool(_WHOLE_RULE.search(match[0]))
            rest = rest[match.end() :]
        if rest.strip():
            cells = list(_iter_cells(rest, convert))
            yield _Row(cells, has_rule)
        elif has_rule:
            yield _Row([], has_rule)


def _iter_cells(row: str, convert: Callable[[str], str]) -> Iterator[Cell]:
    for source in _split(row, re.compile("&")):
        rows = columns = 1
        text = source.strip()
        if match := _MULTICOLUMN.match(text):
            count, at = read_argument(text, match.end())
            _, at = read_argument(text, at)
            inner, _ = read_argument(text, at)
            columns, text = _parse(count), inner.strip()
        if match := _MULTIROW.match(text):
            count, at = read_argument(text, match.end())
            _, at = read_optional(text, at)
            _, at = read_argument(text, at)
            _, at = read_optional(text, at)
            inner, _ = read_argument(text, at)
            rows, text = _parse(count, negative=True), inner
        yield Cell(to_one_line(convert(text)), rows, max(columns, 1))


def _fill(rows: list[list[Cell]]) -> list[list[Cell]]:
    """Return the rows with merged cells repeated; below one, LaTeX has empty cells."""
    grid = [[cell for cell in row for _ in range(cell.columns)] for row in rows if row]
    for number, row in enumerate(grid):
        for column, cell in enumerate(row):
            step = 1 if cell.rows > 0 else -1
            for other in range(number + step, number + cell.rows, step):
                if not 0 <= other < len(grid) or column >= len(grid[other]):
                    break
                if grid[other][column].text:
                    break
                grid[other][column] = cell
    return grid


def _count_head_rows(rows: list[_Row], first: int) -> int:
    """Return how many rows stand above the first rule within a table."""
    filled = [row for row in rows if row.cells]
    for number, row in enumerate(filled[first + 1 :], start=1):
        if row.has_rule_above:
            return number if number < len(filled) - first else 0
    return 0


def _split(text: str, separator: re.Pattern[str]) -> list[str]:
    """Return the parts between separators that are in no braces or environment."""
    parts, begin, at, depth = list[str](), 0, 0, 0
    nested = re.compile(r"\\(begin|end)\{")
    while at < len(text):
        char = text[at]
        if not depth and (match := separator.match(text, at)):
            parts.append(text[begin:at])
            begin = at = match.end()
            continue
        if match := nested.match(text, at):
            depth += 1 if match[1] == "begin" else -1
            at = match.end() - 1
            continue
        depth += (char == "{") - (char == "}")
        at += 2 if char == "\\" else 1
    return [*parts, text[begin:]]


def _parse(count: str, *, negative: bool = False) -> int:
    text = count.strip().removeprefix("-")
    number = min(int(text), 1000) if text.isdigit() else 1
    return -number if negative and count.strip().startswith("-") else number
