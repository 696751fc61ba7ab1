"""Office Math equations as inline text: ``x_{1}²``, ``(a)/(b)``, ``√(x)``.

A power in digits is in the form of all other text, ``10⁻⁹``; other scripts are as in
LaTeX.
"""

import re
from typing import Any

from dunegpt.ingest.extract.office.open_xml import get_attribute, local_name
from dunegpt.text.typography import to_superscript

_SCRIPTS = {"sSub": ("sub",), "sSup": ("sup",), "sSubSup": ("sub", "sup")}
_SCRIPT_SIGNS = {"sub": "_", "sup": "^"}
_PLAIN_POWER = re.compile(r"[+\u2212-]?\d+")
_LIMITS = {"limLow": "_", "limUpp": "^"}


def linearize(node: Any) -> str:
    """Return an Office Math element as text."""
    return "".join(_linearize_node(child) for child in node).strip()


def _linearize_node(node: Any) -> str:
    name = local_name(node)
    if not name or name.endswith("Pr"):
        return ""
    if name == "t":
        return node.text or ""
    build = _BUILDERS.get(name)
    return build(node) if build else linearize(node)


def _build_fraction(node: Any) -> str:
    above, below = (
        _add_brackets(_linearize_part(node, part)) for part in ("num", "den")
    )
    return f"{above}/{below}"


def _build_scripts(node: Any) -> str:
    scripts = (_format_script(node, each) for each in _SCRIPTS[local_name(node)])
    return _linearize_part(node, "e") + "".join(scripts)


def _build_scripts_before(node: Any) -> str:
    """Return a base behind its scripts, as of isotopes: ``¹⁴C``."""
    return (
        _format_script(node, "sup")
        + _format_script(node, "sub")
        + _linearize_part(node, "e")
    )


def _build_root(node: Any) -> str:
    return f"{_linearize_part(node, 'deg')}√({_linearize_part(node, 'e')})"


def _build_operator(node: Any) -> str:
    scripts = (_format_script(node, each) for each in ("sub", "sup"))
    sign = _read_property(node, "chr", "∫")
    return f"{sign}{''.join(scripts)} {_linearize_part(node, 'e')}"


def _build_delimited(node: Any) -> str:
    parts = [linearize(each) for each in node.iterchildren("{*}e")]
    separator = _read_property(node, "sepChr", "")
    inner = (f" {separator} " if separator else ", ").join(parts)
    begin = _read_property(node, "begChr", "(")
    return f"{begin}{inner}{_read_property(node, 'endChr', ')')}"


def _build_function(node: Any) -> str:
    return f"{_linearize_part(node, 'fName')} {_linearize_part(node, 'e')}"


def _build_limit(node: Any) -> str:
    limit = _linearize_part(node, "lim")
    return f"{_linearize_part(node, 'e')}{_LIMITS[local_name(node)]}({limit})"


def _build_rows(node: Any) -> str:
    """Return equations below each other, or the rows of a matrix: ``[a, b; c, d]``."""
    if local_name(node) == "eqArr":
        return "; ".join(linearize(each) for each in node.iterchildren("{*}e"))
    rows = (
        ", ".join(linearize(each) for each in row.iterchildren("{*}e"))
        for row in node.iterchildren("{*}mr")
    )
    return f"[{'; '.join(rows)}]"


def _build_bar(node: Any) -> str:
    return f"{_linearize_part(node, 'e')}\u0305"


_BUILDERS = {
    "f": _build_fraction, "sSub": _build_scripts, "sSup": _build_scripts,
    "sSubSup": _build_scripts, "sPre": _build_scripts_before, "rad": _build_root,
    "nary": _build_operator, "d": _build_delimited, "func": _build_function,
    "limLow": _build_limit, "limUpp": _build_limit, "eqArr": _build_rows,
    "m": _build_rows, "bar": _build_bar,
}  # fmt: skip


def _linearize_part(node: Any, name: str) -> str:
    return "".join(linearize(each) for each in node.iterchildren(f"{{*}}{name}"))


def _format_script(node: Any, name: str) -> str:
    text = _linearize_part(node, name)
    if not text:
        return ""
    if name == "sup" and _PLAIN_POWER.fullmatch(text):
        return to_superscript(text)
    return f"{_SCRIPT_SIGNS[name]}{text if len(text) == 1 else '{' + text + '}'}"


def _add_brackets(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _read_property(node: Any, name: str, default: str) -> str:
    """Return a character that the properties of an element name."""
    for properties in node.iterchildren(f"{{*}}{local_name(node)}Pr"):
        for char in properties.iterchildren(f"{{*}}{name}"):
            return get_attribute(char, "val")
    return default
