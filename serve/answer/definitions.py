"""Answers what an acronym stands for, with the line that defines it."""

import re
from collections.abc import Sequence

from dunegpt.index.definitions import Definition
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.statements import Statement
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.types import Hit

_MAX_MEANINGS = 4
_NAME = r"[\"“'`]?(?P<short>[\w/&-]{2,12})[\"”'`]?"
_THE = r"(?:(?:a|an|the)\s+)?(?:(?:acronym|abbreviation|term|letters|initials)\s+)?"
_FORMS = tuple(
    compile_re(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:what|wat)\s+(?:does|do|did)\s+{_THE}{_NAME}(?:\s+(?:acronym|abbreviation))?"
        r"\s+(?:stand\s+for|mean|abbreviate|denote|refer\s+to|signify)",
        rf"(?:what(?:\s+is|[\u2019']?s)\s+)?(?:the\s+)?(?:meaning|definition|long\s+form"
        rf"|full\s+(?:form|name)|expansion)\s+of\s+{_THE}{_NAME}",
        rf"(?:what(?:\s+(?:is|are)|[\u2019']?s)\s+){_THE}{_NAME}\s+(?:short|an?\s+acronym"
        r"|an?\s+abbreviation|the\s+abbreviation)\s+(?:for|of)",
        rf"what(?:\s+is|[\u2019']?s)\s+meant\s+by\s+{_THE}{_NAME}",
        rf"(?:spell\s+out|expand|define|decode)\s+{_THE}{_NAME}",
        rf"(?:what|who)(?:\s+(?:is|are)|[\u2019']?s)\s+{_THE}{_NAME}",
        rf"{_NAME}\s+(?:meaning|acronym|abbreviation|definition|stands\s+for(?:\s+what)?)",
        rf"(?:was|wof\u00fcr)\s+(?:bedeutet|hei\u00dft|steht)\s+(?:die\s+abk\u00fcrzung\s+)?{_NAME}",
        r"(?P<short>[A-Z][\w/&-]*[A-Z][\w/&-]*)",
    )
)


def answer_definition(question: str, index: ReaderIndex) -> list[Statement]:
    """Return what an acronym stands for; nothing if none is asked for, or known.

    Different long forms are told each with a passage, the commonest first.

    Raises:
        IndexBrokenError: A part of the index cannot be read.
    """
    short = _find_acronym(question)
    found = index.find_definitions(short) if short else []
    if not found and short.casefold().endswith("s"):
        found = index.find_definitions(short[:-1])
    by_meaning: dict[tuple[str, ...], list[tuple[Hit, Definition]]] = {}
    for hit, definition in found:
        key = tuple(tokenize(definition.long))
        by_meaning.setdefault(key, []).append((hit, definition))
    ordered = sorted(by_meaning.values(), key=lambda own: -_count_documents(own))
    return [_tell(own) for own in ordered[:_MAX_MEANINGS]]


def _find_acronym(question: str) -> str:
    text = " ".join(question.split()).strip(" ?.!")
    for form in _FORMS:
        flags_form = form.fullmatch(text)
        if flags_form:
            return flags_form["short"]
    return ""


def _count_documents(found: Sequence[tuple[Hit, Definition]]) -> int:
    return len({hit.document.id for hit, _ in found})


def _tell(found: Sequence[tuple[Hit, Definition]]) -> Statement:
    """Return a sentence on one meaning, with the line of the newest best passage."""
    hit, definition = found[0]
    said = f"{definition.short} stands for {definition.long}"
    line = " ".join(definition.line.split())
    is_more = len(tokenize(line)) > len(
        tokenize(f"{definition.short} {definition.long}")
    )
    text = f"{said}: “{line}”" if is_more else f"{said}."
    return Statement(text, ((hit, definition.line),))
