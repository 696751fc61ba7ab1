"""Finds what the wording of a sentence adds to its source, such as a stronger verb.

Examples: "was done" or "must" where the source says "is planned" or "may"; a reason, a
comparison or a whole clause that the source lacks; "all" for "some"; "yes" for "no".
Each is a number from 0 to 1, for `combination` to weigh. Uses words, not grammar.
"""

import re
from collections.abc import Sequence, Set
from functools import lru_cache

from dunegpt.serve.verify.claims import ClaimedText
from dunegpt.serve.verify.rivals import ClaimedSource
from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import MONTHS, WEEKDAYS
from dunegpt.text.patterns import compile_re

_PLANNED = compile_re(
    r"\b(?:will|would|shall|should|must|plan(?:s|ned|ning)?|propos\w+|intend\w*|foresee\w*"
    r"|foreseen|expect\w*|hope[sd]?|hoping|aim\w*|consider\w*|suggest\w*|recommend\w*"
    r"|advise\w*|desirable|desire[sd]?|option\w*|candidate\w*|alternative\w*|could|(?-i:may)"
    r"|might|to be|being|under (?:way|study|construction|development|discussion"
    r"|consideration|review)|in (?:progress|preparation)|negotiat\w*|need(?:s|ed)? to"
    r"|has to|have to|goal\w*|target\w*|requir\w*|if|assum\w*|estimat\w*|envisag\w*"
    r"|anticipat\w*|prepar\w*|develop(?:ing|ed|ment)|upgrade|future|later|once|possib\w*"
    r"|not yet|yet to|waits?|waiting|pending|condition|ask(?:s|ed)?|in the design"
    r"|designed|phase)\b",
    re.I,
)
_THOUGHT = compile_re(
    r"\b(?:suspect\w*|believ\w*|thought|wanted|discuss\w*|asked|demanded|wished)\b",
    re.I,
)
_BARE_PAST = compile_re(r"was|were", re.I)
_PARTICIPLE = compile_re(r"\s(?:\w+ly\s)?\w+")
_OTHER_VERB = 0.4
_DONE = compile_re(
    r"\b(?:(?:has|have|had)(?: \w+ly)? (?:been |already |now )?\w+(?:ed|n|t|d)\b"
    r"|(?:was|were)\b|(?<!\bis )(?<!\bare )(?<!\bbe )(?:decided|settled|proved|proven"
    r"|show(?:s|ed|n)|demonstrated"
    r"|achieved|reached|confirmed|installed|approved|completed|finished|started)\b)",
    re.I,
)
_DEMANDED = compile_re(
    r"\b(?:should|must|shall|has to|have to|need(?:s|ed)? to|required|mandatory)\b",
    re.I,
)
_IS = compile_re(r"\b(?:is|are)\b", re.I)
_MUST = compile_re(
    r"\b(?:must|has to|have to|need(?:s|ed)? to|required?s?|only)\b", re.I
)
_MAY = compile_re(
    r"\b(?:(?-i:may)|can|could|might|optional\w*|recommend\w*|suggest\w*)\b", re.I
)
_CAUSE = compile_re(
    r"\b(?:because(?: of)?|since(?! (?:the )?(?:\d|[A-Z]|then|run|release|version"
    r"|last|late|early|begin\w*|start|middle|end))|due to|owing to|caused by"
    r"|as a result of"
    r"|in order to|thanks to|reason(?: \w+){0,2} (?:is|was) that)\b",
    re.I,
)
_UNIVERSAL = compile_re(
    r"\b(?:all(?! (?:over|in|other))|every(?! (?:\d|second|minute|hour|day|week|month"
    r"|year|two|three|four))|always|never|any|only|entire(?:ly)?|complete(?:ly)?"
    r"|full(?:y)?"
    r"|perfect(?:ly)?|exactly|precisely|no|none|guarantees?d?|certain(?:ly)?|proved"
    r"|proven|impossible|everywhere|anywhere)\b",
    re.I,
)
_WARRANT = compile_re(
    r"\b(?:all|every|each|always|never|any|only|entire(?:ly)?|complete(?:ly)?|full(?:y)?"
    r"|perfect(?:ly)?|exactly|no|none|without|neither|nor|not|both|whole|throughout"
    r"|everywhere|in total|total|alone|solely|sole|single|other\w*|everyone"
    r"|mandatory)\b"
    r"|n[\u2019']t\b|100\s?%",
    re.I,
)
_NOW = compile_re(
    r"\b(?:now|still(?! (?:above|below|within|under|more|less|\w+er))|currently"
    r"|at present|presently|today|nowadays|in force|as of now|so far|yet to|not yet)\b",
    re.I,
)
_NOT_YET = compile_re(r"\b(?:not|has|have|is|are) yet\b", re.I)
_IS_NOW = compile_re(
    r"\b(?:now|still|current\w*|present\w*|today|nowadays|so far|yet|to date|up to"
    r"|status|ongoing|remains?|continu\w*|is being|are being|until|already|as of"
    r"|no longer|meanwhile|since)\b",
    re.I,
)
_EXCLUSIVE = frozenset({"only", "no", "none", "never"})
_ALL_WARRANT = compile_re(
    r"\b(?:all|every|each|always|any|only|entire(?:ly)?|complete(?:ly)?|full(?:y)?"
    r"|perfect(?:ly)?|exactly|both|whole|throughout|everywhere|in total|total|alone|not"
    r"|no|none|without|everyone|mandatory|never)\b|100\s?%|\bthe other\b",
    re.I,
)
_SUPERLATIVE = compile_re(
    r"\bthe (?:most|least|best|worst|\w{3,}est)\b|\b(?:more|less) \w+ than\b"
    r"|\b\w{3,}er than\b(?! \d)",
    re.I,
)
_NOT_COMPARED = compile_re(
    r"\b(?:rather|other|later|earlier|further|whether) than\b", re.I
)
_NEGATIONS = compile_re(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|nobody|nothing|unable|lacks?"
    r"|lacking|absent|absence|fails?|failed|failure|un(?:likely|able|safe|stable|changed"
    r"|known|available|affected|necessary|supported|damaged|used)"
    r"|in(?:sufficient|capable|valid)|im(?:possible)|prevent(?:s|ed)?"
    r"|exclud(?:e|es|ed|ing)|avoid(?:s|ed)?|den(?:y|ies|ied)|reject(?:s|ed)?|hardly"
    r"|barely|rarely|little|few|free of|rather than|instead of|except|unless|only"
    r"|stop(?:s|ped)?|left out|leav(?:e|es|ing) out|skip\w*|omit\w*|beyond|end of life"
    r"|no longer|yet to|removed?|ruled out|other than|prohibit\w*|forbid\w*"
    r"|disable[ds]?|independent\w*|phased out|lost|loss|off)"
    r"\b|n[\u2019']t\b|\bnon-",
    re.I,
)
_STRONG_NEGATIONS = compile_re(
    r"\b(?:not|no|never|none|neither|cannot|without|no longer)\b|n[\u2019']t\b", re.I
)
_NEUTRAL_NEGATIONS = compile_re(
    r"\b(?:not|no|n't) (?:more|less|later|earlier|faster|slower|only|just|yet|fewer)\b"
    r"|\bnot (?:\w+ )?(?:but)\b|\bwhether or not\b|\bwith or without\b|\bneither is\b"
    r"|\bif not\b|\bno more\b",
    re.I,
)
_CLAUSE = compile_re(
    r"[;:\u2014]\s|,\s(?:and|but|which|who|so|where|while|as|or)?\s?|\s(?:and|but|because"
    r"|while|whereas|which|so that|although|though)\s",
    re.I,
)
_TAIL = compile_re(
    r"(?:,\s(?:and|which|who|so|where|because|as|while|since|that)?|\sand|\sbecause|\sso"
    r"|\swhich|\safter|\sdue to)\s(?P<tail>[^,;]{4,})$",
    re.I,
)
_MIN_OVERLAP = 0.6
_MIN_CLAUSE = 3


