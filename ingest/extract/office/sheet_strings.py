"""Strings of Open XML workbooks: rich text, and the notes and comments of cells."""

import posixpath
import re
import zipfile
from typing import Any

from dunegpt.ingest.extract.clean import mark_struck, to_one_line
from dunegpt.ingest.extract.office.open_xml import (
    get_attribute,
    is_on,
    local_name,
    parse_xml,
    read_bytes,
    read_relations,
)
from dunegpt.text.typography import Shift, decode_symbols, join_runs

_SCRIPTS: dict[str, Shift] = {"superscript": "super", "subscript": "sub"}

Notes = dict[int, dict[int, str]]
"""The notes of a sheet, by row number and column."""


def read_notes(package: zipfile.ZipFile, part: str) -> Notes:
    """Return the notes and comments of a sheet."""
    notes, threads = Notes(), dict[tuple[int, int], list[str]]()
    names = set(package.namelist())
    for name in sorted(read_relations(package, part).values()):
        is_comment = "comment" in posixpath.basename(name).lower()
        if not is_comment or name not in names or not name.endswith(".xml"):
            continue
        root = parse_xml(read_bytes(package, name))
        if local_name(root) == "ThreadedComments":
            _read_threads(root, _read_people(package), threads)
        elif local_name(root) == "comments":
            _read_legacy_notes(root, notes)
    for (row, column), texts in threads.items():
        notes.setdefault(row, {})[column] = " ".join(texts)
    return notes


def _read_people(package: zipfile.ZipFile) -> dict[str, str]:
    names = [name for name in package.namelist() if name.startswith("xl/persons/")]
    return {
        node.get("id", ""): node.get("displayName", "")
        for name in names
        if name.endswith(".xml")
        for node in parse_xml(read_bytes(package, name)).iter("{*}person")
    }


def _read_threads(
    root: Any, people: dict[str, str], threads: dict[tuple[int, int], list[str]]
) -> None:
    for node in root.iterchildren("{*}threadedComment"):
        person = people.get(node.get("personId", ""), "")
        text = "".join(child.text or "" for child in node.iterchildren("{*}text"))
        place = parse_reference(node.get("ref", ""))
        threads.setdefault(place, []).append(_format_note(person, text))


def _read_legacy_notes(root: Any, notes: Notes) -> None:
    authors = [node.text or "" for node in root.iter("{*}author")]
    for node in root.iter("{*}comment"):
        row, column = parse_reference(node.get("ref", ""))
        at = node.get("authorId", "")
        author = authors[int(at)] if at.isdigit() and int(at) < len(authors) else ""
        text = " ".join(read_rich_text(each) for each in node.iterchildren("{*}text"))
        text = to_one_line(text)
        if author and text.startswith(f"{author}:"):
            text = text.removeprefix(f"{author}:").strip()
        is_thread = author.startswith("tc=")
        notes.setdefault(row, {})[column] = _format_note(
            "" if is_thread else author, text
        )


def _format_note(author: str, text: str) -> str:
    by = f" by {author}" if author else ""
    text = to_one_line(text)
    return f"[comment{by}: {text}]" if text else ""


def read_rich_text(node: Any) -> str:
    """Return the text of a string item, its runs as they are set."""
    direct = [child.text or "" for child in node.iterchildren("{*}t")]
    runs = list(node.iterchildren("{*}r"))
    if not runs:
        return "".join(direct)
    pieces = list[tuple[str, Shift]]()
    for run in runs:
        text = "".join(child.text or "" for child in run.iterchildren("{*}t"))
        shift: Shift = ""
        for properties in run.iterchildren("{*}rPr"):
            font, is_struck = read_font(properties)
            text = decode_symbols(text, font)[0]
            for align in properties.iterchildren("{*}vertAlign"):
                shift = _SCRIPTS.get(align.get("val", ""), "")
            text = mark_struck(text) if is_struck else text
        pieces.append((text, shift))
    return "".join([*direct, join_runs(pieces)])


def read_font(node: Any) -> tuple[str, bool]:
    """Return the name of a font, and whether it is struck out."""
    names = [*node.iterchildren("{*}name"), *node.iterchildren("{*}rFont")]
    strikes = list(node.iterchildren("{*}strike"))
    name = get_attribute(names[0], "val") if names else ""
    return name, bool(strikes) and is_on(strikes[0])


def parse_column(reference: str) -> int:
    """Return the column of a cell reference, from 0: ``AB12`` is 27."""
    column = 0
    for char in reference:
        if not "A" <= char <= "Z":
            break
        column = column * 26 + ord(char) - ord("A") + 1
    return max(column - 1, 0)


def parse_reference(reference: str) -> tuple[int, int]:
    """Return row number and column, the latter from 0, of a reference like ``B3``."""
    digits = re.sub(r"\D", "", reference)
    return int(digits or 0), parse_column(reference)
