"""Rules that recognize a follow-up and make it a standalone question.

A pronoun takes the subject phrase of the question before, or the document that it
named; "the second one" takes a document of the answer; "and the near detector?" takes
the rest of the question before. No grammar is known, only forms: what fits none is left
as it is, with the question before in brackets. Knows neither index nor model.
"""

import re
from collections.abc import Iterator, Sequence

from dunegpt.index.document_names import find_mentions
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re

_FUNCTION_WORDS = (
    "of in on at for from to with without by about as into over under per than and or"
    " but if when while because before after since until that which who whom whose"
    " where why how what is are was were be been do does did has have had can could"
    " will would should may might must not it its they them their there so"
).split()
_ENDS_PHRASE = frozenset(_FUNCTION_WORDS)
_WORD = r"[\w][\w'\u2019./+-]*\w|\w"
_DETERMINER = compile_re(r"\b(?:the|a|an|our|both)\s+(?=\w)", re.I)
_MAX_PHRASE_WORDS = 5
"""Words of a phrase after its article."""
_NAME = compile_re(
    r"(?<!^)(?<![.?!]\s)\b(?:[A-Z][\w-]*|\w*\d[\w-]*[A-Za-z][\w-]*)"
    r"(?:\s+(?:[A-Z][\w-]*|\d+))*"
)
_AUXILIARY = compile_re(r"\b(?:does|do|did|can|could|will|would|should)\s+$", re.I)
_PASSIVE = compile_re(r"\b(?:is|are|was|were|been)\b", re.I)
_PARTICIPLE = compile_re(r"\w+ed|made|built|held|kept|set|run|taken|given|seen|found")

_ABOUT = compile_re(r"^\W*(?:(?:and|but|so)\s+)?(?:what|how)\s+about\s+", re.I)
_AND = compile_re(r"^\W*(?:and|but|or|also|so)[\s,]+", re.I)
_BARE = compile_re(
    r"^(?P<word>why|when|where|how|since when|by whom|how often|how long|how much"
    r"|how many)(?:\s+(?:(?:is|was)\s+(?:that|this)(?:\s+so)?"
    r"|(?:did|does)\s+(?:that|this|it)\s+happen))?$",
    re.I,
)
_ASKS = compile_re(r"^(?:what|which|who|whom|whose|why|when|where|how)\b", re.I)
_VERB = compile_re(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b",
    re.I,
)

_DOCUMENT = r"document|paper|note|talk|report|deck|entry|memo|presentation|reference"
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
_ORDINAL = compile_re(
    rf"\bthe (?P<which>{'|'.join(_ORDINALS)}) (?:one|{_DOCUMENT})\b", re.I
)
_THAT_DOCUMENT = compile_re(rf"\b(?:that|this|the same) (?:{_DOCUMENT})\b", re.I)
_OF_A_DOCUMENT = compile_re(
    r"\bwho\s+(?:wrote|has written|authored|gave|presented|made)\b|\bauthors?\b"
    r"|\bwhen was\b.+\b(?:written|published|dated|presented)\b|\babstract\b",
    re.I,
)
_THAT = compile_re(
    r"\b(?:that|this|these|those)\b(?=\s*(?:[?.!,;]|$)|\s+(?:mean|happen)\b)"
    r"|(?:^|(?<=\bwhen )|(?<=\bwhy )|(?<=\bhow )|(?<=\bwhere )|(?<=\bif ))"
    r"(?:that|this|these|those)\b(?=\s+(?:is|are|was|were|do|does|did|has|have)\b)"
    r"|(?<=^is )(?:that|this)\b|(?<=^was )(?:that|this)\b"
    r"|(?<=^are )(?:those|these)\b|(?<=^were )(?:those|these)\b",
    re.I,
)
_PRONOUN = compile_re(r"\b(?:it|they|them|he|she|him)\b", re.I)
_POSSESSIVE = compile_re(r"\b(?:its|their|his)\s+", re.I)
_DEMONSTRATIVE = compile_re(
    rf"(?:\b(?:of|in|on|at|for|about|by|with|from|do|does|did)\s+"
    rf"|(?<!^)\b(?:is|are|was|were)\s+)"
    rf"(?P<which>those|these|that|this|such)\s+(?P<noun>{_WORD})",
    re.I,
)
_DUMMY_IT = compile_re(
    r"\b(?:is|was|will|would|can|could)\s+it\s+(?:\w+\s+)?(?:to|that|for)\b"
    r"|\bit\s+(?:is|was)\s+(?:not\s+)?\w+\s+(?:to|that)\b|\b(?:does|did|will)\s+it\s+take\b.*\bto\b"
    r"|\bdoes\s+it\s+(?:matter|make sense)\b",
    re.I,
)
_CLAUSE = compile_re(
    r"[,;]|\b(?:and|but|when|if|because|while|so|which|that|before|after|until|once"
    r"|since|although|where|what|how|whether|until)\b",
    re.I,
)
_MIN_WORDS_BEFORE = 3
"""Words after which a thing is likely named, though no article says so."""
_PLACE = compile_re(r"^(?:in|at|on|for|with|during|from|under|above|below)\b", re.I)


