"""Keeps the pages of each file by what they were made from, so none is read twice.

The key is the sha256 of the bytes, the file's ending and claimed type, and the version
of the extractor; a file is written whole or not at all.
"""

import hashlib
import json
import logging
from pathlib import Path

import zstandard

from dunegpt.ingest.blobs import Blobs, write_whole
from dunegpt.ingest.extract import VERSION
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import FileRef, Page

log = logging.getLogger(__name__)


class PageStore:
    """A folder of extracted pages beside the blobs that they come from."""

    def __init__(self, folder: Path, blobs: Blobs) -> None:
        self._folder = folder
        self._blobs = blobs

    def get(self, file: FileRef) -> list[Page] | None:
        """Return the pages of a file if they were extracted before, and are whole."""
        path = self.path(file)
        if not path.is_file():
            return None
        try:
            content = zstandard.ZstdDecompressor().decompress(path.read_bytes())
            return [Page(*fields) for fields in json.loads(content)]
        except (zstandard.ZstdError, ValueError, TypeError) as error:
            log.warning("%s is damaged and will be made again: %s", path, error)
            return None

    def make(self, file: FileRef, sandbox: Sandbox) -> list[Page]:
        """Return the pages of a file, extracting and keeping them if need be.

        Raises:
            ExtractError: The file cannot be read, with the reason.
        """
        pages = self.get(file)
        if pages is None:
            blob = self._blobs.path(file.sha256)
            pages = sandbox.extract(blob, file.name, file.media_type)
            write_whole(self.path(file), _packed(pages))
        return pages

    def path(self, file: FileRef) -> Path:
        """Return where the pages of a file are or would be."""
        made_from = [file.sha256, Path(file.name).suffix, file.media_type, VERSION]
        key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
        return self._folder / key[:2] / f"{key}.json.zst"


def _packed(pages: list[Page]) -> bytes:
    fields = [[page.number, page.heading, page.text] for page in pages]
    content = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return zstandard.ZstdCompressor(level=10).compress(content.encode())
