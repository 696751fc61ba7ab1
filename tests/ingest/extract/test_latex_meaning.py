"""LaTeX: what is typeset, with the numbers, units and macros of the source."""

# ruff: noqa: RUF001 - the signs are the subject

from pathlib import Path

import pytest

from dunegpt.ingest.extract.latex.units import format_number, format_unit
from tests.ingest.extract.test_extract import Reader


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def text_of(read: Reader, body: str, preamble: str = "") -> str:
    """Return the lines of a document that are not empty."""
    source = (
        f"\\documentclass{{article}}\n{preamble}\n\\begin{{document}}\n{body}\n"
        "\\end{document}\nafter\n"
    )
    lines = "\n".join(p.text for p in read(source.encode(), "a.tex")).split("\n")
    return "\n".join(filter(None, lines))


# ── what is left out ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "hidden",
    [
        "% OLD 9 kV",
        "  % OLD \\begin{comment}",
        "\\begin{comment}\nOLD 9 kV\n\n\\end{comment}",
        "\\iffalse\nOLD \\iftrue x \\else y \\fi 9 kV\n\\fi",
        "\\iftrue\\else OLD\\fi",
        "\\ifdraft OLD \\else\\fi",
        "\\ifdraft\n\\ifx\\a\\b OLD\\fi\n\\fi",
        "\\begin{hide}OLD\\end{hide}",
        "\\phantom{OLD}\\vspace{3mm}\\label{OLD}",
    ],
)
def test_what_is_not_typeset_is_left_out(read: Reader, hidden: str) -> None:
    preamble = "\\newif\\ifdraft\n\\draftfalse\n\\excludecomment{hide}"
    text = text_of(read, f"Before.\n{hidden}\nIt is 95\\% and 8 kV.", preamble)
    assert text == "Before.\nIt is 95% and 8 kV."


def test_what_is_switched_on_stays(read: Reader) -> None:
    preamble = "\\newif\\iffinal\n\\finaltrue"
    body = "\\iffinal 7 kV\\else 9 kV\\fi, $a \\iff b$, \\ifx\\a\\b one\\else two\\fi"
    text = text_of(read, body, preamble)
    assert "7 kV" in text
    assert "9 kV" not in text
    assert "one" in text
    assert "two" in text


def test_percent_signs_in_code_and_addresses(read: Reader) -> None:
    body = (
        "Use \\verb|a%b| and \\lstinline!c%d!. See \\url{https://x.test/a%20b}, or\n"
        "\\href{https://x.test/c%20d}{the page}.\n"
        "\\begin{lstlisting}\nx = 5 % 3\n\\section{no}\n\\end{lstlisting}\nEnd."
    )
    assert text_of(read, body).split("\n") == [
        "Use a%b and c%d. See https://x.test/a%20b, or",
        "the page (https://x.test/c%20d).",
        "x = 5 % 3",
        "\\section{no}",
        "End.",
    ]


def test_a_comment_joins_lines_and_keeps_their_numbers(read: Reader) -> None:
    source = (
        "\\begin{document}\n% one\n% two\nThe high%\n   voltage.\n"
        "\\iffalse\nx\n\\fi\n\n"
        "\\section{Two\nlines}\nText.\n"
    )
    first, second = read(source.encode(), "a.tex")
    assert first.text == "The highvoltage."
    assert (second.heading, second.line) == ("Two lines", 10)


def test_an_included_file_is_in_the_ledger(read: Reader) -> None:
    text_of(read, "Text. \\input{results.tex}")
    assert read.task.remarks == ["It includes results.tex, which is another file."]


# ── macros ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("preamble", "body", "text"),
    [
        ("\\newcommand{\\hv}{175 kV}", "At \\hv{} and \\hv.", "At 175 kV and 175 kV."),
        ("\\newcommand\\hv{175 kV}", "At \\hv\\ now", "At 175 kV now"),
        ("\\def\\hv{175\\,kV}", "At {\\hv}", "At 175 kV"),
        ("\\newcommand{\\lar}{LAr\\xspace}", "in \\lar of", "in LAr of"),
        ("\\newcommand{\\q}[2]{#1 in #2}", "\\q{3}{\\emph{May}}", "3 in May"),
        ("\\newcommand{\\q}[2][5]{#1 of #2}", "\\q{a}, \\q[6]{b}", "5 of a, 6 of b"),
        ("\\def\\v#1{<#1>}\n\\newcommand{\\w}{\\v{x}}", "\\w", "<x>"),
        (
            "\\NewDocumentCommand{\\q}{O{5} m}{#1 of #2}",
            "\\q[7]{a} \\q{b}",
            "7 of a 5 of b",
        ),
        ("\\def\\g{\\ensuremath{10^{-7}}}", "\\g\\ or $3\\times\\g$", "10⁻⁷ or 3×10⁻⁷"),
        ("\\newcommand{\\loop}{\\loop x}", "ends", "ends"),
    ],
)  # fmt: skip
def test_macros_of_the_source(
    read: Reader, preamble: str, body: str, text: str
) -> None:
    assert text_of(read, body, preamble) == text


