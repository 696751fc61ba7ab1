"""Small files of each format, made here."""

import io
import tarfile
import zipfile

import xlsxwriter
from PIL import Image, ImageDraw

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_M = "http://schemas.openxmlformats.org/officeDocument/2006/math"


def zipped(**members: str | bytes) -> bytes:
    """Return a zip archive; ``__`` in a name stands for ``/``, ``_dot_`` for a dot."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            path = name.replace("__", "/").replace("_dot_", ".")
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(**members: bytes) -> bytes:
    """Return a compressed tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("_dot_", "."))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def docx(body: str, **parts: str) -> bytes:
    """Return a Word document with this body, and other parts of ``word/``."""
    styles = "".join(
        f'<w:style w:styleId="Head{n}"><w:name w:val="heading {n}"/></w:style>'
        for n in (1, 2)
    )
    members = {
        "word__document_dot_xml": _part("document", f"<w:body>{body}</w:body>"),
        "word__styles_dot_xml": _part("styles", styles),
        **{f"word__{name}_dot_xml": _part(name, text) for name, text in parts.items()},
    }
    return zipped(**members)


def _part(name: str, content: str) -> str:
    return f'<w:{name} xmlns:w="{_W}" xmlns:m="{_M}">{content}</w:{name}>'


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph of a Word document."""
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def table(*rows: list[str]) -> str:
    """Return a table of a Word document."""
    cells = ("".join(f"<w:tc>{paragraph(c)}</w:tc>" for c in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{each}</w:tr>' for each in cells)}</w:tbl>"


def workbook(rows: int = 0) -> bytes:
    """Return two tables on one sheet, a chart, a formula; or so many long rows."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet("Costs")
    if rows:
        for number in range(rows):
            sheet.write_row(number, 0, [number, "x" * 200, 1.5])
        book.close()
        return out.getvalue()
    sheet.write_row(0, 0, ["Item", "Mass"])
    sheet.write_row(1, 0, ["Cathode", 12.5])
    sheet.write_row(2, 0, ["Anode", 0.1 + 0.2])
    sheet.write_formula(3, 1, "=SUM(B2:B3)", value=12.8)
    sheet.write_row(0, 4, ["Run", "Field"])
    sheet.write_row(1, 4, [7, "475 V/cm"])
    sheet.merge_range(6, 0, 6, 1, "Both")
    sheet.write_row(7, 0, ["left", "right"])
    chart = book.add_chart({"type": "line"})
    chart.add_series(
        {
            "name": "masses",
            "categories": "=Costs!$A$2:$A$3",
            "values": "=Costs!$B$2:$B$3",
        }
    )
    sheet.insert_chart("H1", chart)
    book.close()
    return out.getvalue()


def picture(text: str = "", size: tuple[int, int] = (900, 200)) -> bytes:
    """Return a PNG picture with a text in large letters."""
    image = Image.new("L", size, 255)
    small = Image.new("L", (size[0] // 4, size[1] // 4), 255)
    ImageDraw.Draw(small).text((10, 15), text, fill=0)
    image.paste(small.resize(size, Image.Resampling.LANCZOS))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


MAIL = (
    b"From: Ada <ada@example.test>\r\nTo: Bo <bo@example.test>\r\n"
    b"Subject: =?utf-8?q?Purit=C3=A4t?= of Larch\r\n"
    b"Date: Fri, 28 Jun 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n"
    b"The lifetime is 3 ms \xb1 1.\r\n"
    b"--b\r\nContent-Type: application/pdf; name=plot.pdf\r\n"
    b"Content-Disposition: attachment; filename=plot.pdf\r\n\r\nxx\r\n--b--\r\n"
)
ELOG = (
    "$@MID@$: 17\nDate: Fri, 28 Jun 2024 10:00:00 +0000\nAuthor: Ada\n"
    "Subject: HV trip\nEncoding: plain\n========================================\n"
    "Cathode tripped at 475 V/cm.\n\n"
    "$@MID@$: 18\nDate: Sat, 29 Jun 2024 10:00:00 +0000\nAuthor: Bo\n"
    "Subject: Ramp\nEncoding: HTML\n========================================\n"
    "<p>Ramped <b>up</b>.</p>\n"
)
RST = """\
=====
Title
=====

.. contents::
   :local:

Rods
----

See :ref:`the field <field>` and `our page <https://example.test>`_.

+------+-------+
| Name | Value |
+======+=======+
| HV   | 475   |
+------+-------+

Purity
------
Three ``monitors``.
"""
LATEX = r"""\documentclass{article}
\title{Larch}
\begin{document}
\section{Field}\label{sec:field} % a comment
The field is \SI{475}{V/cm} for $\nu_e$, see~\cite{larch}.
\subsection*{Rods}
\begin{tabular}{lr}
Name & Value \\ \hline
HV & 475 \\
\end{tabular}
\input{/etc/passwd}
Caf\'e \textbf{bold \emph{both}} 5\,\%.
\end{document}
after
"""
PYTHON = '''"""Reads."""

import os


def open_valve(number):
    """Open one."""
    return number


class Pump:
    """Pumps."""

    def start(self):
        a = 1
        b = 2
        return a + b
'''
CPP = """\
#include <vector>
// Opens a valve.
// Carefully.
void Valve::open(int number)
{
  run(number);
  if (number) {
    stop();
  }
}

int main() {
  return 0;
  // one
  // two
}
"""
EPUB = {
    "mimetype": "application/epub+zip",
    "META-INF__container_dot_xml": '<c><rootfiles><rootfile full-path="o/c.opf"/>'
    "</rootfiles></c>",
    "o__c_dot_opf": '<p><manifest><item id="b" href="b.xhtml"/>'
    '<item id="a" href="a.xhtml"/></manifest>'
    '<spine><itemref idref="a"/><itemref idref="b"/></spine></p>',
    "o__a_dot_xhtml": "<html><body><h1>One</h1><p>first</p></body></html>",
    "o__b_dot_xhtml": "<html><body><h1>Two</h1><p>second</p></body></html>",
}
