"""Writes documents full of facts in 14 formats, and knows what each of them says.

Deterministic for a seed. Knows no extractor.
"""

# ruff: noqa: RUF001 - the signs are the subject

import csv
import html
import io
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from email.message import EmailMessage

from benchmarks import fidelity_figures, fidelity_office
from benchmarks.fidelity_facts import PER_KIND, PLAIN, Fact, Maker, plain, runs_of

Document = tuple[str, bytes, list[Fact]]


def make_documents(seed: int) -> Iterator[Document]:
    """Yield name, content and facts of a document in each format."""
    for name, write in _WRITERS.items():
        maker = Maker(random.Random(f"{seed} {name}"))
        yield name, write(maker), maker.facts


# ── markup ────────────────────────────────────────────────────────────────────────


def _tagged(text: str, pattern: str) -> str:
    tags = {"super": "sup", "sub": "sub"}
    return "".join(
        pattern.format(tag=tags[shift], text=html.escape(own))
        if shift
        else html.escape(own)
        for own, shift in runs_of(text)
    )


def _html_body(maker: Maker) -> str:
    script = "<{tag}>{text}</{tag}>"
    parts = [
        f"<p>{_tagged(fact.sentence, script)}</p>"
        for kind in PLAIN
        for fact in maker.sentences(kind)
    ]
    for number, fact in enumerate(maker.sentences("note mark"), start=2):
        marked = fact.sentence.replace(" today", f"<sup>{number}</sup> today")
        parts.append(f"<p>{marked}</p>")
    parts += [
        f"<p>{f.sentence.replace(f.value, f'<del>{f.value}</del>')}</p>"
        for f in maker.sentences("struck")
    ]
    parts += [f"<p hidden>{f.sentence}</p>" for f in maker.sentences("hidden")[:3]]
    parts += [f"<!-- {f.sentence} -->" for f in maker.facts[-2:]]
    parts.append(_html_table(maker.table("merged table")))
    parts += [f"<p><sup>{n}</sup> As weighed.</p>" for n in range(2, 2 + PER_KIND)]
    return "\n".join(parts)


