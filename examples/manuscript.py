"""Parses the sources of the example documents: front matter, then blocks of text.

Defines the small Markdown dialect of `sources/`. Does not depend on PDF or PowerPoint.

A source starts with TOML between two `+++` lines. The body has paragraphs,
`#`/`##` headings, `-` lists, `1.` lists, `|` tables, `>` speaker notes, and
directives on a line of their own: `{{page}}`, `{{figure NAME: CAPTION}}`,
`{{table: CAPTION}}`, `{{group: ONE | TWO | THREE}}`.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal[
    "heading",
    "text",
    "bullets",
    "steps",
    "table",
    "caption",
    "notes",
    "page",
    "figure",
    "group",
]

_DIRECTIVE = re.compile(r"^\{\{(page|figure|table|group)\s*([\w-]*)\s*:?\s*(.*)\}\}$")
_PREFIXES: dict[str, Kind] = {"-": "bullets", "|": "table", ">": "notes"}
_STEP = re.compile(r"^\d+\.\s+")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of text.

    `lines` are the items of a list or the rows of a table; `level` is the depth of
    a heading or the first number of steps; `name` is the name of a figure.
    """

    kind: Kind
    lines: tuple[str, ...] = ()
    level: int = 0
    name: str = ""

    @property
    def text(self) -> str:
        """The lines joined by spaces."""
        return " ".join(self.lines)

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, without the rule below its header."""
        rows = [[c.strip() for c in s.strip("|").split("|")] for s in self.lines]
        return [row for row in rows if not set("".join(row)) <= set("-: ")]


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A file to generate, with its metadata for `documents.toml`."""

    file: str
    title: str
    authors: tuple[str, ...]
    date: datetime.date
    id: str
    version: int
    status: str
    access: tuple[str, ...]
    layout: str
    listed: bool
    body: str

    @property
    def label(self) -> str:
        """The document number with its version, such as `LTS-0003 v2`."""
        return f"{self.id} v{self.version}"


def read_manuscript(path: Path) -> Manuscript:
    """Return the manuscript in a source file.

    Raises:
        ValueError: The file has no front matter between two `+++` lines.
    """
    before, _, rest = path.read_text(encoding="utf-8").partition("+++\n")
    front, fence, body = rest.partition("+++\n")
    if before or not fence:
        raise ValueError(f"{path.name}: no front matter between two +++ lines")
    head = tomllib.loads(front)
    return Manuscript(
        file=head["file"],
        title=head["title"],
        authors=tuple(head["authors"]),
        date=head["date"],
        id=head["id"],
        version=head.get("version", 1),
        status=head.get("status", ""),
        access=tuple(head.get("access", ())),
        layout=head.get("layout", "plain"),
        listed=head.get("listed", True),
        body=body.strip() + "\n",
    )


def read_blocks(body: str) -> list[Block]:
    """Return the blocks of a body, in reading order."""
    return [
        block
        for chunk in re.split(r"\n\s*\n", body.strip())
        for block in _chunk_blocks(chunk.splitlines())
    ]


def _chunk_blocks(lines: list[str]) -> list[Block]:
    """Return the blocks in consecutive non-empty lines."""
    blocks: list[Block] = []
    run: list[str] = []
    for line in lines:
        directive = _DIRECTIVE.match(line)
        if directive or line.startswith("#"):
            if run:
                blocks.append(_run_block(run))
                run = []
            blocks.append(_directive(directive) if directive else _heading(line))
        else:
            run.append(line)
    if run:
        blocks.append(_run_block(run))
    return blocks


def _heading(line: str) -> Block:
    """Return the heading of a line that starts with `#`."""
    text = line.lstrip("#")
    return Block("heading", (text.strip(),), level=len(line) - len(text))


def _directive(match: re.Match[str]) -> Block:
    """Return the block of a `{{...}}` line."""
    kind, name, rest = match.groups()
    if kind == "group":
        return Block("group", tuple(part.strip() for part in rest.split("|")))
    if kind == "table":
        return Block("caption", (rest,))
    return Block("figure" if kind == "figure" else "page", (rest,), name=name)


def _run_block(lines: list[str]) -> Block:
    """Return the list, table, notes or paragraph of consecutive lines."""
    if _STEP.match(lines[0]):
        first = int(lines[0].split(".")[0])
        return Block("steps", _items(lines, _STEP), level=first)
    kind = _PREFIXES.get(lines[0][0], "text")
    if kind == "bullets":
        return Block(kind, _items(lines, re.compile(r"^-\s+")))
    if kind == "notes":
        return Block(kind, tuple(line.lstrip("> ") for line in lines))
    return Block(kind, tuple(lines))


def _items(lines: list[str], marker: re.Pattern[str]) -> tuple[str, ...]:
    """Return the items of a list without markers, with wrapped lines joined."""
    items: list[str] = []
    for line in lines:
        if marker.match(line):
            items.append(marker.sub("", line))
        else:
            items[-1] += " " + line.strip()
    return tuple(items)