def weigh_certainty(sentence: str, nearest: Sequence[ClaimedText]) -> float:
    """Return 1 if the sentence says of something planned that it has been done.

    Less than one half if what has been done is not what is planned there.
    """
    if _PLANNED.search(sentence) or _THOUGHT.search(sentence) or not nearest:
        return 0.0
    done = _DONE.search(sentence)
    best = nearest[0].text
    if done is None or not _PLANNED.search(best) or _DONE.search(best):
        return 0.0
    if _BARE_PAST.fullmatch(done[0]):
        verb = _PARTICIPLE.match(sentence[done.end() :])
        stems = set(tokenize(verb[0])) if verb else set()
        is_known = bool(stems & nearest[0].stems)
        if verb and stems and not is_known and not _DONE.search(verb[0]):
            return _OTHER_VERB
    return 1.0


def weigh_demand(sentence: str, nearest: Sequence[ClaimedText]) -> float:
    """Return 1 if what must or should be is said to be, or what may be, must."""
    if not nearest:
        return 0.0
    best = nearest[0].text
    is_told = _IS.search(sentence) and not _PLANNED.search(sentence)
    if is_told and _DEMANDED.search(best) and not _IS.search(best):
        return 1.0
    must, may = bool(_MUST.search(sentence)), bool(_MAY.search(sentence))
    if must and _MAY.search(best) and not _MUST.search(best) and not may:
        return 1.0
    return 0.0


