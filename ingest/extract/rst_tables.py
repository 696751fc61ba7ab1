"""Tables of reStructuredText as rows: grids, simple tables, and those of directives.

Cells over several rows or columns count for each of them, and lines of one cell are
joined. Source: the docutils specification of reStructuredText, "Tables".
"""

import csv
import re
from collections.abc import Iterator

from dunegpt.ingest.extract.table_lines import format_grid
from dunegpt.ingest.extract.table_rows import Cell, expand_cells

GRID_RULE = re.compile(r"\s*\+(?:[-=]+\+)+\s*$")
SIMPLE_RULE = re.compile(r"\s*={2,}(?:\s+={2,})+\s*$")
_SPAN_RULE = re.compile(r"\s*-{2,}(?:\s+-{2,})*\s*$")
_DIRECTIVE = re.compile(r"\s*\.\. (csv|list)-table:: *(.*)$")
_OPTION = re.compile(r"\s*:([\w-]+): *(.*)$")
_ITEM = re.compile(r"(\s*)([*+-])\s((?:[*+-](?:\s|$))?)(.*)$")
_MAX_SIDE = 2000

Rows = list[list[Cell]]


def read_table(lines: list[str], at: int) -> tuple[int, list[str]]:
    """Return the line after the table that begins at a line, and its rows as text.

    There are no rows, and the line is the same, if no table begins there.
    """
    directive = _DIRECTIVE.match(lines[at])
    if directive:
        end = _find_indented_end(lines, at)
        options, body = _read_options(lines[at + 1 : end])
        read = _read_csv if directive[1] == "csv" else _read_list
        rows = [*filter(None, [directive[2].strip()]), *_format(read(options, body))]
        return (end, rows) if rows else (at, [])
    if GRID_RULE.match(lines[at]):
        end = at
        while end < len(lines) and lines[end].strip()[:1] in {"+", "|"}:
            end += 1
        return _give(at, end, _read_grid(_cut_margin(lines[at:end])))
    if SIMPLE_RULE.match(lines[at]):
        end = _find_simple_end(lines, at)
        return _give(at, end, _read_simple(lines[at:end]))
    return at, []


def _give(at: int, end: int, rows: Rows) -> tuple[int, list[str]]:
    found = list(_format(rows))
    return (end, found) if found else (at, [])


def _format(rows: Rows) -> Iterator[str]:
    return format_grid(expand_cells(rows))


def _cut_margin(block: list[str]) -> list[str]:
    """Return lines of equal length without what they are indented by."""
    margin = len(block[0]) - len(block[0].lstrip())
    width = max(map(len, block))
    return [line.ljust(width)[margin:] for line in block]


def _read_grid(block: list[str]) -> Rows:
    """Return the cells of a grid by the row in which they begin; none if it is open."""
    if len(block) > _MAX_SIDE or len(block[0]) > _MAX_SIDE:
        return []
    found = []
    for top, line in enumerate(block):
        for left, character in enumerate(line):
            corner = _find_corner(block, top, left) if character == "+" else None
            if corner:
                found.append((top, left, *corner))
    tops, lefts = (sorted({each[side] for each in found}) for side in (0, 1))
    rule = next((at for at, line in enumerate(block) if "=" in line), 0)
    heads = rule if block[rule : rule + 1] and GRID_RULE.match(block[rule]) else 0
    rows: dict[int, list[Cell]] = {top: [] for top in tops}
    for top, left, bottom, right in found:
        inner = (line[left + 1 : right].strip() for line in block[top + 1 : bottom])
        text = " ".join(filter(None, inner))
        height = sum(top <= other < bottom for other in tops)
        width = sum(left <= other < right for other in lefts)
        rows[top].append(Cell(text, height, width, bottom <= heads))
    return list(rows.values())


