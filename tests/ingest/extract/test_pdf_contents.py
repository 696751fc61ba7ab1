"""What a PDF page holds beside its drawn text: scans, fields, comments, steps."""

import ctypes
import io
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont
from pypdfium2 import raw
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from dunegpt.ingest.extract import ocr, programs
from tests.ingest.extract.test_extract import Reader

SIZE = (595.0, 842.0)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def draw_scan(stamp: str, *, share: float = 1.0, strips: int = 1) -> bytes:
    """Return a page that is a picture, in strips, with a line of text over it."""
    image = Image.new("L", (1240, 1754), 255)
    pen = ImageDraw.Draw(image)
    pen.text(
        (150, 300), "The pump takes 340 W", font=ImageFont.load_default(48), fill=0
    )
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=SIZE)
    width, height = SIZE[0] * share, SIZE[1] * share
    for number in range(strips):
        part = image.crop(
            (0, 1754 * number // strips, 1240, 1754 * (number + 1) // strips)
        )
        low = SIZE[1] - height * (number + 1) / strips
        canvas.drawImage(ImageReader(part), 0, low, width, height / strips)
    canvas.setFont("Helvetica", 9)
    for number, line in enumerate(stamp.split("\n")):
        canvas.drawString(60, 820 - 12 * number, line)
    canvas.save()
    return out.getvalue()


@pytest.fixture
def recognized(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let OCR read one line, and record which pages it was asked for."""
    asked = []

    def recognize(task: object, image: object, where: str) -> str:
        asked.append(where)
        return "The pump takes 340 W\nDUNE-doc-777-v2, page 1"

    monkeypatch.setattr(ocr, "recognize_text", recognize)
    return asked


@pytest.mark.parametrize("strips", [1, 5])
@pytest.mark.parametrize(
    "stamp", ["DUNE-doc-777-v2, page 1", "APPROVED\nJ. Doe, 12 May 2023\nEDMS 2400001"]
)
def test_a_scan_with_a_stamp(
    read: Reader, recognized: list[str], stamp: str, strips: int
) -> None:
    [page] = read(draw_scan(stamp, strips=strips), "a.pdf")
    assert recognized == ["page 1"]
    assert "The pump takes 340 W" in page.text
    assert page.text.startswith(stamp.partition("\n")[0])
    assert page.text.count("DUNE-doc-777-v2") <= 1


def test_a_page_with_a_small_picture_is_no_scan(
    read: Reader, recognized: list[str]
) -> None:
    read(draw_scan("A page with a logo and one line", share=0.4), "a.pdf")
    read(draw_scan("\n".join(["A page of text on a background."] * 30)), "a.pdf")
    assert recognized == []


def test_a_stamped_scan_without_tesseract(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "path", lambda name: None)
    [page] = read(draw_scan("DUNE-doc-777-v2, page 1"), "a.pdf")
    assert page.text == "DUNE-doc-777-v2, page 1"
    assert any("tesseract is absent" in remark for remark in read.task.remarks)


def test_fields_of_a_form(read: Reader) -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.setFont("Helvetica", 11)
    form = canvas.acroForm
    canvas.drawString(70, 760, "Serial number:")
    form.textfield(name="f1", value="CE-0099", x=200, y=755, width=120, height=18)
    canvas.drawString(70, 700, "Operator")
    form.textfield(name="operator", value="J. Doe", x=70, y=675, width=120, height=18)
    canvas.drawString(70, 640, "Grade")
    form.choice(
        name="grade", value="B", options=["A", "B"], x=200, y=635, width=60, height=18
    )
    canvas.drawString(100, 600, "leak tested")
    form.checkbox(name="c1", checked=True, x=80, y=597, size=14)
    canvas.drawString(100, 570, "painted")
    form.checkbox(name="c2", checked=False, x=80, y=567, size=14)
    form.textfield(name="empty", value="", x=200, y=500, width=60, height=18)
    canvas.save()
    [page] = read(out.getvalue(), "a.pdf")
    lines = [line for line in page.text.split("\n") if ":" in line]
    assert lines == [
        "Serial number:",
        "Serial number (f1): CE-0099",
        "Operator: J. Doe",
        "Grade: B",
        "leak tested (c1): ☒",
    ]


def add_comment(
    content: bytes, kind: int, text: str, rectangle: tuple[float, ...], author: str = ""
) -> bytes:
    """Return a PDF with a comment on its first page."""
    document = pdfium.PdfDocument(content)
    page = document[0]
    annotation = raw.FPDFPage_CreateAnnot(page.raw, kind)
    left, bottom, right, top = rectangle
    raw.FPDFAnnot_SetRect(annotation, raw.FS_RECTF(left, top, right, bottom))
    for key, value in ((b"Contents", text), (b"T", author)):
        if value:
            wide = (value + "\0").encode("utf-16-le")
            buffer = ctypes.create_string_buffer(wide, len(wide))
            target = ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR))
            raw.FPDFAnnot_SetStringValue(annotation, key, target)
    raw.FPDFPage_CloseAnnot(annotation)
    out = io.BytesIO()
    page.close()
    document.save(out)
    document.close()
    return out.getvalue()


def draw_lines(*lines: str) -> bytes:
    """Return a page with lines of text."""
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.setFont("Helvetica", 11)
    for number, line in enumerate(lines):
        canvas.drawString(72, 700 - 20 * number, line)
    canvas.save()
    return out.getvalue()


@pytest.mark.parametrize(
    "kind",
    [raw.FPDF_ANNOT_TEXT, raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_HIGHLIGHT],
)
def test_comments(read: Reader, kind: int) -> None:
    content = draw_lines("The valve opens at 1.3 bar.")
    content = add_comment(
        content, kind, "No: at 1.5 bar.", (300, 690, 400, 710), "J. Doe"
    )
    [page] = read(content, "a.pdf")
    assert page.text.split("\n")[-1] == "Comment by J. Doe: No: at 1.5 bar."


def test_text_that_a_comment_strikes_out(read: Reader) -> None:
    content = draw_lines("The old limit is 4 mA.", "The new limit is 6 mA.")
    strike = raw.FPDF_ANNOT_STRIKEOUT
    content = add_comment(content, strike, "", (70, 696, 200, 712))
    [page] = read(content, "a.pdf")
    assert "Comment: [struck out: The old limit is 4 mA.]" in page.text


def draw_slides(*slides: list[str], wide: bool = True) -> bytes:
    """Return a page with the lines of each slide."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(800, 450) if wide else (450, 800))
    for slide in slides:
        for number, line in enumerate(slide):
            canvas.drawString(60, 400 - 40 * number, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_steps_of_a_slide_are_one_slide(read: Reader) -> None:
    steps = [
        ["Purity of the argon", "The filter is of copper."],
        ["Purity of the argon", "The filter is of copper.", "It takes 3 days."],
        [
            "Purity of the argon",
            "The filter is of copper.",
            "It takes 3 days.",
            "All well.",
        ],
        ["Outlook for the run", "The filter is of copper.", "It takes 3 days."],
    ]
    assert [page.number for page in read(draw_slides(*steps), "a.pdf")] == [3, 4]
    pages = read(draw_slides(*steps, wide=False), "a.pdf")
    assert [page.number for page in pages] == [1, 2, 3, 4]


def test_a_caption_is_a_paragraph_of_its_own(read: Reader) -> None:
    lines = [
        "the noise of the boards, which is far below that of the wires, is",
        "Time (days)",
    ]
    lines += [
        "Figure 4: Noise of the boards after the repair of their grounding, in",
        "electrons.",
    ]
    [page] = read(draw_lines(*lines), "a.pdf")
    assert "\n\nFigure 4: Noise of the boards after the repair" in page.text