def weigh_cause(sentence: str, source: ClaimedSource) -> tuple[float, float]:
    """Return how far the words of a reason are missing, and whether it gives one.

    The first is the share of them that the best two sentences in a row lack.
    """
    match = _CAUSE.search(sentence)
    if match is None:
        return 0.0, 0.0
    reason = sentence[match.end() :]
    if match.start() < 3:  # "Because of ..., it ..."
        reason = reason.partition(",")[0]
    stems = set(tokenize(reason))
    if not stems:
        return 0.0, 0.0
    known = [0.0]
    sentences = source.sentences
    for number, own in enumerate(sentences):
        both = own.stems | (
            sentences[number + 1].stems if number + 1 < len(sentences) else frozenset()
        )
        known.append(len(stems & both) / len(stems))
    causal = any(
        _CAUSAL_STRICT.search(own.text)
        for own in source.sentences
        if len(own.stems & stems) >= 1
    )
    return 1.0 - max(known), float(not causal)


_CAUSAL_STRICT = compile_re(
    r"\b(?:because|since|due to|owing|caus\w*|result\w*|reason\w*|so\b|as|therefore"
    r"|thus"
    r"|hence|thanks|in order|lead\w* to|led to|for)\b",
    re.I,
)


def weigh_universal(sentence: str, nearest: Sequence[ClaimedText]) -> float:
    """Return 1 if it says all, never, only, where the nearest sentences do not."""
    plain = _NEUTRAL_NEGATIONS.sub(" ", sentence)
    match = _UNIVERSAL.search(plain)
    if match is None or not nearest:
        return 0.0
    if match[0].casefold() in _EXCLUSIVE:
        return float(not any(_WARRANT.search(own.text) for own in nearest[:2]))
    return float(not any(_ALL_WARRANT.search(own.text) for own in nearest[:2]))


def weigh_currency(sentence: str, nearest: Sequence[ClaimedText]) -> float:
    """Return 1 if it says now or still where the nearest sentences do not."""
    if not nearest or not _NOW.search(sentence):
        return 0.0
    near = [own.text for own in nearest[:3]]
    if _NOT_YET.search(sentence) and any(_PLANNED.search(text) for text in near):
        return 0.0
    return float(not any(_IS_NOW.search(text) for text in near))


def weigh_comparison(sentence: str, stems: frozenset[str]) -> float:
    """Return 1 if it compares with a word that the source has not."""
    for match in _SUPERLATIVE.finditer(_NOT_COMPARED.sub(" ", sentence)):
        if not set(tokenize(match[0].removesuffix("than"))) & stems:
            return 1.0
    return 0.0


def split_clauses(sentence: str) -> list[str]:
    """Return the parts of a sentence that say something by themselves."""
    parts = [part.strip() for part in _CLAUSE.split(sentence) if part]
    return [part for part in parts if len(tokenize(part)) >= _MIN_CLAUSE] or [sentence]


def weigh_new_clause(sentence: str, stems: frozenset[str]) -> tuple[float, float]:
    """Return how new the newest clause is, and how new the last one is.

    The first is 1 less the share of its words that the source has; the second counts as
    far as the rest of the sentence is not new.
    """
    parts = [set(tokenize(part)) for part in _CLAUSE.split(sentence) if part]
    shares = [len(part & stems) / len(part) for part in parts if len(part) >= 2]
    tail = _TAIL.search(sentence)
    new_tail = 0.0
    if tail:
        own = set(tokenize(tail["tail"]))
        rest = set(tokenize(sentence[: tail.start()]))
        if own and rest:
            rest_share = len(rest & stems) / len(rest)
            new_tail = (1 - len(own & stems) / len(own)) * rest_share
    return 1.0 - min(shares, default=1.0), new_tail


