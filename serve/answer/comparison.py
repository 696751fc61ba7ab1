"""Compares two versions of a document, or two documents, sentence by sentence.

Differences come first, each with the sentences of both sides, word for word; then what
stands in one of them only, sentences with numbers first. What both say alike is only
counted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.document_choice import choose_documents
from dunegpt.serve.answer.listing import introduce_document
from dunegpt.serve.answer.sections import Block, make_readable, split_blocks
from dunegpt.serve.answer.statements import Statement
from dunegpt.text.patterns import compile_re
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Document, Hit

_MIN_ALIKE = 0.55
"""Least likeness of two sentences, by words, of which one is the other changed."""
_MIN_PART = 0.75
"""Least share of the shorter sentence that is in the other one, ..."""
_MIN_WORDS_OF_PART = 6
"""... if it has so many words."""
_MAX_CHANGED = 12
_MAX_ONLY = 8
_MAX_SENTENCES = 1500
_VERSION = (
    r"(?:(?:version|ver\.?|rev(?:ision|\.)?|v)\s*\.?\s*)"
    r"(?P<{0}>\d{{1,3}}(?:\.\d{{1,3}})?|[A-Z](?![\w]))"
)
_BOTH = compile_re(
    rf"{_VERSION.format('one')}\s*(?:and|with|to|vs\.?|versus|or|,|&"
    rf"|from)\s*(?:the\s+)?"
    rf"(?:{_VERSION.format('other')})",
    re.IGNORECASE,
)
_FROM = compile_re(
    rf"{_VERSION.format('one')}\s+(?:differ|different|deviate|change)\w*"
    rf"\s+(?:from|to|since|against)\s+{_VERSION.format('other')}",
    re.IGNORECASE,
)
_ONE = compile_re(_VERSION.format("one"), re.IGNORECASE)
_COMPARES = compile_re(
    r"\b(?:compar(?:e|ed|ing|ison)|differ(?:s|ences?|ent)?|vs\.?|versus|chang(?:e"
    r"|es|ed)"
    r"|(?:what(?: is|[\u2019']?s)|anything) new|new in|added|removed|dropped"
    r"|updated?)\b",
    re.IGNORECASE,
)
_WORDS = compile_re(
    r"\b(?:compare(?:d)?|comparison|differ(?:s|ences?|ent)?|vs\.?|versus|chang(?:e"
    r"|es|ed)"
    r"|what|whats|which|how|is|are|was|were|has|have|been|does|do|did|new|added"
    r"|removed|dropped"
    r"|updated?|between|the|of|in|to|with|and|from|since|for|its|last|previous|old"
    r"|older"
    r"|newest|latest|current|versions?|both|there|please|show|tell|me|list|against"
    r"|anything"
    r"|revisions?|other|or)\b",
    re.IGNORECASE,
)
_NAMED_WITH_VERSION = compile_re(
    r"(?<=\w)[\s,]*(?:-v|v\.?\s?|version\s)\d{1,3}\b", re.I
)


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence of a document."""

    text: str
    block: Block
    words: tuple[str, ...]


