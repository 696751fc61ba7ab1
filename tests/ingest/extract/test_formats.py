"""Formats beyond PDF, decks and web pages: what their pages are."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import media_type
from tests.ingest.extract import samples
from tests.ingest.extract.test_extract import Reader, make_pdf


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def texts(read: Reader, content: bytes, name: str) -> list[tuple[str, str]]:
    return [(page.heading, page.text) for page in read(content, name)]


# ── office ────────────────────────────────────────────────────────────────────────


def test_docx(read: Reader) -> None:
    body = (
        samples.paragraph("Before.")
        + samples.paragraph("Field", "Head1")
        + samples.paragraph("Rods", "Head2")
        + samples.paragraph("of HV_CATHODE_01")
        + samples.table(["Name", "Value"], ["HV", "475 V/cm"])
        + '<w:p><w:r><w:t>Noted</w:t></w:r><w:footnoteReference w:id="2"/></w:p>'
    )
    notes = f'<w:footnote w:id="2">{samples.paragraph("by hand")}</w:footnote>'
    found = texts(read, samples.docx(body, footnotes=notes), "a.docx")
    assert found[0] == ("", "Before.")
    heading, text = found[1]
    assert heading == "Field > Rods"
    assert "Name | Value\nHV | 475 V/cm" in text
    assert "Noted [by hand]" in text


def test_docx_equations(read: Reader) -> None:
    def run(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    nu = run("\u03bd")
    sub = f"<m:sSub><m:e>{nu}</m:e><m:sub>{run('e')}</m:sub></m:sSub>"
    over = f"<m:num>{run('1')}</m:num><m:den>{run('x+2')}</m:den>"
    math = f"<m:oMath>{sub}{run('=')}<m:f>{over}</m:f></m:oMath>"
    body = f"<w:p><w:r><w:t>So</w:t></w:r>{math}</w:p>"
    [(_, text)] = texts(read, samples.docx(body), "a.docx")
    assert text == "So \u03bd_e=1/(x+2)"


def test_deleted_text_of_a_document_is_not_there(read: Reader) -> None:
    body = (
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new"
    )
    [(_, text)] = texts(
        read, samples.docx(f"{body}</w:t></w:r></w:ins></w:p>"), "a.docx"
    )
    assert text == "new"


def test_workbook(read: Reader) -> None:
    pages = read(samples.workbook(), "a.xlsx")
    assert [page.label for page in pages] == [
        "Costs!1:4",
        "Costs!1:2",
        "Costs!7:8",
        "Costs, chart",
    ]
    assert pages[0].text == "Item | Mass\nCathode | 12.5\nAnode | 0.3\n | 12.8"
    assert pages[1].text == "Run | Field\n7 | 475 V/cm"
    assert pages[2].text == "Both\nleft | right"
    assert pages[3].text.startswith(" | masses")


@pytest.mark.slow
def test_a_sheet_that_is_too_long_is_cut_off_and_says_so(read: Reader) -> None:
    pages = read(samples.workbook(rows=6000), "a.xlsx")
    assert sum(len(page.text) for page in pages) <= 1_000_000
    [remark] = read.task.remarks
    assert "cut off before row" in remark
    assert "of 6000: over 1,000,000 characters" in remark


def test_a_cell_with_line_ends_or_bars_is_one_cell(read: Reader) -> None:
    [page] = read(b'pump,flow\n"P1 | spare","2\n3 l/s"\n', "a.csv")
    assert page.text == "pump | flow\nP1|spare | 2 3 l/s"


def test_long_rows_say_what_each_cell_is(read: Reader) -> None:
    rows = "Name,Text,Value\n" + f"HV,{'word ' * 120},475\n" * 3
    with pytest.raises(ExtractError):
        read(b"", "a.csv")
    [page] = read(rows.encode(), "a.csv")
    assert page.text.startswith("Name | Text | Value\nHV | word")


def test_deck_sections_charts_and_hidden_pictures(read: Reader) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Charge"
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["run 7", "run 8"]
    data.add_series("lifetime", (3.0, 3.5))  # type: ignore[no-untyped-call]
    kind = XL_CHART_TYPE.COLUMN_CLUSTERED
    slide.shapes.add_chart(kind, 0, 0, Inches(4), Inches(3), data)
    out = io.BytesIO()
    deck.save(out)
    [page] = read(out.getvalue(), "a.pptx")
    assert page.label == "slide 1"
    assert "| lifetime\nrun 7 | 3\nrun 8 | 3.5" in page.text


# ── text ──────────────────────────────────────────────────────────────────────────


def test_rst(read: Reader) -> None:
    found = texts(read, samples.RST.encode(), "a.rst")
    assert [heading for heading, _ in found] == ["Title > Rods", "Title > Purity"]
    assert "See the field and our page (https://example.test)." in found[0][1]
    assert "Name | Value\nHV | 475" in found[0][1]
    assert "contents" not in found[0][1]
    assert "Three monitors." in found[1][1]


def test_latex(read: Reader) -> None:
    pages = read(samples.LATEX.encode(), "a.tex")
    assert [page.heading for page in pages] == ["Field", "Field > Rods"]
    assert pages[0].text == "Field\n\nThe field is 475 V/cm for $\\nu_e$, see [larch]."
    assert pages[0].line == 4
    assert "Name | Value\nHV | 475" in pages[1].text
    assert "Café bold both 5 %." in pages[1].text
    assert not any(word in pages[1].text for word in ("passwd", "after", "comment"))


def test_delimited(read: Reader) -> None:
    rows = "run;field\n" + "".join(f"{n};{n}.5 V/cm\n" for n in range(100))
    pages = read(rows.encode(), "a.csv")
    assert [page.line for page in pages] == [1, 41, 80]
    assert all(page.text.startswith("run | field\n") for page in pages)
    assert "99 | 99.5 V/cm" in pages[-1].text
    [page] = read(b"a\tb\n1\t2\n", "a.tsv")
    assert page.text == "a | b\n1 | 2"


def test_titles_above_the_header_of_a_delimited_table(read: Reader) -> None:
    rows = "Cables of NP02\n# revision C\n\ncable;m\n"
    rows += "".join(f"C{n};{n},5\n" for n in range(60))
    pages = read(rows.encode(), "a.csv")
    assert len(pages) == 2
    for page in pages:
        assert page.text.startswith("Cables of NP02\n# revision C\ncable | m\nC")
    assert pages[1].text.endswith("C59 | 59,5")


def test_a_table_that_is_too_long_is_cut_off_and_says_so(read: Reader) -> None:
    read(b"a,b\n" + b"x" * 500 + b",1\n" + (b"y" * 500 + b",1\n") * 3000, "a.csv")
    [remark] = read.task.remarks
    assert remark.startswith("The table is cut off at line")


def test_python(read: Reader) -> None:
    pages = read(samples.PYTHON.encode(), "pump.py")
    found = [(page.heading, page.line, page.label) for page in pages]
    assert found == [
        ("", 1, "pump.py, line 1"),
        ("open_valve", 6, "pump.py, line 6"),
        ("Pump.start", 11, "pump.py, line 11"),
    ]
    lines = samples.PYTHON.split("\n")
    for page in pages:
        assert page.text.split("\n")[0] == lines[page.line - 1]


def test_cpp(read: Reader) -> None:
    pages = read(samples.CPP.encode(), "valve.cxx")
    assert [(p.heading, p.line) for p in pages] == [("Valve::open", 1), ("main", 12)]


@pytest.mark.parametrize(
    ("name", "text", "heading"),
    [
        ("a.toml", "x = 1\n\n\n\n[field]\ny = 2\n", "field"),
        ("a.f90", "! head\n!\n\n\n\nsubroutine drift(x)\nend subroutine\n", "drift"),
        ("a.sh", "set -e\n\n\n\nramp() {\n  echo up\n}\n", "ramp"),
        ("a.py", "not python !\n\n\n\ndef up(:\n", "up"),
        ("Makefile", "all:\n\ttrue\n", ""),
    ],
)
def test_other_code(read: Reader, name: str, text: str, heading: str) -> None:
    assert read(text.encode(), name)[-1].heading == heading


def test_a_line_without_end_is_cut_into_pages(read: Reader) -> None:
    pages = read(b'{"x": "' + b"a" * 50_000 + b'"}', "a.json")
    assert all(len(page.text) <= 12_000 for page in pages)
    assert sum(len(page.text) for page in pages) == 50_009


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "koi8-r"])
def test_any_encoding(read: Reader, encoding: str) -> None:
    text = "Напряжение на катоде равно десяти киловольтам, и это много для детектора. "
    [page] = read((text * 4).encode(encoding), "a.txt")
    assert page.text == (text * 4).strip()


# ── mail and logs ─────────────────────────────────────────────────────────────────


def test_mail(read: Reader) -> None:
    for name in ("a.eml", "message"):
        [page] = read(samples.MAIL, name)
        assert page.heading == "Purität of Larch"
        assert page.text.split("\n") == [
            "From: Ada <ada@example.test>",
            "To: Bo <bo@example.test>",
            "Date: Fri, 28 Jun 2024 10:00:00 +0000",
            "Subject: Purität of Larch",
            "Attached: plot.pdf",
            "",
            "The lifetime is 3 ms ± 1.",
        ]


def test_a_mailbox(read: Reader) -> None:
    box = b"From a@b Fri Jun 28 10:00:00 2024\n" + samples.MAIL.replace(b"\r", b"")
    pages = read(box + b"\n" + box, "a.mbox")
    assert [page.number for page in pages] == [1, 2]


def test_logbook(read: Reader) -> None:
    first, second = read(samples.ELOG.encode(), "240628a.log")
    assert (first.heading, first.label, first.line) == ("HV trip", "entry 17", 1)
    assert first.text.endswith("Subject: HV trip\n\nCathode tripped at 475 V/cm.")
    assert (second.heading, second.label) == ("Ramp", "entry 18")
    assert second.text.endswith("Ramped up.")


# ── archives ──────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_archives(read: Reader) -> None:
    members = {"b_dot_md": b"# Head\n\nsecond", "a_dot_pdf": make_pdf("first", "more")}
    for content, name in [
        (samples.zipped(**members), "a.zip"),
        (samples.tarred(**members), "a.tar.gz"),
    ]:
        pages = sorted(read(content, name), key=lambda page: page.label)
        assert [(p.label, p.heading) for p in pages] == [
            ("a.pdf, page 1", "a.pdf"),
            ("a.pdf, page 2", "a.pdf"),
            ("b.md, line 1", "b.md > Head"),
        ]
        assert sorted(p.number for p in pages) == [1, 2, 3]


def test_what_an_archive_lacks_is_said(read: Reader) -> None:
    locked = make_pdf("secret", password="x")
    content = samples.zipped(
        a_dot_pdf=locked, b_dot_txt="text", c_dot_7z=b"7z\0\1" * 20
    )
    [page] = read(content, "a.zip")
    assert page.label == "b.txt, line 1"
    assert read.task.remarks == [
        "a.pdf: The PDF is encrypted with a password.",
        "c.7z: Files of the type application/octet-stream cannot be read.",
    ]


def test_archives_in_archives_end(read: Reader) -> None:
    content = b"deep"
    for _ in range(6):
        content = samples.zipped(a_dot_zip=content)
    with pytest.raises(ExtractError, match="nested too deeply"):
        read(content, "a.zip")


def test_a_book(read: Reader) -> None:
    found = texts(read, samples.zipped(**samples.EPUB), "a.epub")
    assert found == [("One", "One\n\nfirst"), ("Two", "Two\n\nsecond")]


# ── what must not happen ──────────────────────────────────────────────────────────


def test_no_entity_of_xml_is_followed(read: Reader, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    body = samples.paragraph("&x;") + samples.paragraph("seen")
    entity = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    laughs = '<!DOCTYPE d [<!ENTITY x "' + "ha" * 50 + '">]>'
    for head in (entity, laughs):
        whole = io.BytesIO(samples.docx(body))
        out = io.BytesIO()
        with zipfile.ZipFile(whole) as old, zipfile.ZipFile(out, "w") as new:
            for info in old.infolist():
                content = old.read(info)
                is_body = info.filename == "word/document.xml"
                new.writestr(info, head.encode() + content if is_body else content)
        [(_, text)] = texts(read, out.getvalue(), "a.docx")
        assert text == "seen"


@pytest.mark.slow
def test_a_picture_of_too_many_pixels(read: Reader) -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    with pytest.raises(ExtractError, match="over 60 million pixels"):
        read(out.getvalue(), "a.png")


def test_a_picture_without_tesseract(read: Reader, no_tools: None) -> None:
    with pytest.raises(ExtractError, match="tesseract, which would read scans, is abs"):
        read(samples.picture("text"), "a.png")
    assert read.task.made_with["tesseract"] == "absent"


def test_an_old_format_without_libreoffice(read: Reader, no_tools: None) -> None:
    with pytest.raises(ExtractError, match="needs LibreOffice, which is absent"):
        read(b"{\\rtf1 text}", "a.rtf")


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from dunegpt.ingest.extract import programs  # noqa: PLC0415

    monkeypatch.setenv("PATH", str(tmp_path))
    programs.clear_cache()
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(programs, "path", lambda tool: None)
    monkeypatch.setattr(programs, "version", lambda tool: programs.ABSENT)


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.pptx"])
def test_an_encrypted_office_file(tmp_path: Path, name: str) -> None:
    """Office writes it as a compound file; only its directory is looked at."""
    path = tmp_path / name
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + os.urandom(600))
    with pytest.raises(ExtractError, match="damaged"):
        media_type.detect_media_type(path, name, "")
