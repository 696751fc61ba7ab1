"""Tells the tags of an HTML source from text that only looks like one.

``m_1<m_2 and p<q, found 8.57 > 3`` or ``<ada@example.org>`` would be taken for tags by
a parser, and what stands between < and > would be lost. Knows names, no documents.
"""

import re
from collections.abc import Iterator

from dunegpt.ingest.extract.clean import mark_struck
from dunegpt.text.typography import to_subscript, to_superscript

_NAMES = frozenset(
    """a abbr acronym address annotation annotation-xml applet area article aside audio
    b base basefont bdi bdo bgsound big blink blockquote body br button canvas caption
    center cite code col colgroup command content data datalist dd del details dfn
    dialog dir div dl dt element em embed fieldset figcaption figure font footer form
    frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe image img input
    ins isindex kbd keygen label legend li link listing main map mark marquee math menu
    menuitem meta meter multicol nav nextid nobr noembed noframes noscript object ol
    optgroup option output p param picture plaintext portal pre progress q rb rbc rp rt
    rtc ruby s samp script search section select shadow slot small source spacer span
    strike strong style sub summary sup svg table tbody td template textarea tfoot th
    thead time title tr track tt u ul var video wbr xml xmp
    maction math menclose merror mfenced mfrac mglyph mi mlabeledtr mmultiscripts mn mo
    mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup
    msup mtable mtd mtext mtr munder munderover none semantics
    circle clippath defs desc ellipse foreignobject g line lineargradient marker mask
    metadata path pattern polygon polyline radialgradient rect stop symbol text textpath
    tspan use view""".split()
)
_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][\w.:-]*)(?P<rest>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>"
)
_DECLARATION = re.compile(r"<(?:!--|!doctype|!\[|!element|!attlist|\?)", re.I)
_ATTRIBUTES = re.compile(
    r"(?:\s+|/|(?:[\w:@.#*()\[\]-]+)\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>]+)"
    r"|(?:hidden|open|checked|disabled|selected|nowrap|noshade|compact|reversed|async"
    r"|defer|controls|required|readonly|multiple|ismap|autofocus|allowfullscreen|inert"
    r"|itemscope|novalidate|default|loop|muted|autoplay|nomodule|noresize|border"
    r"|data-[\w-]+|v-[\w-]+|contenteditable|declare|download)(?=[\s/]|\Z))*",
    re.I,
)
_CLOSING = re.compile(r"</([A-Za-z][\w.:-]*)\s*>")
_PREFIXED = re.compile(r"[a-z][a-z0-9]*[-:][a-z][\w:-]*")
_PAIR = re.compile(
    r"<(?P<name>sup|sub|i|b|em|strong|u|tt|code|del|s|strike|small|span|font)"
    r"(?P<rest>\s[^<>]*)?>(?P<text>(?:(?!<(?P=name)\b).)*?)</(?P=name)\s*>",
    re.I | re.S,
)
_SCRIPT = re.compile(r"<(?P<name>su[bp])(?P<rest>)>(?P<text>[^<>]*)</(?P=name)>", re.I)
_HIDDEN = re.compile(r"\bhidden\b|display\s*:\s*none", re.I)
_LINE_BREAK = re.compile(r"<(?:br|wbr)\s*/?>", re.I)
_RAW_START = re.compile(
    r"<(script|style|textarea|title|xmp|noscript)\b|<!--|<!\[CDATA\[", re.I
)
_RAW_END = {"<!--": "-->", "<![cdata[": r"\]\]>"}


def escape_stray_signs(source: str) -> str:
    """Return HTML source in which each ``<`` that begins no tag is escaped.

    A tag has a name of HTML, MathML or SVG, one with a hyphen or a colon, or one that
    is also closed; and after it only attributes.

    >>> escape_stray_signs("<p>m_1<m_2 and p<q, 8.57 > 3</p>")
    '<p>m_1&lt;m_2 and p&lt;q, 8.57 > 3</p>'
    """
    if "<" not in source:
        return source
    closed = {name.lower() for name in set(_CLOSING.findall(source))}
    pieces, end = list[str](), 0
    for start, stop in _iter_raw_spans(source):
        pieces += [_escape_part(source[end:start], closed), source[start:stop]]
        end = stop
    pieces.append(_escape_part(source[end:], closed))
    return "".join(pieces)


def _iter_raw_spans(source: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each comment, script and the like that is closed."""
    at, unclosed = 0, set[str]()
    for start in _RAW_START.finditer(source):
        kind = (start[1] or start[0]).lower()
        if start.start() < at or kind in unclosed:
            continue
        pattern = _RAW_END.get(kind) or rf"</{kind}\s*>"
        end = re.compile(pattern, re.I).search(source, start.end())
        if end is None:
            unclosed.add(kind)
            continue
        yield start.start(), end.end()
        at = end.end()


def _escape_part(source: str, closed: set[str]) -> str:
    pieces, end = list[str](), 0
    at = source.find("<")
    known = dict[str, bool]()
    while at >= 0:
        tag = _TAG.match(source, at)
        if tag and (is_tag := known.get(tag[0])) is None:
            is_tag = known[tag[0]] = _is_tag(tag, closed)
        if (tag and is_tag) or _DECLARATION.match(source, at):
            stop = tag.end() if tag else at + 1
        else:
            pieces.append(f"{source[end:at]}&lt;")
            stop = end = at + 1
        at = source.find("<", stop)
    pieces.append(source[end:])
    return "".join(pieces)


def _is_tag(tag: re.Match[str], closed: set[str]) -> bool:
    name = tag["name"].lower()
    known = name in _NAMES or name in closed or bool(tag["close"])
    if not known and not _PREFIXED.fullmatch(name):
        return False
    return not tag["rest"] or bool(_ATTRIBUTES.fullmatch(tag["rest"]))


def has_tags(text: str) -> bool:
    """Return whether a text is HTML: it has a tag that is one, and no stray sign."""
    return any(
        _is_tag(tag, set()) and tag["name"].lower() in _NAMES
        for tag in _TAG.finditer(text)
    )


def set_inline_markup(text: str) -> str:
    """Return text with pairs of inline HTML tags replaced by what they typeset.

    All else between angle brackets stays as it is.

    >>> set_inline_markup("a<b, 10<sup>-6</sup> <i>bar</i> <del>2</del>")
    'a<b, 10⁻⁶ bar [struck out: 2]'
    """
    count = int("</" in text)
    while count:
        text, count = _PAIR.subn(_set_pair, text)
    return _LINE_BREAK.sub(" ", text)


def set_scripts(text: str) -> str:
    """Return text with raised and lowered HTML in Unicode; other tags stay.

    >>> set_scripts("10<sup>-6</sup> of <b>a</b><b")
    '10⁻⁶ of <b>a</b><b'
    """
    return _SCRIPT.sub(_set_pair, text)


def _set_pair(pair: re.Match[str]) -> str:
    name, text = pair["name"].lower(), pair["text"]
    if _HIDDEN.search(pair["rest"] or ""):
        return ""
    if name == "sup":
        return to_superscript(text)
    if name == "sub":
        return to_subscript(text)
    return mark_struck(text) if name in {"del", "s", "strike"} else text
