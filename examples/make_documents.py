"""Generates the example documents of the demo and their `documents.toml`.

    python examples/make_documents.py OUTDIR

Needs `reportlab` (PDF) and `python-pptx` (slides). Everything in the documents is
fictional: the Larch test stand, Tarnmoor Laboratory and its people do not exist.
The texts are in `sources/`. The output is reproducible byte by byte, and unchanged
files are not rewritten.
"""

from __future__ import annotations

import argparse
import math
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from manuscript import Manuscript, read_manuscript
from render_pdf import render_pdf
from render_slides import render_slides

SOURCES = Path(__file__).parent / "sources"

_HEADER = "# Written by examples/make_documents.py; one table per document version.\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the documents to the output folder; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=Path, help="folder to write into")
    outdir: Path = parser.parse_args(arguments).outdir
    outdir.mkdir(parents=True, exist_ok=True)
    written = total = 0
    for name, data in all_files():
        total += 1
        written += write_if_changed(outdir / name, data)
    sys.stdout.write(f"{total} files in {outdir}: {written} written\n")
    return 0


def all_files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file, `documents.toml` last."""
    manuscripts = [read_manuscript(path) for path in sorted(SOURCES.iterdir())]
    for manuscript in manuscripts:
        yield manuscript.file, render(manuscript)
    yield "calibration.dat", calibration_data()
    yield "documents.toml", documents_toml(manuscripts).encode()


def render(manuscript: Manuscript) -> bytes:
    """Return the content of a file, by its suffix and layout."""
    if manuscript.layout == "damaged":
        whole = render_pdf(manuscript)
        return whole[: len(whole) // 2]
    match Path(manuscript.file).suffix:
        case ".pdf":
            return render_pdf(manuscript)
        case ".pptx":
            return render_slides(manuscript)
        case ".md":
            return (markdown_head(manuscript) + manuscript.body).encode()
        case _:
            return manuscript.body.encode()


def markdown_head(manuscript: Manuscript) -> str:
    """Return the header of a Markdown file: title, number, date and authors."""
    return (
        f"# {manuscript.title}\n\n"
        f"{manuscript.id}, version {manuscript.version}, {manuscript.date}  \n"
        f"{', '.join(manuscript.authors)}\n\n"
    )


def calibration_data() -> bytes:
    """Return a binary table of pulser gains, which cannot be extracted."""
    gains = (14.0 + 0.3 * math.sin(channel / 7) for channel in range(1148))
    return b"LTSCAL\x00\x01" + b"".join(struct.pack("<f", gain) for gain in gains)


def documents_toml(manuscripts: list[Manuscript]) -> str:
    """Return the text of `documents.toml`, without unlisted files.

    Sources with the same number and version are files of one document, with the
    metadata of the first one.
    """
    grouped: dict[tuple[str, int], list[Manuscript]] = {}
    for manuscript in manuscripts:
        if manuscript.listed:
            key = (manuscript.id, manuscript.version)
            grouped.setdefault(key, []).append(manuscript)
    return _HEADER + "".join(_table(grouped[key]) for key in sorted(grouped))


def _table(parts: list[Manuscript]) -> str:
    """Return a `[[document]]` table."""
    first = parts[0]
    lines = ["", "[[document]]", f"id = {_text(first.id)}"]
    if first.version != 1:
        lines.append(f"version = {first.version}")
    lines.append(f"title = {_text(first.title)}")
    lines.append(f"authors = {_texts(first.authors)}")
    lines.append(f"date = {first.date.isoformat()}")
    if first.status:
        lines.append(f"status = {_text(first.status)}")
    if first.access:
        lines.append(f"access = {_texts(first.access)}")
    lines.append(f"files = {_texts(tuple(part.file for part in parts))}")
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """Return a TOML string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _texts(values: tuple[str, ...]) -> str:
    """Return a TOML array of strings."""
    return "[" + ", ".join(_text(value) for value in values) + "]"


def write_if_changed(path: Path, data: bytes) -> bool:
    """Write a file unless it is unchanged; return whether it was written."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.write_bytes(data)
    return True


if __name__ == "__main__":
    sys.exit(main())
