"""The few properties of style that decide what an HTML element says.

Whether it is displayed, struck out, raised or lowered: from its ``style`` attribute and
from the style sheets within the page, by specificity and order as in a browser. Style
sheets of other files are not fetched.
"""

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.element import Tag
from soupsieve import SelectorSyntaxError

_PROPERTIES = frozenset(
    "display visibility opacity font-size max-height text-decoration"
    " text-decoration-line vertical-align list-style list-style-type mso-hide".split()
)
_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.S)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SCREEN_MEDIA = re.compile(r"@media\s+(?:all|screen|only screen)\b[^{]*\{", re.I)
_OTHER_BLOCK = re.compile(r"@[\w-]+[^{};]*\{(?:[^{}]|\{[^{}]*\})*\}|@[\w-]+[^{};]*;")
_SIMPLE = re.compile(r"([A-Za-z][\w-]*)?(?:\.([\w-]+)|#([\w-]+))?")
_MAX_RULES = 2000
_MAX_COMPARISONS = 1_000_000
"""Complex selectors are compared with each element of the page."""

Properties = dict[str, str]


class Styles:
    """The properties of all elements of a page."""

    def __init__(self, soup: BeautifulSoup) -> None:
        self._of_element: dict[int, dict[str, tuple[tuple[int, ...], str]]] = {}
        self._by_name: dict[str, list[Tag]] | None = None
        self._comparisons = 0
        sheets = " ".join(sheet.get_text() for sheet in soup.find_all("style"))
        for order, (selector, own) in enumerate(_iter_rules(sheets)):
            if order >= _MAX_RULES:
                break
            self._apply_rule(soup, selector, own, order)

    def _apply_rule(
        self, soup: BeautifulSoup, selector: str, own: Properties, order: int
    ) -> None:
        matched = self._select(soup, selector)
        weight = _specificity(selector)
        for element in matched:
            known = self._of_element.setdefault(id(element), {})
            for name, value in own.items():
                important = "!important" in value
                rank = (int(important), *weight, order)
                if name not in known or known[name][0] <= rank:
                    known[name] = rank, value

    def _select(self, soup: BeautifulSoup, selector: str) -> list[Tag]:
        """Return the elements that a selector matches; none if it is too complex."""
        if self._by_name is None:
            self._by_name = _index_elements(soup)
        if simple := _SIMPLE.fullmatch(selector):
            name, css_class, ident = simple.groups()
            key = f".{css_class}" if css_class else (f"#{ident}" if ident else name)
            found = self._by_name.get(key, [])
            return [e for e in found if not name or e.name == name.lower()]
        self._comparisons += len(self._by_name.get("", []))
        if self._comparisons > _MAX_COMPARISONS:
            return []
        try:
            return list(soup.select(selector))
        except (SelectorSyntaxError, NotImplementedError):
            return []

    def get(self, element: Tag) -> Properties:
        """Return the properties of an element by name, in small letters."""
        sheet = self._of_element.get(id(element))
        if not sheet and "style" not in element.attrs:
            return {}
        found = {name: value for name, (_, value) in (sheet or {}).items()}
        if own := element.get("style"):
            found |= _parse_declarations(str(own))
        return {name: value.split(" !")[0] for name, value in found.items()}

    def is_hidden(self, element: Tag) -> bool:
        """Return whether a browser does not show an element and what is in it."""
        if element.attrs.get("hidden", "until-found") != "until-found":
            return True
        if element.name == "dialog" and not element.has_attr("open"):
            return True
        own = self.get(element)
        return bool(own) and (
            own.get("display") == "none"
            or own.get("visibility") in {"hidden", "collapse"}
            or own.get("mso-hide") == "all"
            or _is_zero(own.get("opacity", ""))
            or _is_zero(own.get("font-size", ""))
        )

    def is_struck(self, element: Tag) -> bool:
        """Return whether the text of an element is struck out."""
        if element.name in {"del", "s", "strike"}:
            return True
        own = self.get(element)
        return bool(own) and "line-through" in (
            own.get("text-decoration", "") + own.get("text-decoration-line", "")
        )

    def find_shift(self, element: Tag) -> str:
        """Return ``super`` or ``sub`` if an element is raised or lowered, or ""."""
        shift = self.get(element).get("vertical-align", "")
        if element.name in {"sup", "sub"}:
            flat = shift == "baseline"
            return "" if flat else {"sup": "super", "sub": "sub"}[element.name]
        is_inline = element.name in {"span", "font", "a", "em", "i", "b", "strong"}
        return shift if is_inline and shift in {"super", "sub"} else ""

    def find_list_type(self, element: Tag) -> str:
        """Return the ``list-style-type`` of an element, or ""."""
        own = self.get(element)
        return own.get("list-style-type") or own.get("list-style", "").split(" ")[0]


def get_classes(element: Tag) -> list[str]:
    """Return the classes of an element; pages are parsed without splitting them."""
    return str(element.attrs.get("class") or "").split()


def _index_elements(soup: BeautifulSoup) -> dict[str, list[Tag]]:
    """Return the elements by name, ``.class`` and ``#id``; all of them by ""."""
    found: dict[str, list[Tag]] = {}
    for element in soup.find_all(True):
        keys = ["", element.name, *(f".{name}" for name in get_classes(element))]
        for key in [*keys, f"#{element.get('id')}"]:
            found.setdefault(key, []).append(element)
    return found


def _iter_rules(sheets: str) -> Iterator[tuple[str, Properties]]:
    """Yield selector and properties of each rule that sets one of those above."""
    css = _SCREEN_MEDIA.sub("", _COMMENT.sub(" ", sheets))
    css = _OTHER_BLOCK.sub(" ", css)
    for rule in _RULE.finditer(css):
        if own := _parse_declarations(rule[2]):
            for selector in rule[1].split(","):
                if selector.strip():
                    yield selector.strip(), own


def _parse_declarations(text: str) -> Properties:
    pairs = (part.split(":", 1) for part in text.lower().split(";") if ":" in part)
    return {
        name.strip(): " ".join(value.replace("!", " !").replace("! ", "!").split())
        for name, value in pairs
        if name.strip() in _PROPERTIES
    }


def _specificity(selector: str) -> tuple[int, int, int]:
    """Return how many ids, classes and names a selector has."""
    classes = len(re.findall(r"\.[\w-]+|\[[^\]]*\]|(?<!:):[\w-]+", selector))
    names = len(re.findall(r"(?:^|[\s>+~])[A-Za-z][\w-]*", selector))
    return selector.count("#"), classes, names


def _is_zero(value: str) -> bool:
    return bool(re.fullmatch(r"0(?:\.0*)?(?:px|pt|em|rem|%)?", value))
