"""LaTeX source to pages: sections, equations as written, no markup around text.

Nothing is run and nothing is included.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import clean
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.sections import Line, sections
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_LEVELS = {
    "part": 1,
    "chapter": 2,
    "section": 3,
    "subsection": 4,
    "subsubsection": 5,
    "paragraph": 6,
    "frametitle": 6,
}
_HEADING = re.compile(
    r"\s*\\(?:begin\{(frame)\}\s*(?:\[[^\]]*\])?|(part|chapter|section|subsection"
    r"|subsubsection|paragraph|frametitle)\*?\s*(?:\[[^\]]*\])?)\s*\{(.*?)\}"
    r"\s*(?:\\label\{[^}]*\})?\s*(.*)"
)
_COMMENT = re.compile(r"(?<!\\)%.*")
_DROPPED = re.compile(
    r"\\(?:label|index|vspace|hspace|includegraphics|bibliographystyle|bibliography"
    r"|usepackage|documentclass|setlength|pagestyle|thispagestyle|input|include)\*?"
    r"\s*(?:\[[^\]]*\])*\s*\{[^}]*\}"
)
_KEPT = re.compile(
    r"\\(?:textbf|textit|emph|texttt|textrm|textsf|textsc|underline|footnote|caption"
    r"|text|mbox|url|title|author|date|gls|glspl|Gls|acrshort|acrfull|dword|dshort)\*?"
    r"\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}"
)
_CITED = re.compile(r"~?\\(?:cite|ref|eqref|pageref|autoref|cref|Cref)\*?\{([^}]*)\}")
_UNITS = re.compile(r"\\(?:SI|qty)\s*(?:\[[^\]]*\])?\{([^{}]*)\}\s*\{([^{}]*)\}")
_NUMBER = re.compile(r"\\(?:num|si|unit)\{([^{}]*)\}")
_SWITCH = re.compile(
    r"\\(?:centering|noindent|bigskip|medskip|smallskip|newpage|clearpage|maketitle"
    r"|tableofcontents|hline|toprule|midrule|bottomrule|small|footnotesize|large|Large"
    r"|item\b|bf|it|tt|rm|appendix)(?![A-Za-z])"
)
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\{[^}]*\}(?:\[[^\]]*\])?(?:\{[lcrp|@{}. ]*\})?"
)
_ACCENTS = {"`": "\u0300", "'": "\u0301", "^": "\u0302", '"': "\u0308", "~": "\u0303"}
_ACCENT = re.compile(r"\\([`'^\"~])\{?([A-Za-z])\}?")


def pages(task: Task) -> Iterator[Page]:
    """Yield the sections of a file, without its preamble."""
    text = decode(task.path.read_bytes())
    lines = text.split("\n")
    begin = next((n for n, line in enumerate(lines) if "\\begin{document}" in line), -1)
    title = re.search(r"\\title\s*(?:\[[^\]]*\])?\{([^}]*)\}", text)
    name = clean(_plain(title[1])) if title else ""
    yield from sections(_lines(lines, begin + 1), title=name)


def _lines(lines: list[str], begin: int) -> Iterator[Line]:
    for number, line in enumerate(lines[begin:], start=begin + 1):
        line = _COMMENT.sub("", line)  # noqa: PLW2901
        if "\\end{document}" in line:
            return
        if found := _HEADING.match(line):
            level = _LEVELS[found[2] or "frametitle"]
            yield Line(clean(_plain(found[3])), level, number)
            line = found[4]  # noqa: PLW2901
        text = clean(_plain(line))
        if text or not line.strip():
            yield Line(text, 0, number)


def _plain(line: str) -> str:
    """Return a line without the markup that readers do not see."""
    line = _ACCENT.sub(lambda m: m[2] + _ACCENTS[m[1]], line)
    line = _DROPPED.sub("", line)
    line = _UNITS.sub(lambda m: f"{m[1]} {_unit(m[2])}", line)
    line = _NUMBER.sub(lambda m: _unit(m[1]), line)
    for _ in range(3):
        line = _KEPT.sub(r"\1", line)
    line = _CITED.sub(r" [\1]", line)
    row = "&" in line.replace("\\&", "") and "\\\\" in line
    line = _SWITCH.sub("", _ENVIRONMENT.sub("", line))
    if row:
        line = re.sub(r"(?<!\\)&", " | ", line)
    line = line.replace("\\\\", "").replace("~", " ").replace("---", "—")
    return re.sub(r"\\([%&$#_{}])", r"\1", line).replace("\\,", " ")


def _unit(text: str) -> str:
    """Return a unit of siunitx as a person writes it, where it is simple."""
    return re.sub(r"\\([A-Za-z]+)", r"\1", text).strip()