def _find_corner(block: list[str], top: int, left: int) -> tuple[int, int] | None:
    """Return bottom and right of the cell that begins at a corner, if one does."""
    line = block[top]
    for right in range(left + 1, len(line)):
        if line[right] not in "-=+":
            return None
        if line[right] != "+":
            continue
        for bottom in range(top + 1, len(block)):
            if block[bottom][right] not in "|+" or block[bottom][left] not in "|+":
                break
            edge = block[bottom][left : right + 1]
            if edge[0] == edge[-1] == "+" and not edge.strip("-=+"):
                return (bottom, right) if bottom > top + 1 else None
    return None


def _find_simple_end(lines: list[str], at: int) -> int:
    """Return the line after a simple table: its last rule stands above a blank line."""
    for end in range(at + 1, len(lines)):
        is_last = end + 1 == len(lines) or not lines[end + 1].strip()
        if is_last and end > at + 1 and SIMPLE_RULE.match(lines[end]):
            return end + 1
    return at


def _read_simple(block: list[str]) -> Rows:
    """Return the cells of a simple table; a line without a first cell goes on."""
    rules = [at for at, line in enumerate(block) if SIMPLE_RULE.match(line)]
    if len(rules) < 2:
        return []
    columns = [match.span() for match in re.finditer("=+", block[0])]
    starts = [begin for begin, _ in columns]
    head = rules[1] if len(rules) > 2 else 0
    rows: Rows = []
    for at in range(1, len(block)):
        line, below = block[at], block[at + 1] if at + 1 < len(block) else ""
        if not line.strip() or at in rules or _SPAN_RULE.match(line):
            continue
        edges = starts
        if _SPAN_RULE.match(below):
            edges = [match.start() for match in re.finditer("-+", below)]
        ends = [*edges[1:], len(line)]
        texts = [line[a:b].strip() for a, b in zip(edges, ends, strict=True)]
        if not texts[0] and rows and len(texts) == len(rows[-1]) == len(starts):
            rows[-1] = [
                Cell(f"{cell.text} {text}".strip(), 1, cell.columns, cell.is_head)
                for cell, text in zip(rows[-1], texts, strict=True)
            ]
            continue
        widths = [
            sum(a <= start < b for start in starts)
            for a, b in zip(edges, [*edges[1:], _MAX_SIDE], strict=True)
        ]
        cells = zip(texts, widths, strict=True)
        rows.append([Cell(text, 1, max(n, 1), at < head) for text, n in cells])
    return rows


def _find_indented_end(lines: list[str], at: int) -> int:
    """Return the line after the indented block of a directive."""
    margin = len(lines[at]) - len(lines[at].lstrip())
    end = at + 1
    while end < len(lines):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) <= margin:
            break
        end += 1
    return end


def _read_options(block: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the options of a directive, and the lines below them."""
    options, at = dict[str, str](), 0
    while at < len(block) and (match := _OPTION.match(block[at])):
        options[match[1]] = match[2].strip()
        at += 1
    return options, [line for line in block[at:] if line.strip()]


def _count_heads(options: dict[str, str]) -> int:
    count = options.get("header-rows", "")
    return int(count) if count.isdecimal() else 0


def _read_csv(options: dict[str, str], body: list[str]) -> Rows:
    named = [options["header"]] if options.get("header") else []
    delimiter = options.get("delim", ",")
    delimiter = {"tab": "\t", "space": " "}.get(delimiter, delimiter)[:1] or ","
    lines = [f"{line.strip()}\n" for line in [*named, *body]]
    heads = len(named) + _count_heads(options)
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return [
        [Cell(" ".join(text.split()), is_head=at < heads) for text in row]
        for at, row in enumerate(rows)
    ]


def _read_list(options: dict[str, str], body: list[str]) -> Rows:
    """Return the cells of a list of lists: ``* - first`` begins a row."""
    heads, rows = _count_heads(options), list[list[str]]()
    outer = ""
    for line in body:
        match = _ITEM.match(line)
        if match and match[3]:
            outer = outer or match[2]
            rows.append([match[4].strip()])
        elif match and rows and match[2] != outer:
            rows[-1].append(match[4].strip())
        elif rows:
            rows[-1][-1] = f"{rows[-1][-1]} {line.strip()}".strip()
    return [[Cell(t, is_head=at < heads) for t in row] for at, row in enumerate(rows)]