def test_a_macro_that_changes_on_the_way(read: Reader) -> None:
    body = "First \\hv.\n\n\\renewcommand{\\hv}{9 kV}\nThen \\hv."
    assert text_of(read, body, "\\newcommand{\\hv}{8 kV}") == "First 8 kV.\nThen 9 kV."


@pytest.mark.slow
def test_macros_that_grow_without_end(read: Reader) -> None:
    preamble = "\\newcommand{\\a}{\\b\\b}\\newcommand{\\b}{\\a\\a}"
    assert len(text_of(read, "\\a x", preamble)) < 1_000_000


# ── numbers and units ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("\\SI{475}{\\volt\\per\\centi\\metre}", "475 V/cm"),
        ("\\qty[per-mode=symbol]{2.5e-7}{\\pascal\\cubic\\metre\\per\\second}",
         "2.5 × 10⁻⁷ Pa m³/s"),
        ("\\SI{1.2 +- 0.3}{\\milli\\second}", "(1.2 ± 0.3) ms"),
        ("\\num{1.5e6} and \\num{.5}", "1.5 × 10⁶ and 0.5"),
        ("\\SIrange{86}{90}{\\kelvin}", "86 K to 90 K"),
        ("\\qtylist{1;2;3}{\\mm}", "1 mm, 2 mm and 3 mm"),
        ("\\ang{30}, \\ang{1;30;}", "30°, 1°30′"),
        ("\\si{\\kg\\m\\squared\\per\\s\\squared} \\unit{\\us}", "kg m²/s² µs"),
        ("\\SI{5}{\\percent} at \\SI{87}{\\celsius}", "5 % at 87 °C"),
        ("\\SI{3}{\\watt\\per\\metre\\squared\\per\\kelvin}", "3 W/(m² K)"),
        ("$3\\times10^{-8}$ mbar", "3×10⁻⁸ mbar"),
        ("$5.0 \\times 10^{25}$ and 10$^{9}$", "5.0 × 10²⁵ and 10⁹"),
        ("1.39 g/cm$^3$, H$_2$O, $^{39}$Ar", "1.39 g/cm³, H₂O, ³⁹Ar"),
        ("$5\\,\\mu$m, 3 $\\mu$m, $\\pm$3, 20$^\\circ$C, $\\sim$4",
         "5 μm, 3 µm, ±3, 20°C, ~4"),
        ("$\\chi^2/\\mathrm{ndf} = 12.3/10$", "χ²/ndf = 12.3/10"),
        ("$\\Delta m^2_{32} = 2.45\\times 10^{-3}$", "Δm²₃₂ = 2.45×10⁻³"),
        ("\\(\\frac{1}{2}\\)", "1/2"),
        ("10\\textsuperscript{-4} and CO\\textsubscript{2}, \\ce{SF6}",
         "10⁻⁴ and CO₂, SF₆"),
        ("$p < 0.05$ and $x\\%$", "p < 0.05 and $x\\%$"),
        ("$\\int_0^1 f(\\unknown)$", "$\\int_0^1 f(\\unknown)$"),
        ("10--20~kV --- ``cold''", "10–20 kV — “cold”"),
        ("\\begin{equation}\\label{e} E = \\SI{500}{V/cm} \\end{equation}",
         "E = 500 V/cm"),
    ],
)  # fmt: skip
def test_numbers_and_units(read: Reader, body: str, text: str) -> None:
    assert text_of(read, body) == text


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("\\micro\\ampere", "µA"),
        ("\\MeV\\per\\clight", "MeV/c"),
        ("m.s^{-1}", "m s⁻¹"),
        ("\\per\\second", "1/s"),
        ("\\inch", "in"),
    ],
)
def test_units(unit: str, text: str) -> None:
    assert format_unit(unit, {"inch": "in"}) == text


