"""The content id of a snapshot: a hash of its content in a canonical order.

The hash of a document covers its metadata and passages; the content id covers the
hashes of all documents, the encoder and the settings. It does not depend on the order
of rows or on how they are divided into segments.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple
from typing import Any

from dunegpt.types import Document, FileRef, Passage


def serialize_document(document: Document) -> bytes:
    """Return the canonical bytes of a document's metadata."""
    files = [_list_file_fields(file) for file in document.files]
    return serialize_json(
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


def serialize_passage(passage: Passage) -> bytes:
    """Return the canonical bytes of a passage; that of a figure has its place."""
    fields: list[Any] = [
        passage.file_key,
        passage.first_page,
        passage.last_page,
        passage.start,
        passage.end,
        passage.heading,
        passage.record,
        passage.text,
    ]
    if passage.figure:
        box = passage.box and astuple(passage.box)
        fields += [
            passage.figure,
            box,
            *[passage.description] * bool(passage.description),
        ]
    return serialize_json(fields)


def compute_content_id(
    encoder: str, settings: dict[str, Any], digests: Iterable[str]
) -> str:
    """Return the content id of a snapshot.

    Args:
        encoder: Id of the encoder.
        settings: Settings as in the manifest.
        digests: Hashes of the documents, ordered by document id.
    """
    digest = hashlib.sha256(serialize_json([encoder, settings]))
    for document_digest in digests:
        digest.update(document_digest.encode() + b"\n")
    return digest.hexdigest()[:24]


def serialize_json(value: Any) -> bytes:
    """Return the JSON of a value as bytes; equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _list_file_fields(file: FileRef) -> list[Any]:
    return [file.key, file.name, file.url, file.media_type, sorted(file.access)]
