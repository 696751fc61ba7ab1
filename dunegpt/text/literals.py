"""Finds what a source must contain literally: code, names, identifiers.

Each check returns the first thing that is missing, or nothing. Knows no numbers (see
`quantities`) and no meaning (see `support`).
"""

import re
from collections.abc import Iterator

from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import MONTHS, WEEKDAYS
from dunegpt.text.patterns import compile_re
from dunegpt.text.typography import flatten_scripts

_ADDRESS = compile_re(r"https?://\S+|www\.\S+|\S+@\S+\.\S+")
_TOP_DOMAINS = (
    "gov|ch|org|edu|com|net|io|int|de|fr|uk|it|info|biz|dev|app|me|co|eu|us|ru|cn|jp|xyz"
    "|online|site|test|example|top|club|link|ai|sh|ly|cc|tv"
)
_LINK = compile_re(
    r"(?P<scheme>\b(?!c\+\+)[a-z][a-z0-9+.-]{1,15}://[^\s)\]]+"
    r"|\b(?:javascript|data|vbscript|mailto|file|tel|about|blob):(?=\S)[^\s]+"
    r"|(?<![\w:/])//[\w.-]+\.\w[^\s)\]]*)"
    rf"|(?<![\w@/.-])(?P<bare>(?:[\w-]+\.)+(?:{_TOP_DOMAINS})\b(?:[/:?#][^\s)\]]*)?)"
    r"|(?P<markdown>!?\[[^\]\n]*\]\s?\([^)\n]*\)|\[(?!\d)[^\]\n]*\]\[[^\]\n]*\]"
    r"|!\[[^\]\n]*\]|^\s*\[[^\]\n]+\]:\s\S+)"
    r"|(?P<html><\s*(?:a|img|iframe|script|link|form|object|embed|svg|video|base|meta)\b"
    r"[^>\n]*>?|\b(?:href|src)\s*=)",
    re.IGNORECASE,
)
"""Whatever a browser or a renderer of Markdown could make a link or an image of."""
_CODE = compile_re(
    r"`(?P<span>[^`\n]+)`"
    r"|(?P<markup></?[A-Za-z][^<>\n]*>)|(?P<json>\{[^{}\n]*\})"
    r"|(?:(?<=[\s(\"'])|^)(?P<flag>--?[A-Za-z][\w-]*(?:=[^\s,;)]+)?)"
    r"|(?<![\w:/.~])(?P<path>(?:~|\.{1,2})?/(?:[\w.+@-]+/)*[\w.+@-]*[A-Za-z][\w.+@-]*/?)"
    r"|(?<![\w/])(?P<file>(?:[\w.-]+/)*[\w-]+\.(?:py|cc|cpp|cxx|hh?|hpp|fcl|sh|ya?ml|json"
    r"|toml|root|txt|md|rst|tex|xml|cfg|ini|log|csv|pdf|pptx?|docx?|xlsx?|hdf5|h5))\b"
    r"|(?<![\w@/.-])(?P<host>(?:[\w-]+\.)+(?:gov|ch|org|edu|com|net|io|int|de|fr|uk|it))\b"
    r"|(?<![\w.])(?P<name>\$[A-Z_]{2,}|\w+(?:(?:::|\.)\w+)*\(\)|[A-Za-z]\w*_\w+"
    r"|\w+(?:::\w+)+)"
)
_IDENTIFIER = compile_re(
    r"(?<!\w)(?=[\w./:-]*[A-Za-z])(?=[\w./:-]*\d)[A-Za-z][\w./:-]*"
)
_NAME = compile_re(r"(?<![\w.@/-])[A-Z][\w'\u2019]*(?:-[A-Z]\w*)*")
_CALENDAR_WORDS = frozenset({*MONTHS, *WEEKDAYS})
_COMMON_WORDS = frozenset(
    "i a the this that these those it its they their he she his her we our you your in"
    " on at by for from of to with without and or but if as when while where which who"
    " however therefore thus also both each all some many most more no not there here"
    " according passage passages document documents yes based overall first second"
    " third finally additionally moreover furthermore another one such other after"
    " before during since because although about figure table section chapter"
    " page".split()
)
_NOUN_ENDING = compile_re(
    r"(?:s|ing|ed|ly|tion|sion|ment|ness|ity|ance|ence|ure|age|ism|gen|er|or|one|body)$"
)
_PERSONAL_VERB = compile_re(
    r"(?:'s)?\s(?:will|has to|had|proposed?s?|suggest\w*|report(?:s|ed)|restart(?:s|ed)"
    r"|said|says|ask(?:s|ed)|wrote|writes|objected?s?|showed|shows|presented|measured"
    r"|agreed|noted|found|thinks?|replaced|became|wants|promised|announced|plans"
    r"|offered|volunteered|explained|reminded|led|leads|chairs?|joined)\b"
)
_MIN_NAME_LENGTH = 2
_SENTENCE_START = compile_re(r"(?:[.!?:]|(?:^|\s)[-*•])[\s*\"'“]+|[\"'“*]")