def answer_comparison(question: str, index: ReaderIndex) -> list[Statement]:
    """Return what differs between what a question compares; nothing if it does not.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    if not _COMPARES.search(question):
        return []
    pair = _find_pair(question, index)
    if pair is None:
        return []
    old, new = sorted(pair, key=_get_order)
    hits = [index.read_passages(document.id) for document in (old, new)]
    if not all(hits):
        return []
    return list(_tell(hits[0], hits[1]))


def _find_pair(question: str, index: ReaderIndex) -> tuple[Document, Document] | None:
    """Return the two documents that a question compares."""
    text = " ".join(question.split()).strip(" ?.!")
    both = _FROM.search(text) or _BOTH.search(text)
    if both:
        subject = _strip(text[: both.start()] + " " + text[both.end() :])
        versions = _list_versions(subject, index)
        one = _pick_version(versions, both["one"])
        other = _pick_version(versions, both["other"])
        return (one, other) if one and other and one.id != other.id else None
    named = list(dict.fromkeys(index.find_named_documents(text)))
    if len(named) == 2:
        documents = [d for n in named for d, _ in index.find_documents(n) if d.id == n]
        return (documents[0], documents[1]) if len(documents) == 2 else None
    if len({match["one"] for match in _ONE.finditer(text)}) > 1:
        return None  # one of them is not here
    return _find_versions(text, index) or _find_two_titles(text, index)


def _find_versions(text: str, index: ReaderIndex) -> tuple[Document, Document] | None:
    """Return a version and the one before it, if a question asks what changed in it."""
    single = _ONE.search(text)
    subject = _strip(_ONE.sub(" ", text))
    versions = _list_versions(subject, index)
    if len(versions) < 2:
        return None
    if single:
        chosen = _pick_version(versions, single["one"])
        if chosen is None:
            return None
        place = versions.index(chosen)
        is_since = re.search(r"\bsince\s+\W*$", text[: single.start()], re.IGNORECASE)
        if is_since or place == 0:
            return chosen, versions[-1]
        return versions[place - 1], chosen
    asks = re.search(r"\b(?:versions?|chang\w+|new|differ\w*)\b", text, re.IGNORECASE)
    return (versions[-2], versions[-1]) if asks else None


def _find_two_titles(text: str, index: ReaderIndex) -> tuple[Document, Document] | None:
    """Return two documents that are named by words of their titles."""
    match = re.match(
        r"^(?:please\s+)?(?:compare|(?:what (?:is|are) )?the differences? between)\s+"
        r"(?P<one>.+?)\s+(?:and|with|to|versus|vs\.?)\s+(?P<other>.+)$",
        text,
        re.IGNORECASE,
    )
    if not match:
        return None
    head = re.match(r"^(?:the\s+)?((?:[^\W\d_]+\s+){1,4}of)\b", match["one"])
    other = match["other"]
    if head and not re.search(r"[^\W\d_]{4,}.*[^\W\d_]{4,}", other.replace("the", "")):
        other = f"{head[1]} {other}"  # the minutes of 3 May and 5 June
    found = [choose_documents(words, index)[:1] for words in (match["one"], other)]
    if not all(found) or found[0][0].id == found[1][0].id:
        return None
    return found[0][0], found[1][0]


def _list_versions(subject: str, index: ReaderIndex) -> list[Document]:
    """Return all versions of the document that words name, the oldest first."""
    bare = _NAMED_WITH_VERSION.sub("", subject)
    chosen = choose_documents(bare, index)
    if not chosen:
        return []
    base = chosen[0].id.rpartition(":")[0]
    found = {d.id: d for d, _ in index.find_documents(base)} if ":" in base else {}
    versions = [d for d in found.values() if d.id.rpartition(":")[0] == base]
    return sorted(versions or chosen[:1], key=_get_order)


def _pick_version(versions: Sequence[Document], version: str) -> Document | None:
    wanted = version.upper().removesuffix(".0").lstrip("0")
    for document in versions:
        own = document.id.rpartition(":")[2].upper()
        if own.removesuffix(".0").lstrip("0") == wanted:
            return document
    return None


def _get_order(document: Document) -> tuple[str, int, str]:
    version = document.id.rpartition(":")[2]
    return (
        str(document.date or ""),
        int(version) if version.isdigit() else 0,
        document.id,
    )


def _strip(text: str) -> str:
    return " ".join(re.sub(r"[,;:](?!\w)", " ", _WORDS.sub(" ", text)).split())


def _tell(old: Sequence[Hit], new: Sequence[Hit]) -> Iterator[Statement]:
    yield Statement(introduce_document(old[0]), ((old[0], ""),))
    yield Statement(introduce_document(new[0]), ((new[0], ""),))
    before, after = list(_read(old)), list(_read(new))
    known = {said.words for said in before} & {said.words for said in after}
    before = [said for said in before if said.words not in known]
    after = [said for said in after if said.words not in known]
    changed = _pair_changed(before, after)
    for one, other in changed[:_MAX_CHANGED]:
        yield Statement(
            f"{old[0].document.id}: “{_show(one)}”"
            f" {new[0].document.id}: “{_show(other)}”",
            ((one.block.hit, one.text), (other.block.hit, other.text)),
        )
    paired = {id(said) for pair in changed for said in pair}
    for side, said in ((new, after), (old, before)):
        only = [each for each in said if id(each) not in paired]
        only.sort(key=lambda each: not any(map(str.isdigit, each.text)))
        for each in only[:_MAX_ONLY]:
            yield Statement(
                f"Only in {side[0].document.id}: “{_show(each)}”",
                ((each.block.hit, each.text),),
            )
        if len(only) > _MAX_ONLY:
            more = len(only) - _MAX_ONLY
            yield Statement(
                f"{more} more sentences are only in {side[0].document.id}.", ()
            )
    same = "1 sentence is" if len(known) == 1 else f"{len(known)} sentences are"
    yield Statement(f"{same} the same in both.", ())


def _read(hits: Sequence[Hit]) -> Iterator[_Said]:
    count, seen = 0, set[tuple[str, ...]]()
    for block in split_blocks(hits):
        if block.is_heading:
            continue
        for text in split_sentences(block.text):
            words = tuple(re.findall(r"[^\W_]+(?:[.,]\d+)?", text.casefold()))
            count += 1
            if len(words) > 1 and count <= _MAX_SENTENCES and words not in seen:
                seen.add(words)
                yield _Said(text, block, words)


def _pair_changed(
    before: Sequence[_Said], after: Sequence[_Said]
) -> list[tuple[_Said, _Said]]:
    """Return sentences that are alike but for some words, in the order of the new."""
    rated = []
    for one in before:
        for other in after:
            least = min(len(one.words), len(other.words))
            if len({*one.words} & {*other.words}) < _MIN_ALIKE * least:
                continue
            matcher = SequenceMatcher(None, one.words, other.words, autojunk=False)
            same = sum(block.size for block in matcher.get_matching_blocks())
            is_part = least >= _MIN_WORDS_OF_PART and same >= _MIN_PART * least
            if matcher.ratio() >= _MIN_ALIKE or is_part:
                rated.append((matcher.ratio(), one, other))
    pairs: list[tuple[_Said, _Said]] = []
    used: set[int] = set()
    for _, one, other in sorted(rated, key=lambda each: -each[0]):
        if id(one) not in used and id(other) not in used:
            used |= {id(one), id(other)}
            pairs.append((one, other))
    order = {id(said): place for place, said in enumerate(after)}
    return sorted(pairs, key=lambda pair: order[id(pair[1])])


def _show(said: _Said) -> str:
    return make_readable(said.text)
