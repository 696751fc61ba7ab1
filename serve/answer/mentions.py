"""Answers from passages that mention a document: one that is not here, or is cited."""

import re
from collections.abc import Sequence

from dunegpt.index.document_names import find_targets
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.ingest.references import find_references
from dunegpt.serve.answer.statements import Statement
from dunegpt.text.analyzer import tokenize
from dunegpt.text.patterns import compile_re
from dunegpt.text.sentences import split_sentences
from dunegpt.types import Hit

_MAX_MENTIONS = 6
_ONLY_NAME = compile_re(
    r"^(?:(?:what(?: is|[\u2019']?s| are)|who|which documents?|where is|find|show"
    r"|tell me)"
    r"\s+(?:about\s+|(?:mentions?|cites?|refers? to)\s+)?)?"
    r"(?P<name>(?=[\w./-]*\d)[A-Za-z]+\w*(?:[._/-]\w+)+)(?:\s+(?:about|mentioned"
    r"|for))?$"
)
"""A file name or number with a letter, a sign and a digit, and nothing else."""
_CITES = compile_re(
    r"\b(?:cit(?:es?|ed|ing)|referenc(?:es?|ed|ing)|refer(?:s|red|ring)? to"
    r"|mention(?:s|ed|ing)?|points? to|links? to|quot(?:es?|ed|ing))\b",
    re.IGNORECASE,
)


def answer_from_mentions(
    question: str, index: ReaderIndex
) -> tuple[list[Statement], list[str]]:
    """Return what is said of documents that are not here, and notices on these.

    Nothing if the question names none, or nothing mentions them.

    Raises:
        IndexBrokenError: A part of the index cannot be read.
    """
    statements = _explain_name(question, index)
    notices = []
    day = index.snapshot.manifest["created_at"][:10]
    for name in index.find_unknown_names(question):
        wanted = set(tokenize(question)) - set(tokenize(name))
        hits = index.find_mentions(name)
        if not hits:
            continue
        notices.append(
            f"{name} is not in the index as of {day}; these passages mention it."
        )
        hits = tuple(sorted(hits, key=lambda hit: -_count_shared(hit, wanted)))
        statements += [_quote_mention(hit, name) for hit in hits[:_MAX_MENTIONS]]
    return statements, notices


def _explain_name(question: str, index: ReaderIndex) -> list[Statement]:
    """Return what is said of a name that is all that a question asks about."""
    match = _ONLY_NAME.match(" ".join(question.split()).strip(" ?.!"))
    if not match or index.names_documents(question):
        return []
    hits = index.find_mentions(match["name"])
    return [_quote_mention(hit, match["name"]) for hit in hits[:_MAX_MENTIONS]]


def answer_who_cites(question: str, index: ReaderIndex) -> list[Statement]:
    """Return the documents that cite the one that a question names, if it asks so.

    Raises:
        IndexBrokenError: A part of the index cannot be read.
    """
    if not _CITES.search(question) or not re.match(
        r"^\W*(?:who|which|what|where|is|are|does|do|list|show|find|documents?"
        r"|talks?)\b",
        question,
        re.IGNORECASE,
    ):
        return []
    named = index.find_named_documents(question)
    if len(named) != 1 or re.search(
        rf"\b(?:does|do|did)\b.*{_CITES.pattern}", question, re.I
    ):
        return []
    [name] = named
    _, citing = index.find_related(name)
    if not citing:
        return _find_by_word(name, index)
    statements = []
    for each in citing:
        hits = [
            h
            for h in index.read_passages(each.document.id)
            if _is_at(h, each.file, each.page)
        ]
        base = name.rpartition(":")[0] if name.count(":") > 1 else name
        hits = [h for h in hits if _names_target(h, base)] or hits
        statements += [_quote_mention(hit, base) for hit in hits[:1]]
    return statements


def _find_by_word(name: str, index: ReaderIndex) -> list[Statement]:
    """Return the documents whose text has the number of one, which no system gave."""
    number = name.split(":")[1] if ":" in name else name
    base = name.rpartition(":")[0]
    if not re.search(r"[^\W\d]", number):
        return []
    hits: dict[str, Hit] = {}
    for hit in index.find_mentions(number):
        if not hit.document.id.startswith(f"{base}:"):
            hits.setdefault(hit.document.id, hit)
    return [_quote_mention(hit, number) for hit in hits.values()]


def _is_at(hit: Hit, key: str, page: int) -> bool:
    passage = hit.passage
    return passage.file_key == key and passage.first_page <= page <= passage.last_page


def _names_target(hit: Hit, target: str) -> bool:
    return any(
        r.target.casefold() == target.casefold()
        for r in find_references(hit.passage.text)
    )


def _count_shared(hit: Hit, wanted: set[str]) -> int:
    return len(wanted & set(tokenize(hit.passage.text)))


def _quote_mention(hit: Hit, name: str) -> Statement:
    sentence = _find_sentence(list(split_sentences(hit.passage.text)), name)
    return Statement(
        f"“{hit.document.title}” ({hit.document.id}) mentions it: “{sentence}”",
        ((hit, sentence),),
    )


def _find_sentence(sentences: Sequence[str], name: str) -> str:
    """Return the first sentence that has a name, in any form of it."""
    targets = find_targets(name) or {name}
    for sentence in sentences:
        own = {reference.target for reference in find_references(sentence)}
        if own & targets or name.casefold() in sentence.casefold():
            return sentence
    return sentences[0]
