"""Checks that a text states something: no question, fragment, heading or circle.

What it says about the passages themselves is judged here, too: that they do not give
something is a statement that can be checked.
"""

import re
from collections.abc import Sequence

from dunegpt.document_dates import format_date
from dunegpt.index.passage_text import format_metadata
from dunegpt.serve.llm.messages import TRUNCATION_MARK
from dunegpt.text import literals
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.quantities import find_dates, find_quantities
from dunegpt.types import Hit

_MIN_WORDS = 2
_META_WORDS = frozenset(tokenize("answer question passage document source"))
_UNDATED = tokenize("undated")
_ASKS = compile_re(
    r"\?\W*$|^\W*(?:where|who|whom|whose|why|how|which|what)\b(?!.*,)", re.IGNORECASE
)
_GIVEN = r"(?:passage|text|source|context)s?"
_NO_STATEMENT = compile_re(
    rf"^#+\s|\bthe question\b|{TRUNCATION_MARK}$"
    rf"|^\W*(?:the|this|each) {_GIVEN} (?:also )?(?:is|are|was|were|\w+s|quoted"
    rf"|given)\b"
    r"(?! (?:differ|disagree|agree)\b)",
    re.IGNORECASE,
)
"""A heading, talk of the question or of the passages, or half a sentence."""
_SOURCE = compile_re(r"\b(?:source|context)s?\b", re.I)
_ABSENT = compile_re(
    r"\b(?:not|n[\u2019']t|no|nothing|neither|none|nor)\b(?:\W+\w+){0,4}?\W+(?:provid\w*"
    r"|giv\w+|gave|mention\w*|stat(?:e|es|ed)|specif\w+|describ\w+|discuss\w*|found"
    r"|available|includ\w+|said|says?|tell|told|contain\w*|hold|name[sd]?)\b",
    re.IGNORECASE,
)
"""It says that something is not said."""
_STANDS_FOR = compile_re(
    r"\b(?:stands? for|is short for|abbreviates|is the (?:acronym|abbreviation) (?:of"
    r"|for))\W*(?:the\s)?(?P<words>\w[\w\s/&-]*\w)"
)
_ABOUT_PASSAGES = compile_re(
    rf"\b(?:the|this|any|these|other|both)\s(?:\w+\s)?(?:documents?|{_GIVEN}|notes?"
    r"|reports?|plans?|minutes|authors?|papers?)\b|\bnothing (?:else )?is said\b"
    r"|\bno (?:\w+ ){0,2}(?:is|are|was) (?:given|named|stated|mentioned)\b",
    re.IGNORECASE,
)
_NEWER = compile_re(
    r"\b(?:newer|older|more recent|newest|oldest|later|earlier)\b", re.I
)
_NEITHER = compile_re(r"\b(?:neither|not|none|same)\b", re.I)
_DATE_WORDS = frozenset(
    tokenize(
        "newer older newest oldest more recent later earlier one two both neither none"
        " not same so therefore figure value number passage document report note plan"
        " version edition date year stand come appear give"
    )
)
_MAX_DISTINCT_SHARE = 0.6
"""At most so large a share of a sentence's words is each another one if it circles;
of 813 true sentences the one that is so repeats its source word for word."""
_MIN_REPETITION_WORDS = 10
_MAX_GIVEN_SHARE = 0.6
_OPEN_QUESTION = compile_re(
    r"\b(?:what|which|who|whom|whose|when|where|why|how)\b", re.I
)


def find_fault(sentence: str, question: str, hits: Sequence[Hit]) -> str:
    """Return why a sentence states nothing; empty if it does.

    Args:
        sentence: Without marks.
        question: That it answers; may be empty.
        hits: What may be cited.
    """
    if says_nothing(sentence) and not _is_about_a_source(sentence, hits):
        return "it says nothing that can be checked"
    if _repeats_question(sentence, question):
        return "it only repeats the question"
    if _is_heading(sentence, hits):
        return "it is the head of a passage"
    return ""