def test_numbers_of_siunitx() -> None:
    assert format_number("3.1(2)e-6") == "3.1(2) × 10⁻⁶"
    assert format_number("(2.3 +- .1)e5".replace("(", "").replace(")", "")) == (
        "(2.3 ± 0.1) × 10⁵"
    )
    assert format_number("e5") == "10⁵"


def test_accents(read: Reader) -> None:
    body = (
        'M\\"uller, Garc\\\'{\\i}a, \\v{S}koda, \\c{C}a, \\O rsted, \\AA ngstr\\"{o}m,'
        " \\L{}\\'od\\'z, Erd\\H{o}s, Stra\\ss e, \\~n, na\\\"{\\i}ve"
    )
    assert text_of(read, body) == (
        "Müller, García, Škoda, Ça, Ørsted, Ångström, Łódź, Erdős, Straße, ñ, naïve"
    )


# ── tables, lists, captions ───────────────────────────────────────────────────────


def test_rows_over_several_lines_and_merged_cells(read: Reader) -> None:
    body = r"""\begin{table}\caption{Leaks of
valves}
\begin{tabular}{l|cc}
\toprule
\multirow{2}{*}{Valve} & \multicolumn{2}{c}{Leak (mbar)} \\
\cmidrule(lr){2-3}
 & May & June \\
\midrule
\multirow{2}{*}{V1} & $10^{-8}$
 & 3 \\[2pt]
 & 4 & 5\%
\\
V2 & \multicolumn{2}{c}{closed} \\ \hline
\end{tabular}
\end{table}"""
    assert text_of(read, body).split("\n") == [
        "Table 1: Leaks of valves",
        "Valve | Leak (mbar) May | Leak (mbar) June",
        "V1 | 10⁻⁸ | 3",
        "V1 | 4 | 5%",
        "V2 | closed | closed",
    ]


def test_a_long_table_has_its_head_once(read: Reader) -> None:
    body = r"""\begin{longtable}{ll}
\caption{Runs} \\ \hline Run & Field \\ \hline \endfirsthead
\multicolumn{2}{c}{continued} \\ Run & Field \\ \hline \endhead
\hline \multicolumn{2}{r}{next page} \\ \endfoot \hline \endlastfoot
7 & 475 \\

8 & 480 \\
\end{longtable}"""
    lines = text_of(read, body).split("\n")
    assert lines[-3:] == ["Run | Field", "7 | 475", "8 | 480"]
    assert not any("continued" in line or "next page" in line for line in lines)


def test_items_have_numbers(read: Reader) -> None:
    body = (
        "\\begin{enumerate}\\item Vent.\\begin{enumerate}\\item Wait.\\end{enumerate}\n"
        "\\item Close.\\end{enumerate}\\begin{description}\\item[PT7] 1.2 bar"
        "\\end{description}"
    )
    assert text_of(read, body).split("\n") == [
        "1. Vent.",
        "a. Wait.",
        "2. Close.",
        "PT7: 1.2 bar",
    ]


def test_struck_text_and_notes(read: Reader) -> None:
    body = "At \\sout{2 bar} 3 bar\\footnote{By \\emph{hand}.} and \\textcolor{red}{4}."
    assert text_of(read, body) == ("At [struck out: 2 bar] 3 bar [By hand.] and 4.")


def test_a_title_over_two_lines(read: Reader) -> None:
    preamble = "\\newcommand{\\x}{argon}\\title{Purity of\nthe \\x{}}\\date{May 2024}"
    source = f"{preamble}\\begin{{document}}\\maketitle\nText.\\end{{document}}"
    [page] = read(source.encode(), "a.tex")
    assert page.heading == "Purity of the argon"
    assert page.text.split("\n")[:2] == ["Purity of the argon", "May 2024"]


@pytest.mark.parametrize(
    ("columns", "rows", "text"),
    [
        ("l|r@{.}l", r"a & 3 & 14 \\ b & & \\ c & 7 &", "a | 3.14\nb |\nc | 7"),
        (r"r@{$\,\pm\,$}l", r"1.5 & 0.2 \\ 8 & 3", "1.5±0.2\n8±3"),
        (r"l@{}r@{ }p{3cm}", r"a & 1 & x", "a | 1 | x"),
        (
            r"lr@{.}l",
            r"Name & \multicolumn{2}{c}{Value} \\ \hline a & 3 & 1",
            "Name | Value\na | 3.1",
        ),
    ],
)
def test_columns_that_make_one_number(
    read: Reader, columns: str, rows: str, text: str
) -> None:
    table = f"\\begin{{tabular}}{{{columns}}}{rows}\\end{{tabular}}"
    assert text_of(read, table).replace("\u202f", " ") == text