def find_missing_addresses(sentence: str, source: str) -> Iterator[str]:
    """Yield the links and mail addresses that a source has not.

    Those of Markdown and HTML are never in a source: a page would follow them.
    """
    flat = _collapse_whitespace(source).casefold()
    present = {_strip_punctuation(address) for address in _ADDRESS.findall(flat)}
    present |= {_strip_punctuation(match[0]) for match in _LINK.finditer(flat)}
    missing = dict.fromkeys(map(_strip_punctuation, _ADDRESS.findall(sentence)))
    for match in _LINK.finditer(sentence):
        if match["markdown"] or match["html"]:
            yield match[0]
        else:
            missing[_strip_punctuation(match[0])] = None
    yield from (address for address in missing if address.casefold() not in present)


def find_missing_code(sentence: str, source: str) -> Iterator[str]:
    """Yield commands, flags, paths, files, hosts and symbols that do not stand there.

    Letter by letter: a flag that is nearly right is wrong.
    """
    flat = _collapse_whitespace(source)
    for match in _CODE.finditer(_ADDRESS.sub(" ", sentence)):
        found = _collapse_whitespace(next(filter(None, match.groups()))).rstrip(".,:;")
        if not re.search(rf"(?<![\w-]){re.escape(found)}(?![\w-])", flat):
            yield found


def find_missing_identifiers(sentence: str, source: str) -> Iterator[str]:
    """Yield the words of letters and digits that a source has not; H₂O has H2O."""
    sentence, source = flatten_scripts(sentence), flatten_scripts(source)
    present = {_normalize_identifier(token) for token in _IDENTIFIER.findall(source)}
    for token in _IDENTIFIER.findall(_ADDRESS.sub(" ", sentence)):
        own = _normalize_identifier(token)
        # A number with its power of ten is read as a quantity.
        if own not in present and not re.fullmatch(r"e[-+]?\d+", own):
            yield token.rstrip(".:/-")


def find_missing_names(sentence: str, source: str, known: str = "") -> Iterator[str]:
    """Yield the names of people, places and things that a source has not.

    Args:
        sentence: What is checked.
        source: All that it may rest on.
        known: What may be said anyway: the question.
    """
    there = f"{source} {known}".casefold().replace("\u2019", "'")
    spelt_out = source.casefold()
    present = {*tokenize(there), *re.findall(r"[\w']+", there)}
    starts = {0, *(match.end() for match in _SENTENCE_START.finditer(sentence))}
    for match in _NAME.finditer(sentence):
        name = match[0].replace("\u2019", "'").removesuffix("'s").casefold()
        if (
            name in _CALENDAR_WORDS
            or name in _COMMON_WORDS
            or len(name) < _MIN_NAME_LENGTH
        ):
            continue
        following = sentence[match.end() : match.end() + 2].strip()
        is_word = match[0][1:].islower() and not following[:1].isupper()
        if match.start() in starts and is_word:
            if not _is_subject_name(match[0], sentence[match.end() :]):
                continue  # a sentence begins with it
        parts = {name, *re.findall(r"\w+", name), *tokenize(name)}
        if not parts & present and not _is_acronym_of(match[0], spelt_out):
            yield match[0]


def _is_subject_name(word: str, following: str) -> bool:
    """Return whether a sentence begins with a person: one word, a verb of persons.

    Of things one says "the pump"; a word without article and ending is a name.
    """
    return not _NOUN_ENDING.search(word) and bool(_PERSONAL_VERB.match(following))


def _strip_punctuation(address: str) -> str:
    """Return an address without what follows it in a text."""
    return address.rstrip(".,;:!?)>]}\"'`*")


def _is_acronym_of(name: str, source: str) -> bool:
    """Return whether capitals are the initials of words that stand together there."""
    if not re.fullmatch(r"[A-Z]{2,6}s?", name):
        return False
    initials = r"[\w]*[\s-]+(?:(?:of|and|the|for|in|to)\s+)?".join(
        name.lower().strip("s")
    )
    return re.search(rf"\b{initials}", source) is not None


def _normalize_identifier(token: str) -> str:
    return token.strip(".:/-").casefold()


def _collapse_whitespace(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
