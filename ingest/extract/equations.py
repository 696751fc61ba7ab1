"""Equations of office files as text on a line: ``x_{1}^2``, ``(a)/(b)``, ``√(x)``."""

from typing import Any

_SCRIPTS = {"sSub": ("sub",), "sSup": ("sup",), "sSubSup": ("sub", "sup")}
_MARKS = {"sub": "_", "sup": "^"}


def linear(node: Any) -> str:
    """Return an Office Math element as text."""
    return "".join(_piece(child) for child in node).strip()


def _piece(node: Any) -> str:
    name = node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
    if name.endswith("Pr"):
        return ""
    if name == "t":
        return node.text or ""
    if name == "f":
        return f"{_bracketed(_part(node, 'num'))}/{_bracketed(_part(node, 'den'))}"
    if name in _SCRIPTS:
        scripts = (_script(node, each) for each in _SCRIPTS[name])
        return _part(node, "e") + "".join(scripts)
    if name == "rad":
        degree = _part(node, "deg")
        return f"{degree}√({_part(node, 'e')})"
    if name == "nary":
        scripts = (_script(node, each) for each in ("sub", "sup"))
        return f"{_operator(node)}{''.join(scripts)} {_part(node, 'e')}"
    if name == "d":
        inner = ", ".join(linear(each) for each in node.iterchildren("{*}e"))
        return f"({inner})"
    return linear(node)


def _part(node: Any, name: str) -> str:
    return "".join(linear(each) for each in node.iterchildren(f"{{*}}{name}"))


def _script(node: Any, name: str) -> str:
    text = _part(node, name)
    if not text:
        return ""
    return f"{_MARKS[name]}{text if len(text) == 1 else '{' + text + '}'}"


def _bracketed(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _operator(node: Any) -> str:
    """Return the sign of a sum, an integral, ...; an integral where none is given."""
    for char in node.iter("{*}chr"):
        values = [v for k, v in char.attrib.items() if k.endswith("val")]
        return values[0] if values else "∫"
    return "∫"
