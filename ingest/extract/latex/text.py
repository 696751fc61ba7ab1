"""Converts the paragraphs of a LaTeX document to plain text.

Accents and signs are characters, numbers and units are written as typeset, items of
lists and captions have their numbers, and tables are rows. Longer formulas stay as
written. Runs no LaTeX: what a package would print is known for the common ones only.
"""

# ruff: noqa: RUF001 - the signs are the subject

import re
import unicodedata
from collections.abc import Callable

from dunegpt.ingest.extract.clean import mark_struck, to_one_line
from dunegpt.ingest.extract.latex import units
from dunegpt.ingest.extract.latex.macros import read_argument, read_optional
from dunegpt.ingest.extract.latex.math import (
    UnknownMathError,
    format_math,
    is_typography,
)
from dunegpt.ingest.extract.latex.tables import TABLES, format_table
from dunegpt.ingest.extract.list_numbers import format_number as format_item
from dunegpt.text.typography import to_subscript, to_superscript

_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", '"': "\u0308", "~": "\u0303",
    "=": "\u0304", ".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306",
    "H": "\u030b", "k": "\u0328", "r": "\u030a", "d": "\u0323", "b": "\u0331",
    "t": "\u0361",
}  # fmt: skip
_SIGNS = {
    "ss": "ß", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "ae": "æ", "AE": "Æ",
    "oe": "œ", "OE": "Œ", "l": "ł", "L": "Ł", "i": "i", "j": "j", "dh": "ð", "th": "þ",
    "S": "§", "P": "¶", "copyright": "©", "pounds": "£", "euro": "€", "texteuro": "€",
    "dots": "…", "ldots": "…", "textdegree": "°", "degree": "°", "textmu": "µ",
    "textohm": "Ω", "texttimes": "×", "textpm": "±", "textendash": "–",
    "textemdash": "—", "textasciitilde": "~", "textbackslash": "\\",
    "textquoteleft": "‘", "textquoteright": "’", "textquotedblleft": "“",
    "textquotedblright": "”", "textregistered": "®", "texttrademark": "™",
    "textunderscore": "_", "textless": "<", "textgreater": ">", "textbar": "|",
    "textcelsius": "°C", "celsius": "°C", "textperthousand": "‰", "textbullet": "•",
    "textonehalf": "½", "dag": "†", "ddag": "‡", "LaTeX": "LaTeX", "TeX": "TeX",
    "micro": "µ", "ohm": "Ω", "today": "", "textasciicircum": "^", "textminus": "−",
    "textordmasculine": "º", "quad": " ", "qquad": " ", "newline": "\n",
    "linebreak": "\n", "par": "\n\n", "tabularnewline": " ", "guillemotleft": "«",
    "guillemotright": "»", "slash": "/", "xspace": "", "checkmark": "✓",
}  # fmt: skip
_SWITCHES = frozenset(
    """centering noindent bigskip medskip smallskip newpage clearpage tableofcontents
    small footnotesize large Large huge Huge normalsize scriptsize tiny bf it tt rm sf
    em sc bfseries itshape ttfamily appendix pause protect left right hfill vfill
    raggedright raggedleft bibliography sloppy frontmatter mainmatter backmatter
    listoffigures listoftables leavevmode cleardoublepage maketitle""".split()
)
_DROPPED = {
    **dict.fromkeys(
        """label index vspace hspace includegraphics bibliographystyle usepackage thanks
        documentclass pagestyle thispagestyle phantom hphantom vphantom color
        hypersetup graphicspath newcounter stepcounter PassOptionsToPackage usetheme
        usecolortheme geometry pgfplotsset tikzset fontsize institute vskip hskip
        linespread pagenumbering theoremstyle DeclareUnicodeCharacter acresetall
        bibliography""".split(), 1),
    **dict.fromkeys(
        "setlength addtolength setcounter addtocounter newtheorem rule".split(), 2),
}  # fmt: skip
_FIRST_DROPPED = frozenset(
    """textcolor colorbox hyperref hypertarget hyperlink parbox raisebox scalebox
    resizebox makebox framebox minipage adjustbox cellcolor rotatebox only onslide
    uncover visible""".split()
)
_REFERENCES = frozenset(
    """cite citep citet ref eqref pageref autoref cref Cref parencite textcite nameref
    vref footcite supercite""".split()
)
_STRUCK = frozenset({"sout", "st", "deleted", "DIFdel", "cancel", "xout"})
_FORMULAS = frozenset(
    "equation align gather multline eqnarray displaymath math flalign alignat".split()
)
_VERBATIM_NOISE = re.compile(r"\[[^\]]*\]\s*|\{[^{}]*\}\s*")
_LISTS = {"enumerate": "1", "itemize": "", "description": ""}
_STYLES = ("decimal", "lower-alpha", "lower-roman", "upper-alpha")
_ENVIRONMENT_ARGUMENTS = {
    "minipage": 1, "column": 1, "multicols": 1, "wrapfigure": 2, "wraptable": 2,
    "adjustbox": 1, "thebibliography": 1, "subfigure": 1, "tikzpicture": 0, "list": 2,
    "textblock": 1, "alignat": 1, "spacing": 1, "adjustwidth": 2,
}  # fmt: skip
_PICTURES = frozenset({"tikzpicture", "axis", "pgfpicture", "picture", "feynman"})
_COMMAND = re.compile(r"\\([A-Za-z@]+)\*?")
_UNIT_LETTER = re.compile(r"[A-Za-zΩ]")

