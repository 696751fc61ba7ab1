"""The real tesseract and LibreOffice, inside the limits of the child process."""

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import xlsxwriter
from pptx import Presentation
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from dunegpt.config import ExtractSettings
from dunegpt.ingest.extract import ExtractResult
from dunegpt.ingest.extract import programs as tools
from dunegpt.ingest.extract.registry import PDF
from dunegpt.ingest.extract.sandbox import Sandbox
from tests.ingest.extract import samples
from tests.real.conftest import require_programs

pytestmark = pytest.mark.programs


@pytest.fixture(scope="session")
def programs() -> None:
    """Skip, or fail where real parts are required, if a program is missing."""
    require_programs("tesseract", "soffice")
    tools.clear_cache()


@pytest.fixture
def read(programs: None, tmp_path: Path) -> Iterator["Reader"]:
    with Sandbox(ExtractSettings(ocr_images=3)) as sandbox:
        yield Reader(sandbox, tmp_path)


class Reader:
    """Extracts from bytes, in the sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder

    def __call__(self, content: bytes, name: str) -> ExtractResult:
        (self.folder / "blob").write_bytes(content)
        return self.sandbox.extract(
            self.folder / "blob", name, "application/octet-stream"
        )


def scanned(*texts: str) -> bytes:
    """Return a PDF whose pages are pictures; of an empty text, a page with one line."""
    out = io.BytesIO()
    canvas = Canvas(out)
    for text in texts:
        if text:
            image = ImageReader(io.BytesIO(samples.picture(text)))
            canvas.drawImage(image, 50, 500, 450, 100)
        else:
            canvas.drawString(72, 700, "A page with a text layer is not looked at.")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@pytest.mark.smoke
def test_a_scan(read: Reader) -> None:
    found = read(scanned("LARCH 475", "", "PURITY 12"), "scan.pdf")
    assert [page.number for page in found.pages] == [1, 2, 3]
    assert "LARCH" in found.pages[0].text
    assert "PURITY" in found.pages[2].text
    assert found.made_with["tesseract"] == tools.version("tesseract")
    assert read(scanned("LARCH 475", "", "PURITY 12"), "scan.pdf") == found


def test_a_scan_of_many_pages_is_read_up_to_the_budget(read: Reader) -> None:
    found = read(scanned(*["LARCH"] * 5), "scan.pdf")
    assert len(found.pages) == 3
    assert found.remarks == ("Only the first 3 pictures and scanned pages were read.",)


def test_a_page_with_text_needs_no_tesseract(read: Reader) -> None:
    assert read(scanned(""), "a.pdf").made_with == {"pdf": PDF.version}


def test_a_picture(read: Reader) -> None:
    assert "PURITY" in read(samples.picture("PURITY 12"), "a.png").pages[0].text


def test_a_picture_on_a_slide_is_read_once(read: Reader) -> None:
    deck = Presentation()
    for _ in range(2):
        slide = deck.slides.add_slide(deck.slide_layouts[6])
        picture = io.BytesIO(samples.picture("LARCH 475"))
        slide.shapes.add_picture(picture, 0, 0, 9_000_000, 2_000_000)
    out = io.BytesIO()
    deck.save(out)
    [page] = read(out.getvalue(), "a.pptx").pages
    assert "LARCH" in page.text


@pytest.mark.parametrize(
    "ending", ["odt", pytest.param("doc", marks=pytest.mark.smoke), "rtf"]
)
def test_old_documents(read: Reader, ending: str) -> None:
    source = b"{\\rtf1 Field\\par of 475 V/cm\\par}"
    found = read(converted(read.folder, source, "rtf", ending), f"a.{ending}")
    assert "of 475 V/cm" in "".join(page.text for page in found.pages)
    assert found.made_with["soffice"] == tools.version("soffice")
    assert "docx" in found.made_with


@pytest.mark.parametrize("ending", ["ppt", "odp"])
def test_old_decks(read: Reader, ending: str) -> None:
    deck = Presentation()
    for title in ("Field cage", "Purity"):
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = title
    out = io.BytesIO()
    deck.save(out)
    found = read(converted(read.folder, out.getvalue(), "pptx", ending), "a." + ending)
    assert [(p.number, p.text) for p in found.pages] == [
        (1, "Field cage"),
        (2, "Purity"),
    ]


@pytest.mark.parametrize("ending", ["xls", "ods"])
def test_old_workbooks_need_no_libreoffice(read: Reader, ending: str) -> None:
    content = converted(read.folder, samples.workbook(), "xlsx", ending)
    found = read(content, "a." + ending)
    assert "Cathode | 12.5" in found.pages[0].text
    assert "soffice" not in found.made_with


@pytest.mark.parametrize("ending", ["xls", "ods"])
def test_old_workbooks_are_as_displayed(read: Reader, ending: str) -> None:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet("Data")
    cells = [
        (0.985, "0.0%"), (42, "00000"), (180000, '#,##0" V"'), (1.5, "[h]:mm"),
        (-0.25, "0.00;(0.00)"), (45385.75, "dd/mm/yyyy hh:mm"), (3.2e-9, "0.00E+00"),
    ]  # fmt: skip
    for row, (value, code) in enumerate(cells, start=2):
        sheet.write(row, 1, value, book.add_format({"num_format": code}))
    sheet.write_formula(9, 1, "=1/0", value="#DIV/0!")
    sheet.write(10, 1, "kept")
    sheet.set_row(10, None, None, {"hidden": True})
    sheet.write_comment(2, 1, "Lowered on 12 May.")
    book.close()
    content = converted(read.folder, out.getvalue(), "xlsx", ending)
    [page] = read(content, "a." + ending).pages
    assert page.label == "Data!3:11"
    assert page.text.split("\n") == [
        "98.5% [comment: Lowered on 12 May.]", "00042", "180,000 V", "36:00", "-0.25",
        "2024-04-03 18:00", "3.20E-09", "#DIV/0!", "kept | (hidden row)",
    ]  # fmt: skip


def test_a_damaged_old_document(read: Reader) -> None:
    found = read(b"{\\rtf1 " + b"\\pict\\bin9999999 " * 50, "a.rtf")
    assert found.pages or found.error


def test_libreoffice_leaves_nothing_behind(read: Reader) -> None:
    read(b"{\\rtf1 The field is 475 V/cm.}", "a.rtf")
    read.sandbox.close()
    listed = subprocess.run(
        ["ps", "-eo", "args"], capture_output=True, text=True, check=True
    )
    assert str(read.folder) not in listed.stdout


def converted(folder: Path, content: bytes, source: str, ending: str) -> bytes:
    """Return a file as LibreOffice saves it in an older format."""
    (folder / f"made.{source}").write_bytes(content)
    subprocess.run(
        [
            "soffice",
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
            "--convert-to",
            ending,
            "--outdir",
            str(folder / "out"),
            str(folder / f"made.{source}"),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return (folder / "out" / f"made.{ending}").read_bytes()