def says_nothing(sentence: str) -> bool:
    """Return whether a text is a question or a scrap: right words, no statement."""
    own = [word for word in tokenize(sentence) if word not in _META_WORDS]
    if not own or _ASKS.search(sentence) or _NO_STATEMENT.search(sentence):
        return True
    return len(own) < _MIN_WORDS and not (
        any(quantity.unit for quantity in find_quantities(sentence))
        or find_dates(sentence)
        or any(literals.find_missing_names(sentence, ""))
    )


def _is_about_a_source(sentence: str, hits: Sequence[Hit]) -> bool:
    """Return whether it only seems to be about the text: passages tell of a source."""
    plain = re.sub(r"\b(?:source|context)s?\b", "thing", sentence, flags=re.I)
    is_told = any(_SOURCE.search(hit.passage.text) for hit in hits)
    return is_told and plain != sentence and not says_nothing(plain)


def says_absent(sentence: str) -> bool:
    """Return whether a sentence says that the passages do not give something."""
    return bool(_ABSENT.search(sentence) and _ABOUT_PASSAGES.search(sentence))


def is_absent(sentence: str, parts: Sequence[str]) -> bool:
    """Return whether what a sentence calls absent stands in no sentence of a source."""
    plain = _ABOUT_PASSAGES.sub(" ", _ABSENT.sub(" ", sentence))
    own = set(tokenize(plain)) - _META_WORDS
    best = max((len(own & set(tokenize(part))) for part in parts), default=0)
    return bool(own) and best < _MAX_GIVEN_SHARE * len(own)


def compares_dates(sentence: str, hits: Sequence[Hit]) -> bool:
    """Return whether a sentence only says which of its passages is newer, and may.

    That neither is newer is true of passages of one document or of one date.
    """
    if not _NEWER.search(sentence):
        return False
    titles = {word for hit in hits for word in tokenize(format_metadata(hit))}
    if not set(tokenize(sentence)) <= titles | _DATE_WORDS:
        return False
    dates = {format_date(hit.document) for hit in hits}
    return len(dates) == 1 if _NEITHER.search(sentence) else True


def is_bare_amount(sentence: str) -> bool:
    """Return whether a sentence is nothing but an amount: "That is 1610 m/s."."""
    quantities = find_quantities(sentence)
    bare = sentence
    for quantity in quantities:
        bare = bare.replace(quantity.text, " ")
    return bool(quantities) and not tokenize(bare)


def is_repetitive(sentence: str, source: str) -> bool:
    """Return whether a sentence goes round a few words, as its source does not."""
    own = tokenize(sentence)
    if len(own) < _MIN_REPETITION_WORDS or len(set(own)) > _MAX_DISTINCT_SHARE * len(
        own
    ):
        return False
    return " ".join(sentence.split()) not in " ".join(source.split())


def find_wrong_expansion(sentence: str, source: str) -> str:
    """Return what an acronym is said to stand for, if no source writes it out so."""
    match = _STANDS_FOR.search(sentence)
    if match is None:
        return ""
    wanted = tokenize(match["words"])
    theirs = tokenize(source)
    size = len(wanted)
    runs = (theirs[n : n + size] for n in range(len(theirs) - size + 1))
    return "" if not wanted or wanted in runs else match["words"]


def _repeats_question(sentence: str, question: str) -> bool:
    """Return whether a sentence has no word that its question has not.

    That answers a question for yes or no, but none for what or who.
    """
    own = set(tokenize(sentence)) - _META_WORDS
    is_open = bool(_OPEN_QUESTION.search(question))
    return is_open and own <= set(tokenize(question))


def _is_heading(sentence: str, hits: Sequence[Hit]) -> bool:
    """Return whether a text is what stands above a passage: title, day, id."""
    if any(f"({hit.document.id}," in sentence for hit in hits):
        return True
    own = set(tokenize(sentence)) - _META_WORDS
    is_line = not sentence.endswith((".", "!"))
    return is_line and any(
        own <= {*tokenize(format_metadata(hit)), *_UNDATED} for hit in hits
    )