def is_follow_up(question: str) -> bool:
    """Return whether a question cannot be understood without the one before.

    >>> [is_follow_up(q) for q in ("And its length?", "How long is the near detector?")]
    [True, False]
    """
    text = _normalize(question)
    rest = _AND.sub("", text)
    if _ABOUT.match(text) or _BARE.match(rest):
        return True
    if rest != text and not _VERB.search(rest) and not _ASKS.match(rest):
        return True
    return next(_find_references(rest), None) is not None


def refers_to_document(question: str) -> bool:
    """Return whether a follow-up is about a document of the answer before."""
    forms = (_ORDINAL, _THAT_DOCUMENT, _OF_A_DOCUMENT)
    return any(form.search(question) for form in forms)


def resolve_by_rules(
    question: str, before: str, documents: Sequence[str] = (), first: str = ""
) -> str:
    """Return a follow-up as a question that stands alone, as far as rules go.

    Args:
        question: One that depends on another.
        before: The question before, as one that stands alone.
        documents: Ids of those that the answer to it cites, in their order.
        first: Which of them the answer begins with; empty for the first one.
    """
    text, last = _normalize(question), _normalize(before)
    names = [m.text for m in find_mentions(last) if m.series]
    about = _ABOUT.sub("", text)
    rest = _AND.sub("", about)
    is_bare = about != text or (rest != about and not _VERB.search(rest))
    text = rest
    if bare := _BARE.match(text):
        return _format_question(
            _ASKS_PHRASE.sub(bare["word"].capitalize(), last, count=1)
        )
    if is_bare and not _ASKS.match(text) and next(_find_references(text), None) is None:
        return _format_question(
            _substitute_phrase(text, last, is_about=about != _normalize(question))
        )
    one = [*names[-1:], *filter(None, [first]), *documents]
    text = _insert_documents(text, documents, one[0] if one else "")
    subject = names[-1] if names else find_subject(last)
    if is_bare and not _ASKS.match(text):
        text = f"what is {text}" if not _VERB.search(text) else text
    return _format_question(_insert_subject(text, subject, last))


_ASKS_PHRASE = compile_re(
    r"^(?:what|which|who|whom|whose|why|when|where|how)(?:\s+(?:long|much|many|often|far))?",
    re.I,
)


def find_subject(question: str) -> str:
    """Return the phrase that a question is most likely about.

    >>> find_subject("What is the drift field of the far detector?")
    'the far detector'
    >>> find_subject("Why was the cathode voltage lowered?")
    'the cathode voltage'
    """
    text = _normalize(question)
    phrases = list(_find_noun_phrases(text))
    for start, phrase in phrases:
        if re.search(r"\bof\s+$", text[:start], re.I):
            return phrase
    return phrases[0][1] if phrases else ""


def _find_noun_phrases(text: str) -> Iterator[tuple[int, str]]:
    """Yield what may be noun phrases, with their offsets, in order."""
    found: dict[int, str] = {}
    for match in _DETERMINER.finditer(text):
        kept = [match[0].strip()]
        for part in text[match.end() :].split()[:_MAX_PHRASE_WORDS]:
            if part.casefold() in _ENDS_PHRASE or _DETERMINER.match(f"{part} x"):
                break
            kept.append(part.rstrip(",;:"))
            if part[-1] in ",;:":
                break
        before = text[: match.start()]
        is_done = _PASSIVE.search(before) and _PARTICIPLE.fullmatch(kept[-1])
        if len(kept) > 2 and (is_done or _AUXILIARY.search(before)):
            kept.pop()
        if len(kept) > 1:
            found[match.start()] = " ".join(kept)
    spans = [(start, start + len(phrase)) for start, phrase in found.items()]
    for match in _NAME.finditer(text):
        if not any(start <= match.start() < end for start, end in spans):
            found[match.start()] = match[0]
    yield from sorted(found.items())


def _find_references(text: str) -> Iterator[re.Match[str]]:
    """Yield the words that stand for something of the question before."""
    for form in (_ORDINAL, _THAT_DOCUMENT):
        yield from form.finditer(text)
    for match in (*_THAT.finditer(text), *_DEMONSTRATIVE.finditer(text)):
        if not _has_antecedent(text, match.start()):
            yield match
    for match in _POSSESSIVE.finditer(text):
        before = text[: match.start()]
        is_its_own = any(start < match.start() for start, _ in _find_noun_phrases(text))
        is_question = _ASKS.match(text) or _VERB.match(text)
        is_long = len(tokenize(before)) >= (_MIN_WORDS_BEFORE if is_question else 1)
        if not (is_its_own or is_long or re.match(r"who\b", before, re.I)):
            yield match
    if _DUMMY_IT.search(text):
        return
    for match in _PRONOUN.finditer(text):
        if not _has_antecedent(text, match.start()):
            yield match


