"""Renders a manuscript as a PowerPoint presentation: one slide per `##` heading.

Depends on python-pptx, not on output folders or `documents.toml`. The output is
reproducible byte by byte: core properties are set, and the zip is rewritten with a
fixed time stamp.
"""

from __future__ import annotations

import datetime
import io
import zipfile

from manuscript import Block, Manuscript, read_blocks
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE
from pptx.slide import Slide
from pptx.util import Emu, Inches, Pt

STAMP = (2020, 1, 1, 0, 0, 0)
LEFT, TOP, WIDTH = Inches(0.6), Inches(1.6), Inches(8.8)


def render_slides(manuscript: Manuscript) -> bytes:
    """Return a manuscript as a presentation."""
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[0])
    _set_title(first, manuscript.title)
    first.placeholders[1].text = (
        f"{', '.join(manuscript.authors)}\n"
        f"{manuscript.id}, version {manuscript.version}\n{manuscript.date}"
    )
    for heading, blocks in _slides(read_blocks(manuscript.body)):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        _set_title(slide, heading)
        _fill(slide, blocks)
    moment = datetime.datetime.combine(manuscript.date, datetime.time())
    core = deck.core_properties
    core.title, core.author = manuscript.title, ", ".join(manuscript.authors)
    core.last_modified_by = manuscript.authors[0]
    core.created = core.modified = moment
    core.subject, core.revision = manuscript.label, 1
    target = io.BytesIO()
    deck.save(target)
    return _with_one_stamp(target.getvalue())


def _slides(blocks: list[Block]) -> list[tuple[str, list[Block]]]:
    """Return the title and blocks of each slide."""
    slides: list[tuple[str, list[Block]]] = []
    for block in blocks:
        if block.kind == "heading":
            slides.append((block.text, []))
        else:
            slides[-1][1].append(block)
    return slides


def _set_title(slide: Slide, text: str) -> None:
    """Set the title of a slide."""
    shape = slide.shapes.title
    if shape is not None:
        shape.text_frame.text = text
        shape.text_frame.paragraphs[0].font.size = Pt(30)


def _fill(slide: Slide, blocks: list[Block]) -> None:
    """Add the blocks to a slide, one below the other."""
    top = int(TOP)
    for block in blocks:
        match block.kind:
            case "table":
                top += _add_table(slide, block.rows, top)
            case "group":
                top += _add_group(slide, block.lines, top)
            case "notes":
                frame = slide.notes_slide.notes_text_frame
                if frame is not None:
                    frame.text = block.text
            case "bullets":
                top += _add_lines(slide, block.lines, top, mark="•  ")
            case _:
                top += _add_lines(slide, (block.text,), top, mark="")


def _add_lines(slide: Slide, lines: tuple[str, ...], top: int, *, mark: str) -> int:
    """Add a box of bullets or plain text; return its height."""
    rows = sum(1 + len(line) // 62 for line in lines)
    height = int(Inches(0.36)) * rows + int(Inches(0.1)) * len(lines)
    box = slide.shapes.add_textbox(LEFT, Emu(top), WIDTH, Emu(height))
    frame = box.text_frame
    frame.word_wrap = True
    for place, line in enumerate(lines):
        paragraph = frame.paragraphs[0] if place == 0 else frame.add_paragraph()
        paragraph.text = mark + line
        paragraph.font.size = Pt(20)
        paragraph.space_after = Pt(6)
    return height + int(Inches(0.2))


def _add_table(slide: Slide, rows: list[list[str]], top: int) -> int:
    """Add a table; return its height."""
    height = int(Inches(0.4)) * len(rows)
    shape = slide.shapes.add_table(
        len(rows), len(rows[0]), LEFT, Emu(top), WIDTH, Emu(height)
    )
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            frame = shape.table.cell(r, c).text_frame
            frame.text = text
            frame.paragraphs[0].font.size = Pt(16)
    return height + int(Inches(0.3))


def _add_group(slide: Slide, texts: tuple[str, ...], top: int) -> int:
    """Add a group of text boxes in a row; return its height."""
    group = slide.shapes.add_group_shape()
    gap = int(Inches(0.2))
    width = (int(WIDTH) - gap * (len(texts) - 1)) // len(texts)
    height = int(Inches(1.0))
    for place, text in enumerate(texts):
        left = int(LEFT) + place * (width + gap)
        box = group.shapes.add_shape(
            MSO_SHAPE.ROUNDED_RECTANGLE, Emu(left), Emu(top), Emu(width), Emu(height)
        )
        box.text_frame.word_wrap = True
        box.text_frame.text = text
        box.text_frame.paragraphs[0].font.size = Pt(15)
    return height + int(Inches(0.3))


def _with_one_stamp(data: bytes) -> bytes:
    """Return the zip rewritten with a fixed time stamp for every member."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in sorted(old.namelist(), key=lambda n: (n[0] != "[", n)):
            member = zipfile.ZipInfo(name, STAMP)
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, old.read(name))
    return target.getvalue()