def weigh_denial(sentence: str, source: ClaimedSource) -> float:
    """Return the overlap with the nearest sentence if one says no and the other not.

    0 if both or neither do, or if no sentence of the source has most of the words.
    """
    plain = _NEUTRAL_NEGATIONS.sub(" ", sentence)
    own = set(tokenize(_NEGATIONS.sub(" ", plain)))
    if _is_fragment(own):
        return 0.0
    says_no = bool(_STRONG_NEGATIONS.search(plain))
    best, near = 0.0, ""
    for other in source.sentences:
        share = len(own & other.stems) / max(len(own), 1)
        if share > best:
            best, near = share, other.text
    if best < _MIN_OVERLAP:
        return 0.0
    near = _NEUTRAL_NEGATIONS.sub(" ", near)
    if says_no and not _NEGATIONS.search(near):
        return best
    if _STRONG_NEGATIONS.search(near) and not _NEGATIONS.search(sentence):
        return best
    return 0.0


def weigh_strict_denial(sentence: ClaimedText, nearest: Sequence[ClaimedText]) -> float:
    """Return 1 if a sentence in nearly its source's words says no an odd time more."""
    if not nearest:
        return 0.0
    other = nearest[0]
    own = sentence.stems - _NEGATION_STEMS
    if _is_fragment(own):
        return 0.0
    shared = len(own & other.stems)
    if shared < max(_VERBATIM * len(own), _BOTH_WAYS * len(other.stems), 2):
        return 0.0
    counts = [
        len(_DENIALS.findall(_NEUTRAL_NEGATIONS.sub(" ", text.text)))
        for text in (sentence, other)
    ]
    if not counts[0] and _NEGATIONS.search(sentence.text):
        return 0.0
    return float(counts[0] % 2 != counts[1] % 2)


def _is_fragment(stems: Set[str]) -> bool:
    """Return whether there are too few words, beside numbers and dates, to deny."""
    return sum(s.isalpha() and s not in _CALENDAR_STEMS for s in stems) < _MIN_DENIED


def weigh_novelty(
    sentence: ClaimedText, nearest: Sequence[ClaimedText], stems: frozenset[str]
) -> float:
    """Return the share of new words, as far as the others stand in one sentence."""
    known = sentence.stems & stems
    if not nearest or not known:
        return 0.0
    new = len(sentence.stems - stems - _NEGATION_STEMS)
    return new / len(sentence.stems) * len(known & nearest[0].stems) / len(known)


_VERBATIM = 0.8
_MIN_DENIED = 2
_CALENDAR_STEMS = frozenset(
    stem for word in (*MONTHS, *WEEKDAYS) for stem in tokenize(word)
)
_BOTH_WAYS = 0.4
_NEGATION_STEMS = frozenset(tokenize("not no never none without cannot fail failed"))
_DENIALS = compile_re(
    r"\b(?:not|no|never|none|neither|nor|cannot|without|fails?|failed|unable)\b"
    r"|n[\u2019']t\b",
    re.I,
)


@lru_cache(maxsize=1024)
def _passive(text: str) -> bool:
    return bool(
        re.search(
            r"\b(?:is|was|are|were|be|been|being)\s(?:\w+\s)?\w+(?:ed|en|n)\b.*\bby\b",
            text,
        )
    )


def weigh_order(sentence: ClaimedText, nearest: Sequence[ClaimedText]) -> float:
    """Return 1 if two names or numbers have changed places around a word."""
    for other in nearest[:2]:
        if _passive(sentence.text) != _passive(other.text):
            continue
        if _is_swapped(sentence, other):
            return 1.0
    return 0.0


def _is_swapped(sentence: ClaimedText, other: ClaimedText) -> bool:
    own, theirs = _first_places(sentence), _first_places(other)
    shared = [stem for stem in own if stem in theirs]
    anchors = [s for s in shared if _is_anchor(s, sentence) and _is_anchor(s, other)]
    words = [s for s in shared if s not in anchors]
    for one in anchors:
        for two in anchors:
            if not own[one] < own[two] or not theirs[two] < theirs[one]:
                continue
            for word in words:
                if (
                    own[one] < own[word] < own[two]
                    and theirs[two] < theirs[word] < theirs[one]
                ):
                    return True
    return False


def _first_places(text: ClaimedText) -> dict[str, int]:
    places: dict[str, int] = {}
    for word in text.words:
        places.setdefault(word.stem, word.start)
    return places


def _is_anchor(stem: str, text: ClaimedText) -> bool:
    """Return whether a stem is a name or a number there."""
    place = _first_places(text)[stem]
    mark = text.text[place : place + 1]
    return mark.isdigit() or (mark.isupper() and place > 0)
