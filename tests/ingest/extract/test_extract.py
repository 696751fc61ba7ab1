"""What is read from files of each format, and what is said of those that cannot be."""

import io
import zipfile
from pathlib import Path

import pytest
from pptx import Presentation
from pptx.util import Inches
from reportlab.pdfgen.canvas import Canvas

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import ExtractTask, extract
from dunegpt.ingest.extract.clean import clean_text
from dunegpt.ingest.extract.media_type import detect_media_type
from dunegpt.types import Page
from tests.ingest.extract import samples

OCTETS = "application/octet-stream"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


def make_pdf(*sheets: str, password: str | None = None) -> bytes:
    """Return a PDF with the lines of each sheet, one below the other."""
    out = io.BytesIO()
    canvas = Canvas(out, encrypt=password)
    for sheet in sheets:
        for number, line in enumerate(sheet.split("\n")):
            canvas.drawString(72, 760 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def make_deck() -> bytes:
    """Return a deck of three slides: text and group, table and notes, nothing."""
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[5])
    first.shapes.title.text = "Field cage"
    box = first.shapes.add_textbox(0, 0, Inches(2), Inches(1))
    box.text_frame.text = "The voltage is\xa0475 V/cm"
    group = first.shapes.add_group_shape()
    inner = group.shapes.add_group_shape().shapes
    inner.add_textbox(0, 0, 9, 9).text_frame.text = "deep in HV_CATHODE_01"
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Purity\nmonitors"
    table = second.shapes.add_table(2, 2, 0, 0, Inches(2), Inches(1)).table
    for at, text in enumerate(["run", "life\ntime", "12", "3 ms"]):
        table.cell(at // 2, at % 2).text = text
    second.notes_slide.notes_text_frame.text = "only said on slide two"
    deck.slides.add_slide(deck.slide_layouts[6])
    out = io.BytesIO()
    deck.save(out)
    return out.getvalue()


def named(value: object) -> str:
    """Name a test's case by its texts: made files hold the time they were made at."""
    return value if isinstance(value, str) else "content"


HTML = """<!DOCTYPE html><html><head><title>The title</title><style>.x{}</style></head>
<body><nav>Menu</nav><p>Before <b>any</b>
heading.</p><!-- hidden -->
<h1>Field <i>cage</i></h1><h2>Rods</h2><script>var x</script>
<table><tr><th>Name</th><th>Value</th></tr><tr><td>HV_CATHODE_01</td><td>475</td></tr>
</table><h2>Purity</h2><ul><li>one &amp; two</li><li>three</li></ul></body></html>"""


@pytest.fixture
def read(tmp_path: Path) -> "Reader":
    return Reader(tmp_path)


class Reader:
    """Extracts from bytes, in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.task = ExtractTask(folder / "blob", "", "")

    def __call__(self, content: bytes, name: str, claimed: str = OCTETS) -> list[Page]:
        (self.folder / "blob").write_bytes(content)
        self.task = ExtractTask(self.folder / "blob", name, "")
        return [page for page in extract(self.task, claimed) if page.text.strip()]

    def type(self, content: bytes, name: str, claimed: str) -> str:
        (self.folder / "blob").write_bytes(content)
        return detect_media_type(self.folder / "blob", name, claimed)


# ── formats ───────────────────────────────────────────────────────────────────────


def test_pdf(read: Reader) -> None:
    sheets = [
        "1 Introduction\nThe drift field of HV_CATHODE_01 is 475 V/cm in the detec-\n"
        "tor. It is uniform to one percent over the whole of the volume.",
        "",
        "Its high-voltage cable ends here, far below what was expected.",
        "2.1 Purity Monitors\nThree stand in each cryostat, one above the other.",
    ]
    pages = read(make_pdf(*sheets), "a.pdf")
    found = [(page.number, page.heading) for page in pages]
    assert found == [
        (1, "1 Introduction"),
        (3, "1 Introduction"),
        (4, "2.1 Purity Monitors"),
    ]
    assert pages[0].text.startswith("1 Introduction\n\nThe drift field")
    assert "HV_CATHODE_01 is 475 V/cm in the detector." in pages[0].text
    assert "high-voltage" in pages[1].text


def test_deck(read: Reader) -> None:
    first, second = read(make_deck(), "talk.pptx")
    assert (first.number, first.heading) == (1, "Field cage")
    lines = first.text.split("\n")
    assert lines == ["Field cage", "The voltage is 475 V/cm", "deep in HV_CATHODE_01"]
    assert (second.number, second.heading) == (2, "Purity monitors")
    assert second.text.split("\n") == [
        "Purity monitors",
        "run | life time",
        "12 | 3 ms",
        "only said on slide two",
    ]


def test_html(read: Reader) -> None:
    pages = read(HTML.encode(), "page.html")
    assert [(p.number, p.heading) for p in pages] == [
        (1, "The title"),
        (2, "Field cage > Rods"),
        (3, "Field cage > Purity"),
    ]
    assert pages[0].text == "Before any heading."
    assert pages[1].text.startswith("Field cage")
    assert "Name | Value" in pages[1].text
    assert "HV_CATHODE_01 | 475" in pages[1].text
    assert pages[2].text.split() == "Purity one & two three".split()
    whole = "".join(page.text for page in pages)
    assert not any(word in whole for word in ("Menu", "hidden", "var x", ".x{"))


def test_html_of_minutes(read: Reader) -> None:
    """A piece of HTML without a frame, known by what the source says of it."""
    [page] = read("<p>Décision: <em>yes</em></p>".encode(), "m.html", "text/html")
    assert page == Page(1, "", "Décision: yes")


def test_a_line_break_in_html_is_no_paragraph(read: Reader) -> None:
    """An empty line would end a sentence when the text is split."""
    [page] = read(b"<p>The field is<br>475 V/cm,<br/>\nsay two.</p>", "m", "text/html")
    assert page.text == "The field is\n475 V/cm,\nsay two."


def test_markdown(read: Reader) -> None:
    text = (
        "Before.\n\n# Field cage #\n\n## Rods\n\nof HV_CATHODE_01\n"
        "```\n# not a heading\n```\n# Purity\n\n#hashtag\n"
    )
    pages = read(text.encode(), "n.md")
    assert [(p.number, p.heading) for p in pages] == [
        (1, ""),
        (2, "Field cage > Rods"),
        (3, "Purity"),
    ]
    assert [page.line for page in pages] == [1, 3, 11]
    assert "of HV_CATHODE_01\n```\n# not a heading\n```" in pages[1].text
    assert "#hashtag" in pages[2].text


@pytest.mark.parametrize(
    ("content", "name"),
    [("Mu\u0308ller \ufb01t", "a.txt"), ("Mu\u0308ller \ufb01t", "a.md")],
)
def test_unicode_in_one_form(read: Reader, content: str, name: str) -> None:
    [page] = read(content.encode(), name)
    assert page.text == "M\u00fcller fit"


@pytest.mark.parametrize("name", ["log.txt", "log.md", "log.rst"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "cp1252"]
)
def test_encodings(read: Reader, name: str, encoding: str) -> None:
    text = "Größe “5 μm”" if encoding != "cp1252" else "Größe “5 µm”"
    bom = encoding.endswith("-bom")
    content = text.encode(encoding.removesuffix("-bom"))
    content = b"\xff\xfe" + content if bom else content
    [page] = read(content, name, "text/plain")
    assert page.text == text


def test_text_is_cut_into_pages(read: Reader) -> None:
    lines = [f"line   {n}" for n in range(130)]
    pages = read("\r\n".join(lines).encode(), "a.txt")
    assert [p.number for p in pages] == [1, 2, 3]
    assert "\n".join(p.text for p in pages).split("\n") == lines
    pages = read(b"one\f\ftwo\r", "a.txt")
    assert pages == [
        Page(1, "", "one", "line 1", 1),
        Page(3, "", "two", "line 1", 1),
    ]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (" a \t b \n\n\n\n c ", "a b\n\nc"),
        ("e\u0301 \ufb03 \ufb06", "é ffi st"),
        ("a\x00b\x07c\u200bd\ufeffe\uffff", "abcde"),
        ("a\u00a0b\u2009c\u202fd", "a b c d"),
        ("one\x0btwo", "one\ntwo"),
        ("HV_CATHODE_01 __init__ x_{i}^2 -1.5e-3", None),
        ("", ""),
    ],
)
def test_clean(text: str, cleaned: str | None) -> None:
    assert clean_text(text) == (text if cleaned is None else cleaned)
    assert clean_text(clean_text(text)) == clean_text(text)


def test_clean_keeps_the_layout_of_a_table() -> None:
    text = "a   b  \n\n\n\n  c\x00   d"
    assert clean_text(text, keep_layout=True) == "a   b\n\n\n\n  c   d"


# ── what a file is ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "name", "claimed", "kind"),
    [
        (make_pdf("x"), "talk.pptx", "text/html", "application/pdf"),
        (b"\n\n" + make_pdf("x"), "a", "", "application/pdf"),
        (HTML.encode(), "paper.pdf", "application/pdf", "text/html"),
        (b"\xef\xbb\xbf" + HTML.encode(), "a.pdf", "application/pdf", "text/html"),
        (b"  <HTML><p>x", "a.txt", "text/plain", "text/html"),
        (make_deck(), "talk.pdf", "application/pdf", PPTX),
        (b"# Text", "README.md", OCTETS, "text/markdown"),
        (b"a,b\n", "a.csv", "text/csv", "text/csv"),
        (b"plain", "NOTES", OCTETS, "text/plain"),
        (b"<p>x</p>", "minutes.html", "text/html", "text/html"),
        (b"\x89PNG\r\n\x1a\n\0", "a.pdf", "application/pdf", "image/png"),
        (b"\x7fELF\0\0", "a.pdf", "application/pdf", OCTETS),
        (b"\x7fELF\0\0", "a.txt", "text/plain", OCTETS),
    ],
    ids=named,
)
def test_media_type(
    read: Reader, content: bytes, name: str, claimed: str, kind: str
) -> None:
    assert read.type(content, name, claimed) == kind


PDF = make_pdf("The drift field is 475 V/cm.", "Purity")


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.pdf", "is empty"),
        (make_pdf(""), "scan.pdf", "No page has any text"),
        (make_pdf("secret", password="x"), "a.pdf", "encrypted with a password"),
        (b"%PDF-1.7\n" + b"garbage " * 50, "a.pdf", "PDF is damaged"),
        (PDF[:200], "a.pdf", "PDF is damaged"),
        (samples.zipped(a=""), "a.pptx", "No page has any text: a: The file is empty."),
        (make_deck()[:5000], "a.pptx", "deck is damaged"),
        (b"7z\xbc\xaf\x27\x1c\0\4" * 9, "a.7z", "octet-stream cannot be read"),
        (b"\x89PNG\r\n\x1a\n\0", "a.txt", "picture is damaged"),
        (b"\x01\x02\x03\x04" * 10, "a.txt", "octet-stream cannot be read"),
        (b"<html><script>x</script></html>", "a.html", "No page has any text"),
    ],
    ids=named,
)
def test_what_cannot_be_read(
    read: Reader, content: bytes, name: str, reason: str
) -> None:
    with pytest.raises(ExtractError, match=reason):
        read(content, name)


@pytest.mark.parametrize("member", ["ppt/presentation.xml", "[Content_Types].xml"])
def test_a_deck_with_a_broken_part(read: Reader, member: str) -> None:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(make_deck())) as whole,
        zipfile.ZipFile(out, "w") as broken,
    ):
        for info in whole.infolist():
            bad = info.filename == member
            broken.writestr(info, b"<broken" if bad else whole.read(info))
    with pytest.raises(ExtractError, match="deck is damaged"):
        read(out.getvalue(), "a.pptx")
