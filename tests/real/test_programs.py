"""The real tesseract and LibreOffice, inside the limits of the child process."""

import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pptx import Presentation
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from dunegpt.config import ExtractTable
from dunegpt.ingest.extract import Extracted, tools
from dunegpt.ingest.extract.sandbox import Sandbox
from tests.ingest import samples
from tests.real.conftest import REQUIRED, absent

pytestmark = pytest.mark.programs
PACKAGES = {
    "tesseract": ["tesseract-ocr"],
    "soffice": [
        "libreoffice-impress-nogui",
        "libreoffice-writer-nogui",
        "libreoffice-calc-nogui",
    ],
}


@pytest.fixture(scope="session")
def programs() -> None:
    """Install what is missing where real parts are required; else skip."""
    lacking = [name for name in PACKAGES if not shutil.which(name)]
    if lacking and not REQUIRED:
        absent(", ".join(lacking), "not installed; 'make test-real' installs them")
    if lacking:
        install = ["apt-get", "install", "-y", "--no-install-recommends"]
        packages = [package for name in lacking for package in PACKAGES[name]]
        for command in (["apt-get", "update"], [*install, *packages]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                absent(", ".join(lacking), done.stderr[-300:])
    tools.forget()


@pytest.fixture
def read(programs: None, tmp_path: Path) -> Iterator["Reader"]:
    with Sandbox(ExtractTable(ocr_images=3)) as sandbox:
        yield Reader(sandbox, tmp_path)


class Reader:
    """Extracts from bytes, in the sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder

    def __call__(self, content: bytes, name: str) -> Extracted:
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
    assert read(scanned(""), "a.pdf").made_with == {"pdf": "2"}


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


@pytest.mark.parametrize("ending", ["odt", "doc", "rtf"])
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
