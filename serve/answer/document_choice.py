"""Finds the document that a question is about, by its name or its title."""

import re
from collections.abc import Sequence

from dunegpt.index.search.filters import Filters
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import DOCUMENT_NOUNS
from dunegpt.text.patterns import compile_re
from dunegpt.text.variants import find_alternatives, has_word
from dunegpt.types import Document, Hit

_HITS = 30
_MIN_SHARE = 0.7
"""Least share of the words, by weight, that title, kind, date and authors have."""
_NO_TOPIC = compile_re(
    r"\b(?:documents?|docs?|papers?|files?|versions?|the|a|an|this|that|please|titled|called"
    r"|named|about)\b",
    re.IGNORECASE,
)

_NOUNS = compile_re(rf"\b(?!minutes\b)(?:{DOCUMENT_NOUNS})\b", re.IGNORECASE)
"""What people call documents; titles seldom have it."""


def choose_documents(
    text: str, index: ReaderIndex, filters: Sequence[Filters] = ()
) -> list[Document]:
    """Return the documents that a text names, else the one that its words fit best.

    Args:
        text: The name of a document, or words of its title.
        index: Index of the person who asks.
        filters: Filters that the document has to pass.

    Raises:
        IndexBrokenError: The index cannot be read.
    """
    if not text.strip():
        return []
    named = index.find_named_documents(text)
    if named:
        found = (
            document for name in named for document, _ in index.find_documents(name)
        )
        by_id = {document.id: document for document in found}
        return [by_id[name] for name in named if name in by_id]
    if index.names_documents(text):
        return []
    topic = " ".join(_NO_TOPIC.sub(" ", text).split())
    topic = " ".join(_NOUNS.sub(" ", topic).split()) or topic
    hit = _choose_by_title(topic, index, filters)
    return [hit.document] if hit else []


def _choose_by_title(
    topic: str, index: ReaderIndex, filters: Sequence[Filters]
) -> Hit | None:
    """Return the hit whose document has most words of a topic in its title."""
    weights = index.get_word_weights(topic)
    total = sum(weights.values())
    if not total:
        return None
    alternatives = find_alternatives(topic)

    def get_share(text: str) -> float:
        present = set(tokenize(text))
        own = (
            w for word, w in weights.items() if has_word(word, present, alternatives)
        )
        return sum(own) / total

    best: tuple[float, float, Hit] | None = None
    for hit in index.search(topic, filters, _HITS).hits:
        document = hit.document
        card = f"{document.title} {document.kind} {' '.join(document.authors)}"
        if document.date:
            card += f" {document.date} {document.date:%d %B %Y} {document.date.day}"
        share = get_share(card)
        extra = len(set(tokenize(document.title))) or 1
        key = (round(share, 3), get_share(document.title) + 1 / (1 + extra))
        if share >= _MIN_SHARE and (best is None or key > best[:2]):
            best = (*key, hit)
    return best[2] if best else None
