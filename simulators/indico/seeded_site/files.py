"""Generates the PDF and PPTX attachments of the test Indico.

The same text always gives the same bytes, so that MD5 sums can be compared.
Does not depend on Indico.
"""

import io
import textwrap
import zipfile
from collections.abc import Sequence

from pptx import Presentation

_EPOCH = (2025, 1, 1, 0, 0, 0)
_LINE_CHARS = 78


def pdf(pages: Sequence[str]) -> bytes:
    """Return a valid PDF with one page with a text layer for each text."""
    first = 4  # objects 1 to 3: catalog, page tree, font
    kids = " ".join(f"{first + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica "
        b"/Encoding /WinAnsiEncoding >>",
    ]
    for n, text in enumerate(pages):
        stream = _page_stream(text)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents "
            b"%d 0 R /Resources << /Font << /F1 3 0 R >> >> >>" % (first + 2 * n + 1)
        )
        objects.append(
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
        )
    return _pdf_file(objects)


def _page_stream(text: str) -> bytes:
    """Return the drawing commands that write text from the top of a page."""
    shown = []
    for paragraph in text.splitlines():
        for line in textwrap.wrap(paragraph, _LINE_CHARS) or [""]:
            safe = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            shown.append(b"(" + safe.encode("cp1252") + b") Tj T*")
    return b"BT /F1 11 Tf 56 780 Td 15 TL\n" + b"\n".join(shown) + b"\nET"


def _pdf_file(objects: Sequence[bytes]) -> bytes:
    """Return a PDF file of these objects, numbered from 1, with its xref table."""
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(objects) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def pptx(slides: Sequence[tuple[str, Sequence[str], str]]) -> bytes:
    """Return a PowerPoint file; a slide is (title, bullets, speaker notes)."""
    deck = Presentation()
    for title, bullets, notes in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.placeholders[0].text = title
        slide.placeholders[1].text = "\n".join(bullets)
        if notes and (frame := slide.notes_slide.notes_text_frame):
            frame.text = notes
    written = io.BytesIO()
    deck.save(written)
    return _dated(written.getvalue())


def _dated(package: bytes) -> bytes:
    """Return the zip package with a fixed date for every member."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(package)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, old.read(name))
    return out.getvalue()
