"""Writes facts in the captions of figures, and in sentences that figures interrupt.

For `extraction_fidelity`: PDF, PPTX, DOCX, HTML and LaTeX. Each caption has a value
that no other text has; a page of a PDF has axes with ticks in the middle of a sentence.
"""

import html
import io
import zipfile
from collections.abc import Callable

from PIL import Image
from pptx import Presentation
from pptx.util import Inches
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from benchmarks.fidelity_facts import Fact, Maker

FIGURES = 10
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_CAPTIONS = ("Figure {}: ", "Fig. {}. ", "FIG. {}. ", "Figure {} | ", "Figure {}. ")
_HALLS = (
    "north hall", "shaft", "cavern", "tent beside the road", "clean room", "old barn",
    "workshop", "cellar of the office", "counting house", "gas store", "west gallery",
)  # fmt: skip
_LEFT, _COLUMN, _LINE = 60, 235, 13


def _make_caption(maker: Maker, number: int, page: int = 0) -> tuple[str, str]:
    """Return the two lines of a caption that says a fact."""
    owner, value = maker.owner(), f"{maker.number()} kg"
    head = _CAPTIONS[number % len(_CAPTIONS)].format(number)
    lines = f"{head}Mass over time of {owner},", f"which is {value} at the end."
    label = f"Figure {number}"
    maker.facts.append(Fact("figure", owner, value, label=label, page=page))
    return lines


def _make_sentence(maker: Maker) -> tuple[str, str]:
    """Return the halves of a sentence that says a fact."""
    owner, value = maker.owner(), f"{maker.number()} kg"
    maker.facts.append(Fact("around figure", owner, value))
    hall = maker.random.choice(_HALLS)
    return f"The record of {owner} that was kept", f"in the {hall} says {value} today."


def write_pdf(maker: Maker) -> bytes:
    """Return pages of one and of two columns, each with a figure."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=True)
    for number in range(1, FIGURES + 1):
        x = _LEFT + (_COLUMN + 15) * (number % 2)
        if number % 2:  # two columns, the figure in the right one
            for line in range(48):
                hall = maker.random.choice(_HALLS)
                text = f"What is said of the {hall} here,"
                _draw(canvas, _LEFT, 760 - _LINE * line, text)
        before, after = _make_sentence(maker)
        _draw(canvas, x, 760, before)
        _draw_plot(canvas, x + 30, 600, is_image=number % 3 == 0)
        for line, text in enumerate(_make_caption(maker, number, number)):
            _draw(canvas, x, 560 - 11 * line, text, size=9)
        _draw(canvas, x, 510, after)
        _draw(canvas, 280, 30, f"- {number} -", size=8)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _draw(canvas: Canvas, x: float, y: float, text: str, size: float = 10) -> None:
    canvas.setFont("Helvetica", size)
    canvas.drawString(x, y, text)


def _draw_plot(canvas: Canvas, x: float, y: float, *, is_image: bool) -> None:
    """Draw axes with ticks and titles, and in them a curve or an image."""
    canvas.rect(x, y, 150, 120)
    if is_image:
        canvas.drawInlineImage(Image.new("RGB", (30, 24), "navy"), x, y, 150, 120)
    else:
        curve = canvas.beginPath()
        curve.moveTo(x, y)
        for step in range(1, 31):
            curve.lineTo(x + 5 * step, y + 110 * step / (step + 6))
        canvas.drawPath(curve)
    for tick in range(6):
        _draw(canvas, x + 28 * tick, y - 9, str(20 * tick), size=7)
        _draw(canvas, x - 12, y + 22 * tick, f"{tick}.5", size=7)
    _draw(canvas, x + 55, y - 20, "Time [days]", size=7)


def write_pptx(maker: Maker) -> bytes:
    """Return slides with a picture each, and its caption below."""
    deck = Presentation()
    for number in range(1, FIGURES + 1):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = "Records"
        drawn = io.BytesIO()
        Image.new("RGB", (40, 30), "navy").save(drawn, "PNG")
        slide.shapes.add_picture(drawn, Inches(1), Inches(2), Inches(4), Inches(3))
        box = slide.shapes.add_textbox(Inches(1), Inches(5.1), Inches(4), Inches(0.5))
        box.text_frame.text = " ".join(_make_caption(maker, number, number))
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def write_docx(maker: Maker) -> bytes:
    """Return a document of pictures with captions below."""

    def paragraph(text: str, style: str = "") -> str:
        properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{properties}<w:r><w:t>{html.escape(text)}</w:t></w:r></w:p>"

    picture = "<w:p><w:r><w:drawing/></w:r></w:p>"
    parts = []
    for number in range(1, FIGURES + 1):
        caption = " ".join(_make_caption(maker, number))
        parts += [paragraph(" ".join(_make_sentence(maker))), picture]
        parts += [paragraph(caption, "Caption" * (number % 2))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        body = f"<w:body>{''.join(parts)}</w:body>"
        document = f'<w:document xmlns:w="{_W}">{body}</w:document>'
        archive.writestr("word/document.xml", document)
    return out.getvalue()


def write_html(maker: Maker) -> bytes:
    """Return a page of pictures with captions, as elements and as paragraphs."""
    parts = []
    for number in range(1, FIGURES + 1):
        parts.append(f"<p>{' '.join(_make_sentence(maker))}</p>")
        caption = " ".join(_make_caption(maker, number))
        picture = f'<img src="{number}.png" alt="A plot of the mass">'
        if number % 2:
            inner = f"{picture}<figcaption>{caption}</figcaption>"
            parts.append(f"<figure>{inner}</figure>")
        else:
            parts.append(f"<p>{picture}</p><p>{caption}</p>")
    return f"<html><body><h1>Records</h1>{''.join(parts)}</body></html>".encode()


def write_latex(maker: Maker) -> bytes:
    """Return a source whose sentences floats interrupt."""
    parts = []
    for number in range(1, FIGURES + 1):
        before, after = _make_sentence(maker)
        caption = " ".join(_make_caption(maker, number)).partition("Mass")[2]
        inner = f"\\includegraphics{{{number}}}\n\\caption{{Mass{caption}}}"
        figure = f"\\begin{{figure}}\n{inner}\n\\end{{figure}}"
        parts.append(f"{before}\n{figure}\n{after}")
    text = "\n\n".join(parts)
    head = "\\documentclass{article}\n\\begin{document}\n"
    return f"{head}{text}\n\\end{{document}}\n".encode()


WRITERS: dict[str, Callable[[Maker], bytes]] = {
    "figures.pdf": write_pdf,
    "figures.pptx": write_pptx,
    "figures.docx": write_docx,
    "figures.html": write_html,
    "figures.tex": write_latex,
}