def _has_antecedent(text: str, end: int) -> bool:
    """Return whether a question has itself what a word in it stands for."""
    clauses = list(_CLAUSE.finditer(text, 1, end))
    first = [start for start, _ in _find_noun_phrases(text) if start < end]
    if clauses and first and first[0] < clauses[-1].start():
        return True
    is_question = _ASKS.match(text) or _VERB.match(text) or _AND.match(text)
    said = len(tokenize(text[: clauses[-1].start()])) if clauses else 0
    return said >= _MIN_WORDS_BEFORE or (
        not is_question and len(tokenize(text[:end])) > 1
    )


def _substitute_phrase(phrase: str, last: str, *, is_about: bool) -> str:
    """Return the question before with another thing in its place.

    Args:
        phrase: The other thing, or a place.
        last: The question before.
        is_about: Whether it was asked for with "what about".
    """
    found = list(_find_noun_phrases(last))
    for start, own in found:
        if _get_head_word(own) == _get_head_word(phrase):
            return last[:start] + phrase + last[start + len(own) :]
    if _PLACE.match(phrase):
        return _substitute_place(phrase, last)
    subject = find_subject(last)
    if not subject:
        return f"{last} {phrase}"
    if not is_about and not re.search(r"[A-Z0-9]", phrase) and " of " in f" {last} ":
        the = "" if re.match(r"(?:the|a|an)\b", phrase) else "the "
        return f"what is {the}{phrase} of {subject}"
    return last.replace(subject, phrase, 1)


def _substitute_place(place: str, last: str) -> str:
    """Return the question before, of another place: ``at 180 kV``."""
    parts = last.split()
    at = [
        n
        for n, w in enumerate(parts)
        if w.casefold() == place.split(maxsplit=1)[0].casefold()
    ]
    if not at:
        return f"{last} {place}"
    end = at[-1] + 1
    while end < len(parts) and parts[end].casefold() not in _ENDS_PHRASE:
        end += 1
    return " ".join([*parts[: at[-1]], place, *parts[end:]])


def _get_head_word(phrase: str) -> str:
    """Return what a phrase ends with."""
    return phrase.casefold().rpartition(" ")[2]


def _insert_documents(text: str, documents: Sequence[str], one: str) -> str:
    """Return a question with the ids of the documents that it speaks of.

    Args:
        text: The question.
        documents: Those that can be counted.
        one: The one that was spoken of last.
    """
    if match := _ORDINAL.search(text):
        place = _ORDINALS[match["which"].casefold()]
        if -1 <= place < len(documents):
            return text[: match.start()] + documents[place] + text[match.end() :]
    if one and (match := _THAT_DOCUMENT.search(text)):
        return text[: match.start()] + one + text[match.end() :]
    if one and _OF_A_DOCUMENT.search(text):
        match = _THAT.search(text) or _PRONOUN.search(text)
        if match:
            return text[: match.start()] + one + text[match.end() :]
    return text


def _insert_subject(text: str, subject: str, last: str) -> str:
    """Return a question with a subject in the place of its pronouns."""
    left = list(_find_references(text))
    if not left:
        return text
    if not subject:
        return f"{text} ({last})"
    if match := _POSSESSIVE.search(text):
        rest = text[match.end() :].split()
        end = next(
            (n for n, w in enumerate(rest) if w.casefold() in _ENDS_PHRASE), len(rest)
        )
        thing, after = " ".join(rest[:end]), " ".join(rest[end:])
        return f"{text[: match.start()]}the {thing} of {subject} {after}".strip()
    match = left[0]
    if "noun" in match.groupdict():
        start, end = match.start("which"), match.end("noun")
        noun = match["noun"]
        put = (
            subject
            if _get_head_word(subject) == noun.casefold()
            else f"the {noun} of {subject}"
        )
        return text[:start] + put + text[end:]
    return text[: match.start()] + subject + text[match.end() :]


def _normalize(question: str) -> str:
    return " ".join(question.split()).rstrip(" ?.!")


def _format_question(text: str) -> str:
    """Return a text as a question; an id stays as it is."""
    text = " ".join(text.split())
    if re.search(r"[\d:]", text.partition(" ")[0]):
        return f"{text}?" if " " in text else text
    return f"{text[:1].upper()}{text[1:]}?"