def _html_table(facts: list[Fact]) -> str:
    rows = [
        "<tr><th rowspan=2>Module</th><th rowspan=2>Plane</th><th colspan=2>Size</th>"
        "</tr><tr><th>Length (m)</th><th>Mass (kg)</th></tr>"
    ]
    for at in range(0, len(facts), 4):
        own = facts[at : at + 4]
        rows.append(
            f"<tr><td rowspan=2>{own[0].owner}</td><td>east</td><td>{own[0].value}</td>"
            f"<td>{own[1].value}</td></tr><tr><td>west</td><td>{own[2].value}</td>"
            f"<td>{own[3].value}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _write_html(maker: Maker) -> bytes:
    return f"<html><body><h1>Records</h1>{_html_body(maker)}</body></html>".encode()


def _write_epub(maker: Maker) -> bytes:
    rootfile = (
        '<rootfile full-path="o/c.opf" media-type="application/oebps-package+xml"/>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container version="1.0"'
            ' xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
            f"<rootfiles>{rootfile}</rootfiles></container>",
        )
        item = '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        spine = '<spine><itemref idref="a"/></spine>'
        book.writestr(
            "o/c.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
            f"<manifest>{item}</manifest>{spine}</package>",
        )
        book.writestr("o/a.xhtml", _write_html(maker))
    return out.getvalue()


def _write_eml(maker: Maker) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "a@example.test", "Records"
    mail.set_content("Please see the HTML part.")
    mail.add_alternative(
        f"<html><body>{_html_body(maker)}</body></html>", subtype="html"
    )
    lines = "\n".join(plain(fact.sentence) for fact in maker.sentences("attachment"))
    mail.add_attachment(lines, filename="log.txt")
    return bytes(mail)


def _write_mbox(maker: Maker) -> bytes:
    messages = []
    for kind in (*PLAIN, "after From"):
        lines = [plain(fact.sentence) for fact in maker.sentences(kind)]
        if kind == "after From":
            lines = [line for own in lines for line in ("", f"From now on: {own}")]
        head = "From a@example.test Wed Apr  3 10:00:00 2024\nFrom: a@example.test\n"
        kind_of_text = "Content-Type: text/plain; charset=utf-8\n"
        body = "\n".join(lines)
        messages.append(f"{head}Subject: {kind}\n{kind_of_text}\n{body}\n\n")
    return "".join(messages).encode()


def _write_markdown(maker: Maker) -> bytes:
    parts = ["# Records"]
    for kind in PLAIN:
        for number, fact in enumerate(maker.sentences(kind)):
            pattern = "<{tag}>{text}</{tag}>"
            if number % 2:
                marked = re.sub(r"\^\{(.*?)\}", r"^\1^", fact.sentence)
                parts.append(re.sub(r"_\{(.*?)\}", r"~\1~", marked))
            else:
                parts.append(_tagged(fact.sentence, pattern))
    parts += [
        f.sentence.replace(" today", "[^2] today") for f in maker.sentences("note mark")
    ]
    parts += [
        f.sentence.replace(f.value, f"~~{f.value}~~") for f in maker.sentences("struck")
    ]
    parts += [f"<!-- {f.sentence} -->" for f in maker.sentences("hidden")]
    parts.append(_html_table(maker.table("merged table")))
    return "\n\n".join([*parts, "[^2]: As weighed."]).encode()


def _write_rst(maker: Maker) -> bytes:
    parts = ["Records\n======="]
    for kind in PLAIN:
        for fact in maker.sentences(kind):
            marked = re.sub(r"\^\{(.*?)\}(?=\w)", r":sup:`\1`\\ ", fact.sentence)
            marked = re.sub(r"(?<=\w)\^\{(.*?)\}", r"\\ :sup:`\1`", marked)
            parts.append(re.sub(r"(?<=\w)_\{(.*?)\}", r"\\ :sub:`\1`", marked))
    parts += [f".. {f.sentence}" for f in maker.sentences("hidden")]
    return "\n\n".join(parts).encode()


def _write_latex(maker: Maker) -> bytes:
    signs = {
        "×": "$\\times$",
        "µ": "$\\mu$",
        "±": "$\\pm$",
        "−": "$-$",
        "°": "$^\\circ$",
    }

    def tex(text: str) -> str:
        text = re.sub(r"([\^_])\{(.*?)\}", r"$\1{\2}$", text)
        return "".join(signs.get(char, char) for char in text)

    parts = [tex(f.sentence) for kind in PLAIN for f in maker.sentences(kind)]
    for fact in maker.sentences("package units"):
        number = fact.value.removesuffix(" kg")
        parts.append(
            fact.sentence.replace(fact.value, f"\\SI{{{number}}}{{\\kilo\\gram}}")
        )
    parts += [f.sentence.replace(f.value, "\\mass{}") for f in _macros(maker)]
    notes = maker.sentences("note mark")
    parts += [f.sentence.replace(" today", "\\footnote{By us.} today") for f in notes]
    struck = maker.sentences("struck")
    parts += [f.sentence.replace(f.value, f"\\sout{{{f.value}}}") for f in struck]
    hidden = maker.sentences("hidden")
    parts += [f"% {f.sentence}" for f in hidden[:2]]
    parts += [
        f"\\begin{{comment}}\n{f.sentence}\n\\end{{comment}}" for f in hidden[2:4]
    ]
    parts += [f"\\iffalse {f.sentence}\\fi" for f in hidden[4:]]
    facts = maker.table("merged table")
    rows = [
        "\\multirow{2}{*}{Module} & \\multirow{2}{*}{Plane} & "
        "\\multicolumn{2}{c}{Size}\\\\ \\cline{3-4}"
        " & & Length (m) & Mass (kg) \\\\ \\hline"
    ]
    for at in range(0, len(facts), 4):
        v = [fact.value for fact in facts[at : at + 4]]
        owner = f"\\multirow{{2}}{{*}}{{{facts[at].owner}}}"
        rows.append(
            f"{owner} & east & {v[0]} & {v[1]} \\\\\n & west & {v[2]} & {v[3]} \\\\"
        )
    table = "\\begin{tabular}{llrr}\n" + "\n".join(rows) + "\n\\end{tabular}"
    head = "\\documentclass{article}\\newcommand{\\mass}{77.7 kg}\n\\begin{document}\n"
    return (head + "\n\n".join([*parts, table]) + "\n\\end{document}\n").encode()


def _macros(maker: Maker) -> list[Fact]:
    """Return facts whose value is that of a macro."""
    made = []
    for _ in range(PER_KIND):
        owner, value = maker.owner(), "77.7 kg"
        sentence = f"The record of {owner} says {value} today."
        made.append(Fact("macro", owner, value, sentence))
    maker.facts += made
    return made


def _write_text(maker: Maker) -> bytes:
    kinds = [*PLAIN]
    lines = [plain(fact.sentence) for kind in kinds for fact in maker.sentences(kind)]
    latin = [plain(f.sentence) for f in maker.sentences("unit")]
    # Lines of UTF-8, and some of Windows-1252 among them.
    return "\n".join(lines).encode() + b"\n" + "\n".join(latin).encode("cp1252") + b"\n"


def _write_csv(maker: Maker) -> bytes:
    out = io.StringIO()
    table = csv.writer(out, delimiter=";")
    table.writerow(["Größe", "Plane", "Length (m)", "Mass (kg)"])
    facts = maker.table("table")
    for at in range(0, len(facts), 2):
        own = facts[at : at + 2]
        table.writerow([*own[0].row, own[0].value, own[1].value])
    return out.getvalue().encode("cp1252")


def _write_elog(maker: Maker) -> bytes:
    entries = []
    for number, kind in enumerate(PLAIN, start=1):
        script = "<{tag}>{text}</{tag}>"
        body = "".join(
            f"<p>{_tagged(f.sentence, script)}</p>\n" for f in maker.sentences(kind)
        )
        head = (
            f"$@MID@$: {number}\nDate: Fri, 28 Jun 2024 10:00:00 +0000\nSubject: {kind}"
        )
        entries.append(f"{head}\nEncoding: HTML\n{'=' * 40}\n{body}\n")
    return "".join(entries).encode()


_WRITERS: dict[str, Callable[[Maker], bytes]] = {
    "a.pdf": fidelity_office.write_pdf,
    "a.docx": fidelity_office.write_docx,
    "a.pptx": fidelity_office.write_pptx,
    "a.xlsx": fidelity_office.write_xlsx,
    "a.csv": _write_csv,
    "a.html": _write_html,
    "a.md": _write_markdown,
    "a.rst": _write_rst,
    "a.tex": _write_latex,
    "a.txt": _write_text,
    "a.eml": _write_eml,
    "a.mbox": _write_mbox,
    "a.epub": _write_epub,
    "240628a.log": _write_elog,
    **fidelity_figures.WRITERS,
}
