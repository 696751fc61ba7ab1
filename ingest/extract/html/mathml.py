"""Writes MathML on one line: ``V/d``, ``(a+b)/2``, ``10⁻³``, ``√(x+1)``."""

# ruff: noqa: RUF001 - the signs are the subject

import re
import unicodedata

from bs4.element import NavigableString, Tag

from dunegpt.text.typography import to_subscript, to_superscript

_INVISIBLE = re.compile("[\u2061-\u2064\u200b]")
_DROPPED = frozenset({"annotation", "annotation-xml", "mphantom", "maligngroup"})
_ACCENTS = {"¯": "\u0304", "‾": "\u0304", "_": "\u0304", "^": "\u0302", "ˆ": "\u0302",
            "~": "\u0303", "˜": "\u0303", "→": "\u20d7", "˙": "\u0307"}  # fmt: skip


def format_math(element: Tag) -> str:
    """Return the formula below a ``math`` element; its ``alttext`` if it is empty."""
    text = _join(element) or str(element.get("alttext") or "")
    return re.sub(r"\s+", " ", _INVISIBLE.sub("", text)).strip()


def _children(element: Tag) -> list[Tag]:
    return [child for child in element.children if isinstance(child, Tag)]


def _join(element: Tag) -> str:
    if not _children(element):
        return re.sub(r"\s+", " ", element.get_text()).strip()
    return "".join(
        _format(child) if isinstance(child, Tag) else child.strip()
        for child in element.children
        if isinstance(child, Tag) or type(child) is NavigableString
    )


def _format(element: Tag) -> str:
    name = element.name.rpartition(":")[2]
    parts = _children(element)
    if name in _DROPPED or name == "mspace":
        return " " if name == "mspace" else ""
    if name == "semantics":
        return _format(parts[0]) if parts else ""
    if name == "mtext":
        return re.sub(r"\s+", " ", element.get_text())
    if name == "msqrt":
        return f"√{_wrap(_join(element))}"
    if name == "mfenced":
        return _format_fenced(element, [_format(part) for part in parts])
    if name == "mtable":
        rows = (", ".join(map(_format, _children(row))) for row in parts)
        return "; ".join(rows)
    if name == "mmultiscripts":
        return _format_scripts(parts)
    return _format_schema(name, [_format(part) for part in parts]) or _join(element)


def _format_schema(name: str, texts: list[str]) -> str:
    """Return an element with a fixed number of parts; "" if it is none."""
    match name, texts:
        case "mfrac", [above, below]:
            return f"{_wrap(above)}/{_wrap(below)}"
        case "mroot", [base, index]:
            return f"{to_superscript(index)}√{_wrap(base)}"
        case "mover", [base, upper] if upper in _ACCENTS and len(base) == 1:
            return unicodedata.normalize("NFC", base + _ACCENTS[upper])
        case (("msup" | "mover"), [base, upper]):
            return base + to_superscript(upper)
        case (("msub" | "munder"), [base, lower]):
            return base + to_subscript(lower)
        case (("msubsup" | "munderover"), [base, lower, upper]):
            return base + to_subscript(lower) + to_superscript(upper)
    return ""


def _format_fenced(element: Tag, texts: list[str]) -> str:
    signs = str(element.get("separators", ",")).replace(" ", "") or ""
    inner = f"{signs[:1]} ".join(texts) if signs else "".join(texts)
    return f"{element.get('open', '(')}{inner}{element.get('close', ')')}"


def _format_scripts(parts: list[Tag]) -> str:
    """Return a base with scripts after and before it, as in ¹⁴₆C."""
    names = [part.name.rpartition(":")[2] for part in parts]
    split = names.index("mprescripts") if "mprescripts" in names else len(parts)
    base, after, before = parts[:1], parts[1:split], parts[split + 1 :]
    texts = ["".join(map(_format, base)), _format_pairs(after), _format_pairs(before)]
    return texts[2] + texts[0] + texts[1]


def _format_pairs(parts: list[Tag]) -> str:
    lower = "".join(map(_format, parts[0::2]))
    upper = "".join(map(_format, parts[1::2]))
    return to_superscript(upper) + to_subscript(lower)


def _wrap(text: str) -> str:
    """Return a part of a fraction, in parentheses if it is more than one symbol."""
    plain = re.fullmatch(r"[\w.,\u0300-\u036f°′⁰-₟]+|\([^()]*\)", text)
    return text if plain else f"({text})"
