"""Checks that each quote in `questions.toml` is on the page it names.

    python examples/check_questions.py OUTDIR

Needs `pypdfium2` and `python-pptx`. OUTDIR is a folder filled by make_documents.py.
Does not depend on the product: it reads the files by itself.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pypdfium2
from pptx import Presentation
from pptx.slide import Slide

QUESTIONS = Path(__file__).parent / "questions.toml"


def main(arguments: list[str] | None = None) -> int:
    """Check all questions; return 1 if a quote or document was not found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=Path, help="folder with the documents")
    outdir: Path = parser.parse_args(arguments).outdir
    questions = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))["question"]
    listed = tomllib.loads((outdir / "documents.toml").read_text(encoding="utf-8"))
    files = {
        (f"{d['id']}:{d.get('version', 1)}", name)
        for d in listed["document"]
        for name in d["files"]
    }
    faults = [fault for q in questions for fault in faults_of(q, outdir, files)]
    for fault in faults:
        sys.stderr.write(fault + "\n")
    sys.stdout.write(f"{len(questions)} questions, {len(faults)} faults\n")
    return 1 if faults else 0


def faults_of(
    question: dict[str, Any], outdir: Path, known: set[tuple[str, str]]
) -> Iterator[str]:
    """Yield what is wrong with a question, if anything."""
    if question["type"] == "unanswerable":
        return
    name, document = question["file"], question["document"]
    version = document if ":" in document else f"{document}:1"
    if document != name and (version, name) not in known:
        yield f"{question['q']}: {document} does not list {name}"
    pages = page_texts(outdir / name)
    page = question.get("page")
    text = pages[page - 1] if page else " ".join(pages)
    if _plain(question["quote"]) not in _plain(text):
        yield f"{question['q']}: no such quote on page {page} of {name}"


def page_texts(path: Path) -> list[str]:
    """Return the text of each page or slide; one text for other files."""
    match path.suffix:
        case ".pdf":
            with pypdfium2.PdfDocument(path) as pdf:
                return [page.get_textpage().get_text_range() for page in pdf]
        case ".pptx":
            return [_slide_text(slide) for slide in Presentation(str(path)).slides]
        case ".html":
            return [html.unescape(re.sub("<[^>]+>", " ", path.read_text("utf-8")))]
        case _:
            return [path.read_text(encoding="utf-8")]


def _slide_text(slide: Slide) -> str:
    """Return the text of the shapes and the speaker notes of a slide."""
    texts = list(_shape_texts(slide.shapes))
    if slide.has_notes_slide:
        texts += _shape_texts(slide.notes_slide.shapes)
    return " ".join(texts)


def _shape_texts(shapes: Iterable[Any]) -> Iterator[str]:
    """Yield the texts of shapes, including groups and tables."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shape_texts(shape.shapes)
        elif getattr(shape, "has_table", False):
            yield from (cell.text for row in shape.table.rows for cell in row.cells)
        elif shape.has_text_frame:
            yield shape.text_frame.text


def _plain(text: str) -> str:
    """Return the text with runs of white space collapsed."""
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
