"""Figures: caption, label, place, and what stands in a picture, in each format."""

# ruff: noqa: E501 - markup as it is written

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.figures import parse_label
from dunegpt.ingest.extract.pictures import render_picture
from dunegpt.types import Box, Page
from tests.ingest.extract import samples
from tests.ingest.extract.test_extract import PPTX, Reader

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SIZE = (600, 800)
ABOVE = ["The drift of electrons was", "studied in a small vessel, and"]
BELOW = ["compared with what a simulation", "of the whole field cage predicts."]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def texts_of(page: Page) -> list[str]:
    return [page.text[figure.start : figure.end] for figure in page.figures]


class Paper:
    """Draws a page of a paper."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self._out = io.BytesIO()
        self.canvas = Canvas(self._out, pagesize=size, invariant=True)

    def lines(self, x: float, y: float, *lines: str, size: float = 10) -> None:
        self.canvas.setFont("Helvetica", size)
        for number, line in enumerate(lines):
            self.canvas.drawString(x, y - 12 * number, line)

    def plot(self, x: float, y: float, *, title: str = "Electric field [V/cm]") -> None:
        """Draw axes with ticks, titles, a curve and a legend; 200 by 120 points."""
        draw = self.canvas
        draw.line(x, y, x + 200, y)
        draw.line(x, y, x, y + 120)
        curve = draw.beginPath()
        curve.moveTo(x, y)
        for step in range(1, 41):
            curve.lineTo(x + 5 * step, y + 110 * step / (step + 8))
        draw.drawPath(curve)
        draw.setFont("Helvetica", 7)
        for tick in range(5):
            draw.drawCentredString(x + 50 * tick, y - 9, str(125 * tick))
            draw.drawRightString(x - 3, y + 28 * tick - 2, f"{0.4 * tick:.1f}")
        draw.drawCentredString(x + 100, y - 20, title)
        draw.saveState()
        draw.translate(x - 22, y + 60)
        draw.rotate(90)
        draw.drawCentredString(0, 0, "Velocity [mm/us]")
        draw.restoreState()
        draw.drawString(x + 140, y + 30, "Simulation")

    def image(
        self, x: float, y: float, width: float = 200, height: float = 120
    ) -> None:
        picture = ImageReader(Image.new("RGB", (20, 12), "navy"))
        self.canvas.drawImage(picture, x, y, width, height)

    def save(self) -> bytes:
        self.canvas.save()
        return self._out.getvalue()


def test_a_plot_in_the_middle_of_a_sentence(read: Reader) -> None:
    paper = Paper()
    paper.lines(80, 740, *ABOVE)
    paper.plot(180, 560)
    paper.lines(
        80,
        520,
        "Figure 7: Velocity of electrons at 87 K, as a",
        "function of the field.",
        size=9,
    )
    paper.lines(80, 470, *BELOW)
    [page] = read(paper.save(), "a.pdf", PDF)

    [figure] = page.figures
    running = page.text[: figure.start]
    assert running.split() == " ".join(ABOVE + BELOW).split()
    assert figure.label == "Figure 7"
    caption, inner = texts_of(page)[0].split("\n")
    assert caption == (
        "Figure 7: Velocity of electrons at 87 K, as a function of the field."
    )
    for label in ("125", "1.6", "Electric field [V/cm]", "Velocity [mm/us]"):
        assert label in inner
    assert inner.endswith("; Simulation]")
    assert figure.box is not None
    assert figure.box.left == pytest.approx(150 / 600, abs=0.02)
    assert figure.box.right == pytest.approx(385 / 600, abs=0.02)
    assert figure.box.top == pytest.approx(120 / 800, abs=0.02)
    assert figure.box.bottom == pytest.approx(262 / 800, abs=0.02)


@pytest.mark.parametrize(
    ("caption", "label"),
    [
        ("Fig. 3. Rate of the trigger", "Figure 3"),
        ("FIG. 12. (color online) The rate", "Figure 12"),
        ("Figure 2.1 | Layout of the cage", "Figure 2.1"),
        ("Figure A.4: Gain of each channel", "Figure A.4"),
        ("Figure 5 Gain of each channel", "Figure 5"),
        ("Figure 7-26. Nuts", "Figure 7-26"),
        ("Supplementary Figure 2: More", "Supplementary Figure 2"),
        ("Figure 3 shows the gain", ""),
        ("Figure 3. shows the gain", ""),
        ("Figs. 3 and 4 are alike", ""),
        ("Figure 3: The gain . . . . . . 14", ""),
        ("Figures of merit", ""),
        ("Fig tree 3", ""),
        ("Table 3: Sizes", ""),
    ],
)
def test_labels(caption: str, label: str) -> None:
    assert parse_label(caption) == label


def test_a_mention_at_the_begin_of_a_line_is_no_caption(read: Reader) -> None:
    paper = Paper()
    paper.image(200, 560)
    paper.lines(200, 545, "Figure 4: The vessel.", size=9)
    paper.lines(
        80,
        480,
        "The vessel was built in one piece as can be seen in",
        "Figure 4. It has a lid of steel with twelve ports on it",
        "for cables.",
    )
    [page] = read(paper.save(), "a.pdf", PDF)
    assert texts_of(page) == ["Figure 4: The vessel."]
    assert "seen in\nFigure 4. It has" in page.text


def test_two_figures_beside_each_other(read: Reader) -> None:
    paper = Paper()
    for x, number in ((60, 5), (330, 6)):
        paper.plot(x, 600, title=f"Channel of plane {number}")
        paper.lines(x, 565, f"Figure {number}: Plane {number}.", size=9)
    paper.lines(60, 500, *ABOVE, *BELOW)
    [page] = read(paper.save(), "a.pdf", PDF)
    assert [figure.label for figure in page.figures] == ["Figure 5", "Figure 6"]
    for number, text in zip((5, 6), texts_of(page), strict=True):
        assert f"Channel of plane {number}" in text
        assert f"Channel of plane {11 - number}" not in text
    left, right = (figure.box for figure in page.figures)
    assert left is not None
    assert right is not None
    assert left.right < 0.5 < right.left


def test_parts_of_a_figure_and_two_columns(read: Reader) -> None:
    paper = Paper()
    left = [f"Line {n} of the left column goes on and on" for n in range(40)]
    right = [f"Line {n} of the right column goes on too" for n in range(25)]
    paper.lines(40, 740, *left)
    for x, part in ((310, "(a) East"), (450, "(b) West")):
        paper.image(x, 640, 120, 90)
        paper.lines(x + 40, 628, part, size=8)
    paper.lines(
        310,
        605,
        "Fig. 2. Photographs of both walls, (a) from the",
        "east and (b) from the west.",
        size=9,
    )
    paper.lines(310, 560, *right)
    [page] = read(paper.save(), "a.pdf", PDF)
    assert texts_of(page) == [
        "Fig. 2. Photographs of both walls, (a) from the east and (b) from the west.\n"
        "[in the figure: (a) East; (b) West]"
    ]
    assert page.text[: page.figures[0].start].split() == " ".join(left + right).split()
    box = page.figures[0].box
    assert box is not None
    assert box.left == pytest.approx(310 / 600, abs=0.01)
    assert box.right == pytest.approx(570 / 600, abs=0.01)


@pytest.mark.parametrize("rotation", [0, 90])
def test_a_figure_on_a_sideways_page(read: Reader, rotation: int) -> None:
    paper = Paper()
    paper.canvas.translate(600, 0)
    paper.canvas.rotate(90)
    paper.plot(300, 250)
    paper.lines(250, 200, "Figure 12: Velocity on a page", "that is turned.", size=9)
    paper.canvas.setPageRotation(rotation)
    [page] = read(paper.save(), "a.pdf", PDF)
    caption, inner = texts_of(page)[0].split("\n")
    assert caption == "Figure 12: Velocity on a page that is turned."
    assert "Electric field [V/cm]; Velocity [mm/us]; Simulation" in inner
    box = page.figures[0].box
    assert box is not None
    # 230 to 372 points from the left of the file's page, 270 to 505 from its bottom.
    found = (box.left, box.top, box.right, box.bottom)
    if rotation:
        expected = (270 / 600, 230 / 800, 505 / 600, 372 / 800)
    else:
        expected = (230 / 600, 1 - 505 / 800, 372 / 600, 1 - 270 / 800)
    assert found == pytest.approx(expected, abs=0.02)


def test_a_caption_above_its_picture(read: Reader) -> None:
    paper = Paper()
    paper.lines(80, 700, "Figure 1: The wall of the cage.", size=9)
    paper.image(80, 560)
    paper.lines(80, 500, *ABOVE, *BELOW)
    [page] = read(paper.save(), "a.pdf", PDF)
    [figure] = page.figures
    assert figure.box is not None
    assert (figure.box.top, figure.box.bottom) == (0.15, 0.3)


def test_a_plot_of_a_slide_without_a_caption(read: Reader) -> None:
    paper = Paper((800, 450))
    paper.lines(40, 400, "Noise after the upgrade", size=24)
    paper.lines(
        40,
        300,
        "All planes are below 600 electrons",
        "The cold test is in June",
        size=12,
    )
    paper.plot(500, 150, title="Channel")
    [page] = read(paper.save(), "a.pdf", PDF)
    [figure] = page.figures
    assert figure.label == "Figure"
    assert "Channel" in texts_of(page)[0]
    assert page.text[: figure.start].split("\n")[0] == "Noise after the upgrade"
    assert "Channel" not in page.text[: figure.start]


def test_a_table_of_numbers_is_no_figure(read: Reader) -> None:
    paper = Paper()
    frame = paper.canvas.beginPath()
    for row in range(7):
        frame.moveTo(80, 700 - 20 * row)
        frame.lineTo(320, 700 - 20 * row)
    for column in range(5):
        frame.moveTo(80 + 60 * column, 700)
        frame.lineTo(80 + 60 * column, 580)
    paper.canvas.drawPath(frame)
    for row in range(6):
        for column in range(4):
            paper.lines(90 + 60 * column, 685 - 20 * row, f"{7 * row + 31 * column}.5")
    [page] = read(paper.save(), "a.pdf", PDF)
    assert page.figures == ()
    assert "0.5 | 31.5 | 62.5 | 93.5" in page.text


def test_a_page_that_is_all_figure_is_no_scan(read: Reader) -> None:
    paper = Paper()
    paper.plot(200, 500)
    paper.lines(180, 460, "Figure 9: Velocity.", size=9)
    [page] = read(paper.save(), "a.pdf", PDF)
    assert read.task.images_read == 0
    assert texts_of(page) == [page.text]


def test_slides(read: Reader) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Noise"
    drawn = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(drawn, "PNG")
    picture = slide.shapes.add_picture(
        drawn, Inches(1), Inches(2), Inches(4), Inches(3)
    )
    picture._element.nvPicPr.cNvPr.set("descr", "Noise before the upgrade")
    for text, top in (("Figure 4: Noise, 87 K.", 5.1), ("Below 600 electrons.", 1)):
        box = slide.shapes.add_textbox(Inches(1), Inches(top), Inches(4), Inches(0.5))
        box.text_frame.text = text
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["U", "V"]
    data.add_series("ENC", (510, 520))
    other = deck.slides.add_slide(deck.slide_layouts[5])
    place = Inches(1), Inches(2), Inches(5), Inches(4)
    other.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data)
    out = io.BytesIO()
    deck.save(out)

    first, second = read(out.getvalue(), "a.pptx", PPTX)
    assert texts_of(first) == [
        "Figure 4: Noise, 87 K.\n[image: Noise before the upgrade]"
    ]
    assert [figure.label for figure in first.figures + second.figures] == [
        "Figure 4",
        "Figure",
    ]
    assert first.text.startswith("Noise\nBelow 600 electrons.")
    assert "U | 510" in texts_of(second)[0]
    box, chart = first.figures[0].box, second.figures[0].box
    assert box is not None
    assert (box.page, box.left, box.right) == (1, 0.1, 0.5)
    with Image.open(io.BytesIO(render_picture(read.task, PPTX, box))) as shown:
        assert shown.size == (40, 30)
    assert chart is not None
    assert render_picture(read.task, PPTX, chart) == b""


def test_the_picture_of_a_figure_of_a_pdf(read: Reader) -> None:
    paper = Paper()
    paper.image(200, 560)
    paper.lines(200, 545, "Figure 4: The vessel.", size=9)
    [page] = read(paper.save(), "a.pdf", PDF)
    box = page.figures[0].box
    assert box is not None
    with Image.open(io.BytesIO(render_picture(read.task, PDF, box))) as picture:
        assert picture.width / picture.height == pytest.approx(200 / 120, abs=0.03)
        center = picture.getpixel((picture.width // 2, picture.height // 2))
    assert center == pytest.approx((0, 0, 128), abs=4)  # navy


def test_a_format_without_places_has_no_pictures(read: Reader) -> None:
    read(b"<p>Text.</p>", "a.html", "text/html")
    with pytest.raises(ExtractError, match="no places"):
        render_picture(read.task, "text/html", Box(1, 0, 0, 1, 1))


_DRAWING = '<w:p><w:r><w:drawing><wp xmlns="x"><docPr descr="{}"/></wp></w:drawing></w:r></w:p>'


def test_word(read: Reader) -> None:
    body = (
        samples.paragraph("Before it.")
        + _DRAWING.format("The vessel from above")
        + samples.paragraph("Figure 3 The vessel, 12 m long", "Caption")
        + samples.paragraph("Figure 3 shows the vessel.")
        + _DRAWING.format("Logo of the laboratory")
        + samples.paragraph("After it.")
    )
    [page] = read(samples.docx(body), "a.docx", DOCX)
    assert texts_of(page) == [
        "[image: The vessel from above]\n\nFigure 3 The vessel, 12 m long"
    ]
    assert page.figures[0].label == "Figure 3"
    rest = page.text.replace(texts_of(page)[0], "").split("\n\n")
    assert [part.strip() for part in rest if part.strip()] == [
        "Before it.", "Figure 3 shows the vessel.", "[image: Logo of the laboratory]", "After it.",
    ]  # fmt: skip


def test_what_word_described_by_itself_is_left_out(read: Reader) -> None:
    body = samples.paragraph("Before it.") + _DRAWING.format(
        "A picture containing sky. Description automatically generated"
    )
    [page] = read(samples.docx(body), "a.docx", DOCX)
    assert page.text == "Before it."


def test_html(read: Reader) -> None:
    page_text = """<h1>Cage</h1><p>The cage.</p>
        <figure><img src="a.png" alt="A drawing"><figcaption>Figure 2.1: The cage, 500 V cm<sup>-1</sup>.</figcaption></figure>
        <div class="thumb"><img src="b.png"><div class="thumbcaption">A monitor</div></div>
        <p><img src="c.png"></p><p>Fig. 3. Rate of triggers.</p>
        <figure><pre>code</pre><figcaption>Listing</figcaption></figure>
        <figure><table><tr><th>a<th>b<tr><td>1<td>2</table><figcaption>Table 1: Sizes</figcaption></figure>
        <p>Figure 3 shows it.</p>"""
    [page] = read(page_text.encode(), "a.html", "text/html")
    assert texts_of(page) == [
        "Figure 2.1: The cage, 500 V cm⁻¹.\n[image: A drawing]",
        "A monitor",
        "Fig. 3. Rate of triggers.",
    ]
    assert [figure.label for figure in page.figures] == [
        "Figure 2.1",
        "Figure",
        "Figure 3",
    ]
    assert "a | b\n1 | 2" in page.text


def test_latex(read: Reader) -> None:
    source = r"""\documentclass{article}\begin{document}\section{Purity}
    The purity was
    \begin{figure}\includegraphics{a}\caption{Purity over \SI{3}{\hour}.}\end{figure}
    measured daily.\end{document}"""
    [page] = read(source.encode(), "a.tex", "application/x-tex")
    assert texts_of(page) == ["Figure 1: Purity over 3 h."]


def test_parts_of_a_latex_figure_are_not_counted(read: Reader) -> None:
    source = r"""\documentclass{article}\begin{document}
    \begin{figure*}
    \begin{subfigure}{.5\textwidth}\includegraphics{a}\caption{East}\end{subfigure}
    \begin{subfigure}{.5\textwidth}\includegraphics{b}\caption{West}\end{subfigure}
    \caption{Both walls.}\end{figure*}
    Between.
    \begin{figure}\includegraphics{c}\caption{The lid.}\end{figure}
    \end{document}"""
    [page] = read(source.encode(), "a.tex", "application/x-tex")
    first, second = texts_of(page)
    assert first.split("\n\n") == ["(a) East", "(b) West", "Figure 1: Both walls."]
    assert second == "Figure 2: The lid."


def test_what_stands_in_a_drawing_of_a_web_page(read: Reader) -> None:
    drawing = "<svg><title>Rate</title><text>Time [h]</text><text>50</text></svg>"
    icon = "<svg><title>Search</title><path/></svg>"
    source = (
        f"<p>Before {icon} it.</p><figure>{drawing}<figcaption>Figure 3. Rate."
        f"</figcaption></figure><p>Between.</p><div>{drawing}</div>"
    )
    [page] = read(source.encode(), "a.html", "text/html")
    inner = "[in the figure: Time [h]; 50]"
    assert texts_of(page) == [f"Figure 3. Rate.\n{inner}", inner]
    assert "Search" not in page.text