_PART = "part"
_FLOATS = {
    "figure": "Figure", "wrapfigure": "Figure", "SCfigure": "Figure",
    "sidewaysfigure": "Figure", "table": "Table", "wraptable": "Table",
    "longtable": "Table", "sidewaystable": "Table", "subfigure": _PART,
    "subtable": _PART,
}  # fmt: skip

ReadFile = Callable[[str], None]


class LatexText:
    """Converts text in the order of the document: it counts items and captions.

    Attributes:
        own_units: Units that the source declares, by name.
        included: Names of the files that the document includes.
        parts: The captions of parts of figures, as they are written: ``(a) East``.
    """

    def __init__(self) -> None:
        self.own_units = dict[str, str]()
        self.included = list[str]()
        self.title_block = ""
        self._lists = list[list[str | int]]()
        self._floats = list[str]()
        self._counts = {"Figure": 0, "Table": 0, _PART: 0}
        self.parts = set[str]()

    def convert(self, text: str) -> str:
        """Return a piece of the document as plain text."""
        pieces, at = list[str](), 0
        while at < len(text):
            made, at = self._convert_next(text, at)
            pieces.append(made)
        return "".join(pieces)

    def _convert_next(self, text: str, at: int) -> tuple[str, int]:
        char = text[at]
        if char == "\\":
            return self._convert_command(text, at)
        if char == "$":
            return self._convert_dollars(text, at)
        if char in "{}":
            return "", at + 1
        for source, made in (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”")):
            if text.startswith(source, at):
                return made, at + len(source)
        return (" " if char == "~" else char), at + 1

    # ── formulas ──────────────────────────────────────────────────────────────────

    def _convert_dollars(self, text: str, at: int) -> tuple[str, int]:
        mark = "$$" if text.startswith("$$", at) else "$"
        begin = at + len(mark)
        end = begin
        while end < len(text) and not text.startswith(mark, end):
            end += 2 if text[end] == "\\" else 1
        if end >= len(text):
            return mark, begin
        following = text[end + len(mark) : end + len(mark) + 1]
        return self._format_formula(text[begin:end], mark, following), end + len(mark)

    def _format_formula(self, formula: str, mark: str, following: str = "") -> str:
        source = self._convert_units(formula)
        try:
            made = format_math(source)
        except UnknownMathError:
            made = ""
        if made == "μ" and _UNIT_LETTER.match(following):
            return "µ"
        if made and is_typography(source, made):
            return made if mark == "$" else f"\n{made}\n"
        return f"{mark}{formula}{mark}"

    def _convert_units(self, formula: str) -> str:
        """Return a formula with its numbers and units in Unicode."""
        pieces, end = list[str](), 0
        for match in _COMMAND.finditer(formula):
            if match.start() >= end and match[1] in _QUANTITIES:
                made, stop = self._convert_quantity(match[1], formula, match.end())
                pieces += [formula[end : match.start()], made]
                end = stop
        return "".join([*pieces, formula[end:]])

    # ── commands ──────────────────────────────────────────────────────────────────

    def _convert_command(self, text: str, at: int) -> tuple[str, int]:
        match = _COMMAND.match(text, at)
        if match is None:
            return self._convert_sign(text, at)
        name, end = match[1], match.end()
        if name in _SIGNS:
            following = text[end : end + 1]
            skip = following == " " and not name.startswith("q")
            return _SIGNS[name], end + (1 if skip else 0)
        if name in _ACCENTS and text[end : end + 1] in {"{", " ", "\\"}:
            return self._convert_accent(name, text, end)
        if name in {"begin", "end"}:
            return self._convert_environment(name, text, end)
        if name == "item":
            label, end = read_optional(text, end)
            return self._format_mark(label), end
        if name in _QUANTITIES:
            return self._convert_quantity(name, text, end)
        return self._convert_named(name, text, _skip_overlay(text, end))

    def _convert_sign(self, text: str, at: int) -> tuple[str, int]:
        char, end = text[at + 1 : at + 2], at + 2
        if char in _ACCENTS:
            return self._convert_accent(char, text, end)
        if char in "([":
            close = "\\)" if char == "(" else "\\]"
            stop = text.find(close, end)
            if stop >= 0:
                mark = "$" if char == "(" else "$$"
                made = self._format_formula(text[end:stop], mark, text[stop + 2 :][:1])
                return made, stop + 2
        if char == "\\":
            _, end = (
                read_optional(text, end) if text[end : end + 1] == "[" else ("", end)
            )
            return "\n" if not text[end : end + 1].isspace() else "", end
        return {",": " ", ";": " ", ":": " ", "!": "", "/": "", "@": "", "-": ""}.get(
            char, char
        ), end

    def _convert_accent(self, name: str, text: str, at: int) -> tuple[str, int]:
        argument, end = read_argument(text, at)
        base = {"\\i": "i", "\\j": "j"}.get(argument.strip()) or self.convert(argument)
        if not base[:1].isalpha():
            return {"^": "^", "~": "~"}.get(name, "") + base, end
        return unicodedata.normalize("NFC", base[0] + _ACCENTS[name] + base[1:]), end

    def _convert_named(self, name: str, text: str, at: int) -> tuple[str, int]:
        if name in _DROPPED:
            for _ in range(_DROPPED[name]):
                _, at = _read_all_optional(text, at)
                _, at = read_argument(text, at)
            return "", at
        if name == "maketitle":
            return f"\n{self.title_block}\n", at
        if name in _SWITCHES:
            return "", at
        if name in {"input", "include", "subfile", "import"}:
            file, at = read_argument(text, at)
            self.included.append(file.strip())
            return "", at
        return self._convert_with_text(name, text, at)

    def _convert_with_text(self, name: str, text: str, at: int) -> tuple[str, int]:
        """Convert a command whose argument is typeset in some way."""
        if text[at : at + 1] == "[":
            _, at = _read_all_optional(text, at)
        if name in _FIRST_DROPPED and text[at : at + 1] == "{":
            _, after = read_argument(text, at)
            if text[after : after + 1] in {"{", "["}:
                _, after = _read_all_optional(text, after)
                return "", after
        if text[at : at + 1] != "{":
            return ("" if text[at : at + 1].isspace() else " "), at
        argument, end = read_argument(text, at)
        if name == "href":
            label, end = read_argument(text, end)
            return f"{self.convert(label)} ({argument})", end
        if name in _REFERENCES:
            return f" [{argument}]", end
        if name == "replaced":
            old, end = read_argument(text, end)
            return f"{self.convert(argument)} {mark_struck(self.convert(old))}", end
        return self._set(name, argument), end

    def _set(self, name: str, argument: str) -> str:
        """Return the argument of a command as the command sets it."""
        if name == "ensuremath":
            return self._format_formula(argument, "$")
        inner = self.convert(argument)
        if name == "textsuperscript":
            return to_superscript(inner)
        if name in {"textsubscript", "ce"}:
            return _format_chemistry(inner) if name == "ce" else to_subscript(inner)
        if name in {"footnote", "footnotetext", "todo", "marginpar", "note"}:
            return f" [{'note: ' if name != 'footnote' else ''}{inner.strip()}]"
        if name in _STRUCK:
            return mark_struck(inner)
        if name in {"caption", "captionof", "subcaption"}:
            return f"\n{self._format_caption(name, to_one_line(inner))}\n"
        return inner

    def _format_caption(self, name: str, text: str) -> str:
        """Return a caption with its kind and number, or with the letter of a part."""
        kind = _PART if name == "subcaption" else (self._floats or [""])[-1]
        if not kind:
            return text
        self._counts[kind] += 1
        number = self._counts[kind]
        if kind != _PART:
            return f"{kind} {number}: {text}"
        part = f"({format_item(number, 'lower-alpha')}) {text}"
        self.parts.add(part)
        return part

    # ── numbers and units ─────────────────────────────────────────────────────────

    def _convert_quantity(self, name: str, text: str, at: int) -> tuple[str, int]:
        _, at = _read_all_optional(text, at)
        arguments = list[str]()
        for _ in range(_QUANTITIES[name]):
            argument, at = read_argument(text, at)
            arguments.append(argument)
            _, at = _read_all_optional(text, at)
        return self._format_quantity(name, arguments), at

    def _format_quantity(self, name: str, arguments: list[str]) -> str:
        if name == "ang":
            return units.format_angle(arguments[0])
        if name in {"si", "unit"}:
            return units.format_unit(arguments[0], self.own_units)
        if name in {"num", "tablenum", "complexnum"}:
            return units.format_number(arguments[0])
        has_unit = name.startswith(("SI", "qty"))
        unit = units.format_unit(arguments[-1], self.own_units) if has_unit else ""

        def one(number: str) -> str:
            return units.format_quantity(units.format_number(number), unit)

        if name.endswith("range"):
            return f"{one(arguments[0])} to {one(arguments[1])}"
        if name.endswith("list"):
            return units.format_list(arguments[0], "and", one)
        if name.endswith("product"):
            number = units.format_number(arguments[0])
            return units.format_quantity(number, unit)
        return one(arguments[0])

    # ── environments ──────────────────────────────────────────────────────────────

    def _convert_environment(self, edge: str, text: str, at: int) -> tuple[str, int]:
        name, at = read_argument(text, at)
        if edge == "end":
            self._leave(name)
            return "\n", at
        end = _find_end(text, name, at)
        inner, after = text[at : end[0]], end[1]
        if name in TABLES:
            return "\n" + "\n".join(
                format_table(name, inner, self.convert)
            ) + "\n", after
        if name.rstrip("*") in _FORMULAS:
            return f"\n{self._format_display(inner)}\n", after
        if name in _PICTURES:
            return "\n", after
        return self._enter(name, text, at)

    def _enter(self, name: str, text: str, at: int) -> tuple[str, int]:
        plain = name.rstrip("*")
        if plain in _LISTS:
            self._lists.append([_LISTS[plain], 0])
        if plain in _FLOATS:
            self._floats.append(_FLOATS[plain])
            if _FLOATS[plain] != _PART:
                self._counts[_PART] = 0
        _, at = _read_all_optional(text, _skip_overlay(text, at))
        for _ in range(_ENVIRONMENT_ARGUMENTS.get(plain, 0)):
            _, at = read_argument(text, at)
        return "\n", at

    def _leave(self, name: str) -> None:
        plain = name.rstrip("*")
        if plain in _LISTS and self._lists:
            self._lists.pop()
        if plain in _FLOATS and self._floats:
            self._floats.pop()

    def _format_mark(self, label: str | None) -> str:
        if label is not None:
            text = self.convert(label).strip()
            own = f"{text}{'' if text.endswith((':', '.', ')')) or not text else ':'}"
            return f"\n{own} "
        if not self._lists or not self._lists[-1][0]:
            return "\n"
        self._lists[-1][1] = int(self._lists[-1][1]) + 1
        depth = sum(bool(own[0]) for own in self._lists) - 1
        style = _STYLES[min(depth, len(_STYLES) - 1)]
        return f"\n{format_item(int(self._lists[-1][1]), style)}. "

    def _format_display(self, formula: str) -> str:
        """Return a displayed formula, in Unicode if it is a short one with a number."""
        formula = re.sub(r"\\label\{[^{}]*\}", "", formula)
        lines = []
        for line in re.split(r"\\\\(?:\[[^\]]*\])?", formula):
            made = self._format_formula(line.replace("&", " ").strip(), "$$").strip()
            lines.append(made.removeprefix("$$").removesuffix("$$").strip())
        return "\n".join(filter(None, lines))


_QUANTITIES = {
    "SI": 2, "qty": 2, "num": 1, "si": 1, "unit": 1, "ang": 1, "SIrange": 3,
    "qtyrange": 3, "numrange": 2, "SIlist": 2, "qtylist": 2, "numlist": 1,
    "numproduct": 1, "qtyproduct": 2, "tablenum": 1, "complexnum": 1,
}  # fmt: skip
"""Commands of siunitx, with their number of arguments."""


def _format_chemistry(formula: str) -> str:
    """Return a formula of mhchem with lowered figures: ``SF6`` is SF₆."""
    made = re.sub(r"\^\{?([\d+-]+)\}?", lambda m: to_superscript(m[1]), formula)
    return re.sub(r"(?<=[A-Za-z)])_?\{?(\d+)\}?", lambda m: to_subscript(m[1]), made)


def _read_all_optional(text: str, at: int) -> tuple[str, int]:
    while text[at : at + 1] == "[":
        found, end = read_optional(text, at)
        if found is None:
            break
        at = end
    return "", at


def _skip_overlay(text: str, at: int) -> int:
    """Return the index after the slides of an overlay: ``<2->``."""
    match = re.compile(r"<[\d,+.-]*(?:\|[^<>]*)?>").match(text, at)
    return match.end() if match else at


def _find_end(text: str, name: str, at: int) -> tuple[int, int]:
    """Return where an environment's content ends, and where what follows begins."""
    depth = 1
    for match in re.compile(rf"\\(begin|end)\{{{re.escape(name)}\}}").finditer(
        text, at
    ):
        depth += 1 if match[1] == "begin" else -1
        if not depth:
            return match.start(), match.end()
    return len(text), len(text)
