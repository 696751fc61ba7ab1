"""Keeps what each file became by what it was made from, so none is read twice.

A result is found by the sha256 of the bytes and the file's ending and claimed type. It
counts as long as the extractor of its format, and the programs and limits that it
depends on, are what they were: so a new version of one redoes only what it touches. A
file is written whole or not at all, what could not be read too.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import zstandard

from dunegpt.config import ExtractTable
from dunegpt.ingest.blobs import Blobs, write_whole
from dunegpt.ingest.extract import Extracted, is_current, limits_id
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import FileRef, Page

log = logging.getLogger(__name__)

_AT_ONCE = 64


class PageStore:
    """A folder of extracted pages beside the blobs that they come from."""

    def __init__(
        self, folder: Path, blobs: Blobs, limits: ExtractTable | None = None
    ) -> None:
        self._folder = folder
        self._blobs = blobs
        self._limits = limits or ExtractTable()
        self._limits_id = limits_id(self._limits)

    def digest(self, file: FileRef) -> str:
        """Return a hash of what a file became; empty if it must be (re)made."""
        head = self._head(file)
        return str(head["digest"]) if head else ""

    def get(self, file: FileRef) -> Extracted | None:
        """Return what a file became, if that is known, whole and still counts."""
        if not (head := self._head(file)):
            return None
        path = self.path(file)
        try:
            packed = path.read_bytes().partition(b"\n")[2]
            content = zstandard.ZstdDecompressor().decompress(packed)
            pages = tuple(Page(*fields) for fields in json.loads(content))
            if head["digest"] != _digest(content, head):
                raise ValueError("its hash differs")
        except (zstandard.ZstdError, ValueError, TypeError) as error:
            log.warning("%s is damaged and will be made again: %s", path, error)
            path.unlink(missing_ok=True)
            return None
        remarks = tuple(head["remarks"])
        return Extracted(pages, remarks, head["made_with"], head["error"])

    def make(self, file: FileRef, sandbox: Sandbox) -> Extracted:
        """Return what a file becomes, extracting and keeping it if need be."""
        found = self.get(file)
        if found is None:
            blob = self._blobs.path(file.sha256)
            found = sandbox.extract(blob, file.name, file.media_type)
            write_whole(self.path(file), _packed(found))
        return found

    def fill(
        self,
        files: Iterable[FileRef],
        progress: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Make what is missing, in several children at once; return how many.

        Args:
            files: That have their bytes here.
            progress: Told how many are made.
        """
        missing = (file for file in files if not self.digest(file))
        idle: SimpleQueue[Sandbox] = SimpleQueue()
        sandboxes = [Sandbox(self._limits) for _ in range(self._limits.children)]
        for sandbox in sandboxes:
            idle.put(sandbox)

        def make(file: FileRef) -> None:
            sandbox = idle.get()
            try:
                self.make(file, sandbox)
            finally:
                idle.put(sandbox)

        done = 0
        try:
            with ThreadPoolExecutor(len(sandboxes)) as pool:
                while part := list(islice(missing, _AT_ONCE)):
                    for _ in pool.map(make, part):
                        done += 1
                        progress(done)
        finally:
            for sandbox in sandboxes:
                sandbox.close()
        return done

    def _head(self, file: FileRef) -> dict[str, Any]:
        """Return the first line of a kept result that still counts, else nothing."""
        try:
            with self.path(file).open("rb") as kept:
                head: dict[str, Any] = json.loads(kept.readline())
            current = is_current(head["made_with"], self._limits_id)
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is damaged and will be made again: %s", file.name, error)
            return {}
        return head if current and head.get("digest") else {}

    def path(self, file: FileRef) -> Path:
        """Return where what a file became is or would be."""
        made_from = [file.sha256, Path(file.name).suffix, file.media_type]
        key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
        return self._folder / key[:2] / f"{key}.pages"


def _packed(found: Extracted) -> bytes:
    """Return a line of JSON, then the pages, compressed."""
    content = b"[" + b",".join(_lines(found.pages)) + b"]"
    head = {
        "made_with": found.made_with,
        "remarks": list(found.remarks),
        "error": found.error,
    }
    head["digest"] = _digest(content, head)
    packed = zstandard.ZstdCompressor(level=10).compress(content)
    return json.dumps(head, sort_keys=True).encode() + b"\n" + packed


def _lines(pages: Iterable[Page]) -> Iterator[bytes]:
    for page in pages:
        yield json.dumps(
            astuple(page), ensure_ascii=False, separators=(",", ":")
        ).encode()


def _digest(content: bytes, head: dict[str, Any]) -> str:
    """Return a hash of pages, remarks and error: all that later stages depend on."""
    said = json.dumps([head["remarks"], head["error"]]).encode()
    return hashlib.sha256(said + b"\n" + content).hexdigest()
