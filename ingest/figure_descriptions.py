"""Stores the descriptions of figures by a model, beside the pages of each file.

A description is kept by the hash of the picture, the model and the version of the
prompt, so that each picture is sent once. It is the machine's: it is indexed with the
passage of its figure, and never a part of that passage's text. Does not depend on any
model server: who describes is passed in.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dunegpt.errors import ExtractError, ModelError
from dunegpt.files import write_atomically
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.extract.clean import to_one_line
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.page_store import PageStore
from dunegpt.types import Document, Failure, Figure, FileRef, Page

log = logging.getLogger(__name__)

STAGE = "describe"
"""Stage of the failures in the ledger."""

_MAX_CHARACTERS = 800
_GIVE_UP_AFTER = 3

Place = tuple[int, int]
"""Number of the page, and offset of the figure's text on it."""


class FigureDescriber(Protocol):
    """Describes pictures, as a model does."""

    @property
    def id(self) -> str:
        """Model and version of the prompt; another one describes all pictures anew."""

    def may_describe(self, document: Document, file_key: str) -> bool:
        """Return whether the pictures of a file may be sent to the model."""

    def describe(self, picture: bytes, text: str) -> str:
        """Return a description of a picture.

        Args:
            picture: JPEG.
            text: The caption, and what stands in the picture.

        Raises:
            ModelError: The model gave none.
        """


@dataclass(slots=True)
class _Record:
    """The descriptions of one file.

    Attributes:
        describer: Id of the describer.
        pages: Digest of the pages that they are complete for; empty if they are not.
        places: Hash of the picture at each place, in the order of the pages.
        texts: Description by the hash of the picture; empty if it has none.
    """

    describer: str = ""
    pages: str = ""
    places: list[tuple[int, int, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def find_descriptions(pages: PageStore, file: FileRef) -> Path:
    """Return where the descriptions of a file are or would be."""
    return pages.path(file).with_suffix(".figures")


class FigureDescriptions:
    """The descriptions of all files, by the describer of this run."""

    def __init__(
        self, pages: PageStore, blobs: BlobStore, describer: FigureDescriber | None
    ) -> None:
        self._pages = pages
        self._blobs = blobs
        self._describer = describer

    def get(self, file: FileRef) -> dict[Place, str]:
        """Return the descriptions of a file's figures; none without a describer."""
        record = self._read(file)
        return {
            (page, start): record.texts[picture]
            for page, start, picture in record.places
            if record.texts.get(picture)
        }

    def get_digest(self, file: FileRef) -> str:
        """Return a hash of the descriptions of a file; empty if there are none."""
        found = sorted(self.get(file).items())
        content = json.dumps(found, ensure_ascii=False).encode()
        return hashlib.sha256(content).hexdigest() if found else ""

    def describe_missing(self, documents: Iterable[Document]) -> Iterator[Failure]:
        """Describe what has no description yet; yield what failed, for the ledger.

        What may not be sent to the model is left out. After three files in a row have
        failed, no other is tried in this run.
        """
        failed_in_row, reason = 0, ""
        if self._describer is None:
            return
        with Sandbox(self._pages.limits) as sandbox:
            for document in documents:
                for file in document.files:
                    if not self._is_due(document, file):
                        continue
                    failure_id = f"{document.id}#{file.key}"
                    if failed_in_row < _GIVE_UP_AFTER:
                        message, is_model = self._describe_file(file, sandbox)
                        failed_in_row = failed_in_row + 1 if is_model else 0
                        reason = message if is_model else reason
                    else:
                        message = f"Not tried, as others failed: {reason}"
                    if message:
                        yield Failure(failure_id, STAGE, ModelError.__name__, message)

    def _is_due(self, document: Document, file: FileRef) -> bool:
        if not file.sha256 or file.sha256 not in self._blobs or not self._describer:
            return False
        digest = self._pages.get_digest(file)
        if not digest or self._read(file).pages == digest:
            return False
        return self._describer.may_describe(document, file.key)

    def _describe_file(self, file: FileRef, sandbox: Sandbox) -> tuple[str, bool]:
        """Describe the figures of a file.

        Returns: What failed, or an empty string; and whether the model did.
        """
        assert self._describer is not None
        result = self._pages.get(file)
        if result is None:
            return "", False
        old = self._read(file)
        new = _Record(self._describer.id, texts=old.texts)
        reasons, is_model = list[str](), False
        for page, figure in _iter_placed(result.pages):
            try:
                picture = self._read_picture(file, figure, sandbox)
                name = hashlib.sha256(picture).hexdigest()
                if name not in new.texts:
                    text = page.text[figure.start : figure.end]
                    said = self._describer.describe(picture, text) if picture else ""
                    new.texts[name] = to_one_line(said)[:_MAX_CHARACTERS]
                new.places.append((page.number, figure.start, name))
            except (ModelError, ExtractError) as error:
                reasons.append(f"{figure.label} on page {page.number}: {error}")
                is_model = isinstance(error, ModelError)
                if is_model:
                    break
        new.pages = "" if reasons else self._pages.get_digest(file)
        self._write(file, new)
        return " ".join(reasons), is_model

    def _read_picture(self, file: FileRef, figure: Figure, sandbox: Sandbox) -> bytes:
        assert figure.box is not None
        path = self._blobs.path(file.sha256)
        return sandbox.render_picture(path, file.name, file.media_type, figure.box)

    def _read(self, file: FileRef) -> _Record:
        """Return what is kept of a file, by the describer of this run."""
        if self._describer is None or not file.sha256:
            return _Record()
        path = find_descriptions(self._pages, file)
        try:
            fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            record = _Record(**fields)
        except FileNotFoundError:
            return _Record()
        except (ValueError, TypeError) as error:
            log.warning("%s is damaged and will be made again: %s", path, error)
            return _Record()
        return record if record.describer == self._describer.id else _Record()

    def _write(self, file: FileRef, record: _Record) -> None:
        fields = {name: getattr(record, name) for name in _Record.__dataclass_fields__}
        content = json.dumps(fields, ensure_ascii=False).encode()
        write_atomically(find_descriptions(self._pages, file), content)


def _iter_placed(pages: Iterable[Page]) -> Iterator[tuple[Page, Figure]]:
    """Yield the figures that have a place."""
    for page in pages:
        for figure in page.figures:
            if figure.box is not None:
                yield page, figure
