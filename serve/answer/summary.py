"""Outlines a document: its sections, each with its lead sentence, word for word."""

import re

from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.serve.answer.document_choice import choose_documents
from dunegpt.serve.answer.listing import introduce_document
from dunegpt.serve.answer.sections import (
    Block,
    find_lead,
    make_readable,
    split_blocks,
)
from dunegpt.serve.answer.statements import Statement
from dunegpt.text.patterns import compile_re

_MAX_SECTIONS = 14
_MAX_LEADS = 4
"""Sentences of a document without sections."""
_SUMMARY = compile_re(
    r"(?:(?:can|could|would) you\s+)?(?:please\s+)?(?:give|write|show"
    r"|make)?\s*(?:me|us)?"
    r"\s*(?:(?:a|an|the)\s+)?(?:(?:brief|short|quick|concise)\s+)?(?:summar(?:y|i[sz]e)"
    r"|sum up|outline|overview|abstract|tl;?dr|gist|main points|key points)"
    r"\s*(?:of|for|on)?\s*(?P<what>.+)",
    re.IGNORECASE,
)
_POINTS = compile_re(
    r"what (?:are|is|were|was) the (?:main|key|most important|essential) (?:points?"
    r"|results?|messages?|conclusions?|content) (?:of|in|from) (?P<what>.+)",
    re.IGNORECASE,
)
_ABOUT = compile_re(
    r"what(?: is|[\u2019']?s| was) (?P<what>.+?) (?:all )?about"
    r"|what does (?P<other>.+?)"
    r" (?:cover|deal with|contain|treat)",
    re.IGNORECASE,
)


_AUTHORSHIP = compile_re(
    r"who (?:wrote|has written|authored|published|prepared) (?P<a>.+)"
    r"|who (?:is|are|was|were) the authors? of (?P<b>.+)"
    r"|when was (?P<c>.+?) (?:written|published|dated|issued)",
    re.IGNORECASE,
)


def find_summary_subject(question: str) -> str:
    """Return what a question wants summarised; empty if it wants something else."""
    text = " ".join(question.split()).strip(" ?.!")
    text = re.sub(r"\s*,?\s*(?:please|pls)$", "", text, flags=re.IGNORECASE)
    for form in (_SUMMARY, _POINTS, _ABOUT):
        if match := form.fullmatch(text):
            groups = match.groupdict()
            return groups["what"] or groups.get("other") or ""
    return ""


def answer_summary(question: str, index: ReaderIndex) -> list[Statement]:
    """Return the outline of the document that a question names, or describes.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    subject = find_summary_subject(question)
    statements: list[Statement] = []
    for document in choose_documents(subject, index)[:2]:
        hits = index.read_passages(document.id)
        if hits:
            statements.append(Statement(introduce_document(hits[0]), ((hits[0], ""),)))
            statements += _outline(split_blocks(hits))
    return statements


def _outline(blocks: list[Block]) -> list[Statement]:
    by_heading: dict[str, list[Block]] = {}
    for block in blocks:
        by_heading.setdefault(block.heading, []).append(block)
    if len(by_heading) < 2:
        return _lead_sentences(blocks)
    statements = []
    for heading, own in list(by_heading.items())[:_MAX_SECTIONS]:
        texts = [b for b in own if not b.is_heading and find_lead(b.text)]
        first = next((b for b in texts if not b.number and "|" not in b.text), None)
        first = first or next(iter(texts), None)
        if first is None:
            continue
        lead = find_lead(first.text)
        text = make_readable(lead)
        name = make_readable(heading)
        is_title = name.casefold() == first.hit.document.title.casefold()
        text = text if is_title or not name else f"{name}: {text}"
        statements.append(Statement(text, ((first.hit, lead),)))
    return statements


def _lead_sentences(blocks: list[Block]) -> list[Statement]:
    """Return the first sentence of each of the first blocks of a short document."""
    statements = []
    told = [b for b in blocks if not b.is_heading and find_lead(b.text)]
    for block in told[:_MAX_LEADS]:
        lead = find_lead(block.text)
        statements.append(Statement(make_readable(lead), ((block.hit, lead),)))
    return statements


def answer_authorship(question: str, index: ReaderIndex) -> list[Statement]:
    """Return who wrote the document that a question describes, and when.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    match = _AUTHORSHIP.fullmatch(" ".join(question.split()).strip(" ?.!"))
    subject = next(filter(None, match.groups()), "") if match else ""
    subject = re.sub(r",? and when$", "", subject)
    if not subject or index.find_named_documents(subject):
        return []  # a document that is named is introduced in any case
    statements = []
    for document in choose_documents(subject, index)[:1]:
        hits = index.read_passages(document.id)[:1]
        statements += [Statement(introduce_document(hit), ((hit, ""),)) for hit in hits]
    return statements
