"""Renders a manuscript as PDF: reports, and papers in two columns.

Depends on reportlab, not on output folders or `documents.toml`. The output is
reproducible byte by byte (`invariant=1`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from figures import FIGURES
from manuscript import Block, Manuscript, read_blocks
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    ListFlowable,
    ListItem,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

Styles = dict[str, ParagraphStyle]

LAB = "Tarnmoor Laboratory"
PAGE_WIDTH, PAGE_HEIGHT = A4
INK = colors.HexColor("#1f3a4d")
RULE = colors.HexColor("#8a9aa5")
SHADE = colors.HexColor("#e8eef2")


def render_pdf(manuscript: Manuscript) -> bytes:
    """Return a manuscript as PDF."""
    paper = manuscript.layout == "paper"
    styles = _paper_styles() if paper else _report_styles()
    target = io.BytesIO()
    template = BaseDocTemplate(
        target,
        pagesize=A4,
        title=manuscript.title,
        author=", ".join(manuscript.authors),
        subject=manuscript.label,
        invariant=1,
    )
    template.addPageTemplates(
        _paper_pages(manuscript) if paper else _report_pages(manuscript)
    )
    width = 84 * mm if paper else 160 * mm
    story = _title_block(manuscript, styles, paper=paper)
    for block in read_blocks(manuscript.body):
        story += _flowables(block, styles, width)
    template.build(_with_captions(story))
    return target.getvalue()


def _report_styles() -> Styles:
    """Return the paragraph styles of reports, notes and procedures."""
    base = ParagraphStyle(
        "body", fontName="Times-Roman", fontSize=12, leading=17, spaceAfter=7
    )
    return _derived_styles(base, heading=15, subheading=12.5)


def _paper_styles() -> Styles:
    """Return the paragraph styles of a two-column paper."""
    base = ParagraphStyle(
        "body",
        fontName="Times-Roman",
        fontSize=11,
        leading=15,
        spaceAfter=5,
        alignment=4,
    )
    return _derived_styles(base, heading=12, subheading=11)


def _derived_styles(
    base: ParagraphStyle, *, heading: float, subheading: float
) -> Styles:
    """Return all styles by name, derived from the style of body text."""

    def head(name: str, size: float, before: float, font: str) -> ParagraphStyle:
        return ParagraphStyle(
            name,
            fontName=font,
            fontSize=size,
            leading=size * 1.25,
            spaceBefore=before,
            spaceAfter=5,
            textColor=INK,
            keepWithNext=1,
        )

    small = base.fontSize - 1.5
    return {
        "body": base,
        "item": ParagraphStyle("item", parent=base, spaceAfter=3),
        "title": head("title", 19, 4, "Helvetica-Bold"),
        "byline": ParagraphStyle("byline", parent=base, alignment=0, spaceAfter=3),
        "h1": head("h1", heading, 12, "Helvetica-Bold"),
        "h2": head("h2", subheading, 8, "Helvetica-Bold"),
        "caption": ParagraphStyle(
            "caption",
            parent=base,
            fontName="Times-Italic",
            fontSize=base.fontSize - 0.5,
            alignment=0,
            spaceAfter=6,
        ),
        "cell": ParagraphStyle(
            "cell", parent=base, fontSize=small, leading=small * 1.2, alignment=0
        ),
    }


def _report_pages(manuscript: Manuscript) -> list[PageTemplate]:
    """Return the page layout of a report: one column on A4."""
    frame = Frame(25 * mm, 24 * mm, 160 * mm, 245 * mm, 0, 0, 0, 0)
    return [PageTemplate("page", [frame], onPage=_running_lines(manuscript))]


def _paper_pages(manuscript: Manuscript) -> list[PageTemplate]:
    """Return the page layouts of a paper: title page, then two columns."""
    head_mm, bottom_mm, top_mm = 66, 22, 273
    lines = _running_lines(manuscript)

    def columns(height_mm: float) -> list[Frame]:
        return [
            Frame(x * mm, bottom_mm * mm, 84 * mm, height_mm * mm, 0, 0, 0, 0)
            for x in (17, 109)
        ]

    title = Frame(17 * mm, (top_mm - head_mm) * mm, 176 * mm, head_mm * mm, 0, 0, 0, 0)
    first = [title, *columns(top_mm - head_mm - bottom_mm - 2)]
    return [
        PageTemplate("first", first, onPage=lines),
        PageTemplate("page", columns(top_mm - bottom_mm), onPage=lines),
    ]


def _running_lines(
    manuscript: Manuscript,
) -> Callable[[Canvas, BaseDocTemplate], None]:
    """Return a function that draws header, footer and number of each page."""
    left, right = 17 * mm, PAGE_WIDTH - 17 * mm
    top, bottom = PAGE_HEIGHT - 17 * mm, 16 * mm
    status = f"{manuscript.status}, " if manuscript.status else ""

    def draw(canvas: Canvas, template: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8)
        canvas.setFillColor(INK)
        canvas.setStrokeColor(RULE)
        canvas.drawString(left, top, f"Larch Test Stand  |  {manuscript.label}")
        canvas.drawRightString(right, top, manuscript.title)
        canvas.line(left, top - 4, right, top - 4)
        canvas.line(left, bottom, right, bottom)
        canvas.drawString(left, bottom - 10, f"{LAB}  |  {status}{manuscript.date}")
        canvas.drawRightString(right, bottom - 10, f"Page {template.page}")
        canvas.restoreState()

    return draw


def _title_block(
    manuscript: Manuscript, styles: Styles, *, paper: bool
) -> list[Flowable]:
    """Return the title, authors, number, version and date."""
    facts = f"{LAB}  ·  {manuscript.id}, version {manuscript.version}"
    story: list[Flowable] = [
        Paragraph(_inline(manuscript.title), styles["title"]),
        Paragraph(_inline(", ".join(manuscript.authors)), styles["byline"]),
        Paragraph(_inline(f"*{facts}  ·  {manuscript.date}*"), styles["byline"]),
        Spacer(1, 8),
    ]
    return [NextPageTemplate("page"), *story] if paper else story


def _flowables(block: Block, styles: Styles, width: float) -> list[Flowable]:
    """Return the flowables of a block."""
    match block.kind:
        case "caption":
            return [Paragraph(_inline(block.text), styles["caption"])]
        case "heading":
            style = styles["h1" if block.level == 1 else "h2"]
            return [Paragraph(_inline(block.text), style)]
        case "bullets" | "steps":
            return [_list(block, styles), Spacer(1, 6)]
        case "table":
            return [_table(block.rows, styles, width), Spacer(1, 8)]
        case "page":
            return [PageBreak()]
        case "figure":
            caption = Paragraph(_inline(block.text), styles["caption"])
            return [KeepTogether([FIGURES[block.name](width), Spacer(1, 4), caption])]
        case _:
            return [Paragraph(_inline(block.text), styles["body"])]


def _list(block: Block, styles: Styles) -> ListFlowable:
    """Return a bulleted or numbered list."""
    items: list[Any] = [  # the type stubs omit ListItem
        ListItem(Paragraph(_inline(line), styles["item"]), leftIndent=16)
        for line in block.lines
    ]
    if block.kind == "steps":
        return ListFlowable(
            items,
            bulletType="1",
            bulletFormat="%s.",
            bulletFontName="Times-Roman",
            bulletFontSize=styles["item"].fontSize,
            start=block.level,
            leftIndent=22,
        )
    return ListFlowable(items, bulletType="bullet", start="•", leftIndent=16)


def _table(rows: list[list[str]], styles: Styles, width: float) -> Table:
    """Return a ruled table, with column widths by the longest cells."""
    longest = [
        min(max(len(cell) for cell in column), 46) + 4
        for column in zip(*rows, strict=True)
    ]
    widths = [width * share / sum(longest) for share in longest]
    head = [Paragraph(f"<b>{_inline(cell)}</b>", styles["cell"]) for cell in rows[0]]
    body = [[Paragraph(_inline(c), styles["cell"]) for c in row] for row in rows[1:]]
    table = Table([head, *body], colWidths=widths, repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), SHADE),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
                ("LINEABOVE", (0, 0), (-1, 0), 0.8, INK),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return table


def _with_captions(story: list[Flowable]) -> list[Flowable]:
    """Return the story with each caption kept on the page of its table."""
    grouped: list[Flowable] = []
    for item in story:
        last = grouped[-1] if grouped else None
        if isinstance(item, Table) and isinstance(last, Paragraph):
            grouped[-1] = KeepTogether([last, item])
        else:
            grouped.append(item)
    return grouped


def _inline(text: str) -> str:
    """Return reportlab markup for `**bold**`, `*italic*`, `^x^` and `~x~`."""
    text = escape(text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
    text = re.sub(r"\^(.+?)\^", r"<super>\1</super>", text)
    return re.sub(r"~(.+?)~", r"<sub>\1</sub>", text)
