"""What makes two snapshots the same: a hash over all that they say, in one order.

The hash of a document covers what is shown of it and each of its passages; the content
id covers those of all documents, encoder and settings. How the rows are laid out on the
disk is not in it.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from dunegpt.types import Document, FileRef, Passage


def identity(document: Document) -> bytes:
    """Return what a snapshot says of a document, in one form."""
    files = [_file_identity(file) for file in document.files]
    return canonical(
        [
            document.id,
            document.source,
            document.kind,
            document.url,
            document.title,
            list(document.authors),
            document.date.isoformat() if document.date else "",
            document.status,
            sorted(document.access),
            document.supersedes,
            document.parent,
            files,
        ]
    )


def passage_identity(passage: Passage) -> bytes:
    """Return what a snapshot says of a passage, in one form."""
    return canonical(
        [
            passage.file_key,
            passage.first_page,
            passage.last_page,
            passage.start,
            passage.end,
            passage.heading,
            passage.record,
            passage.text,
        ]
    )


def content_id(encoder: str, settings: dict[str, Any], digests: Iterable[str]) -> str:
    """Return the content id of a snapshot.

    Args:
        encoder: Id of its encoder.
        settings: As in its manifest.
        digests: Of its documents, in the order of their ids.
    """
    digest = hashlib.sha256(canonical([encoder, settings]))
    for each in digests:
        digest.update(each.encode() + b"\n")
    return digest.hexdigest()[:24]


def canonical(value: Any) -> bytes:
    """Return a JSON value as bytes, equal for equal values."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _file_identity(file: FileRef) -> list[Any]:
    return [file.key, file.name, file.url, file.media_type, sorted(file.access)]
