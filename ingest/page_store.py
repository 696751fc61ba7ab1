"""Stores extracted pages by their input, so that no file is extracted twice.

A result is found by the sha256 of the bytes and the file's ending and claimed type. It
counts as long as the extractor of its format, and the programs and limits that it
depends on, are what they were: so a new version of one redoes only what it touches. A
file is written whole or not at all, what could not be read too.

What the content of a file decides is kept: damaged, encrypted, of an unknown type. What
the host decides is not: a crash, a timeout or lack of memory counts until its next
attempt is due, and never replaces pages that were read before.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import zstandard

from dunegpt.config import ExtractSettings
from dunegpt.files import limit_children, write_atomically
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.extract import ExtractResult, format_limits, is_current
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.types import FileRef, Page

log = logging.getLogger(__name__)

_BATCH_SIZE = 64
_WAITS = (
    timedelta(0),
    timedelta(hours=1),
    timedelta(hours=4),
    timedelta(days=1),
    timedelta(weeks=1),
)
"""How long a run waits after the first, second, ... failed attempt; then the last."""
_LAST_ATTEMPT = "The last attempt failed:"
_OLD_TRANSIENT = (
    "The reader crashed with exit code",
    "Reading took over ",
    "Reading used over ",
    "Reading the file needs more memory",
    "The file could not be read on this host",
)
"""How results of program versions that kept a crash for good begin."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The failed attempts to read a file whose content is not to blame.

    Attributes:
        attempts: Number of failed attempts.
        due: When the next run may try again, UTC.
        limits: The limits on extraction; others make the next attempt due at once.
    """

    attempts: int
    due: datetime
    limits: str

    def is_due(self, moment: datetime, limits: str) -> bool:
        """Return whether a run that starts at a moment tries again.

        A date further ahead than any wait was written with a wrong clock.
        """
        return (
            self.due <= moment
            or self.due > moment + 2 * _WAITS[-1]
            or self.limits != limits
        )


class PageStore:
    """A folder of extracted pages beside the blobs that they come from."""

    def __init__(
        self, folder: Path, blobs: BlobStore, limits: ExtractSettings | None = None
    ) -> None:
        self._folder = folder
        self._blobs = blobs
        self._limits = limits or ExtractSettings()
        self._limits_id = format_limits(self._limits)
        self._opened_at = datetime.now(UTC)
        self._attempts: dict[Path, Retry] = {}

    @property
    def limits(self) -> ExtractSettings:
        """The limits on extraction."""
        return self._limits

    def get_digest(self, file: FileRef) -> str:
        """Return a hash of what a file became; empty if it must be (re)made."""
        head = self._read_header(file)
        return str(head["digest"]) if head else ""

    def get(self, file: FileRef) -> ExtractResult | None:
        """Return what a file became, if that is known, whole and still counts."""
        if not (head := self._read_header(file)):
            return None
        path = self.path(file)
        try:
            packed = path.read_bytes().partition(b"\n")[2]
            content = zstandard.ZstdDecompressor().decompress(packed)
            pages = tuple(map(Page.from_fields, json.loads(content)))
            if head["digest"] != _hash_pages(content, head):
                raise ValueError("its hash differs")
        except (zstandard.ZstdError, ValueError, TypeError) as error:
            log.warning("%s is damaged and will be made again: %s", path, error)
            path.unlink(missing_ok=True)
            return None
        remarks = tuple(head["remarks"])
        is_transient = "retry" in head
        return ExtractResult(
            pages, remarks, head["made_with"], head["error"], is_transient
        )

    def extract(self, file: FileRef, sandbox: Sandbox) -> ExtractResult:
        """Return what a file becomes, extracting and keeping it if need be."""
        found = self.get(file)
        if found is None:
            blob = self._blobs.path(file.sha256)
            found = sandbox.extract(blob, file.name, file.media_type)
            retry = None
            self._attempts.pop(self.path(file), None)
            if found.is_transient:
                found, retry = self._plan_retry(file, found)
            write_atomically(self.path(file), _pack(found, retry))
        return found

    def get_retry(self, file: FileRef) -> Retry | None:
        """Return the failed attempts on a file; None if its content decided.

        Only for a file that `extract` or `get_digest` has been called for.
        """
        return self._attempts.get(self.path(file))

    @property
    def has_retries(self) -> bool:
        """Whether any of the files looked at so far will be tried again."""
        return bool(self._attempts)

    def _plan_retry(
        self, file: FileRef, found: ExtractResult
    ) -> tuple[ExtractResult, Retry]:
        """Return what to keep of a failed attempt, and when to try again."""
        path = self.path(file)
        attempts, remarks, pages = _load_last_attempt(path)
        attempts += 1
        due = datetime.now(UTC) + _WAITS[min(attempts, len(_WAITS)) - 1]
        retry = self._attempts[path] = Retry(attempts, due, self._limits_id)
        if len(pages) > len(found.pages):
            reason = found.error or " ".join(found.remarks)
            if not any(remark.endswith(reason) for remark in remarks):
                remarks = (*remarks, f"{_LAST_ATTEMPT} {reason}")
            found = replace(found, pages=pages, remarks=remarks, error="")
        return found, retry

    def extract_missing(
        self,
        files: Iterable[FileRef],
        progress: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Make what is missing, in several children at once; return how many.

        Args:
            files: That have their bytes here.
            progress: Told how many are made.
        """
        missing = (file for file in files if not self.get_digest(file))
        idle: SimpleQueue[Sandbox] = SimpleQueue()
        children = limit_children(self._limits.children)
        sandboxes = [Sandbox(self._limits) for _ in range(children)]
        for sandbox in sandboxes:
            idle.put(sandbox)

        def make(file: FileRef) -> None:
            sandbox = idle.get()
            try:
                self.extract(file, sandbox)
            finally:
                idle.put(sandbox)

        done = 0
        try:
            with ThreadPoolExecutor(len(sandboxes)) as pool:
                while part := list(islice(missing, _BATCH_SIZE)):
                    for _ in pool.map(make, part):
                        done += 1
                        progress(done)
        finally:
            for sandbox in sandboxes:
                sandbox.close()
        return done

    def _read_header(self, file: FileRef) -> dict[str, Any]:
        """Return the first line of a kept result that still counts, else nothing."""
        path = self.path(file)
        try:
            head = _read_head(path)
            if not head:
                return {}
            if "retry" in head:
                retry = self._attempts[path] = _parse_retry(head)
                current = not retry.is_due(self._opened_at, self._limits_id)
            else:
                current = is_current(head["made_with"], self._limits_id)
                current = current and not _was_transient(head)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s is damaged and will be made again: %s", file.name, error)
            return {}
        return head if current and head.get("digest") else {}

    def path(self, file: FileRef) -> Path:
        """Return where what a file became is or would be."""
        made_from = [file.sha256, Path(file.name).suffix, file.media_type]
        key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
        return self._folder / key[:2] / f"{key}.pages"


def _read_head(path: Path) -> dict[str, Any]:
    """Return the first line of a kept result; empty if there is none.

    Raises:
        ValueError: It is damaged.
    """
    try:
        with path.open("rb") as kept:
            head: dict[str, Any] = json.loads(kept.readline())
    except FileNotFoundError:
        return {}
    return head


def _parse_retry(head: dict[str, Any]) -> Retry:
    kept = head["retry"]
    due = datetime.fromisoformat(kept["due"])
    return Retry(int(kept["attempts"]), due, str(kept["limits"]))


def _was_transient(head: dict[str, Any]) -> bool:
    """Return whether an earlier program version kept a crash as the file's fault."""
    remarks = [str(remark).partition(": ")[2] for remark in head["remarks"][-1:]]
    return any(str(s).startswith(_OLD_TRANSIENT) for s in (head["error"], *remarks))


def _load_last_attempt(path: Path) -> tuple[int, tuple[str, ...], tuple[Page, ...]]:
    """Return the failed attempts, remarks and pages of a result that is to be replaced.

    None of them if there is no such result, or it is damaged.
    """
    try:
        head = _read_head(path)
        if not head:
            return 0, (), ()
        attempts = _parse_retry(head).attempts if "retry" in head else 0
        remarks = [str(r) for r in head["remarks"] if not r.startswith(_LAST_ATTEMPT)]
        packed = path.read_bytes().partition(b"\n")[2]
        content = zstandard.ZstdDecompressor().decompress(packed)
        pages = tuple(map(Page.from_fields, json.loads(content)))
    except (zstandard.ZstdError, ValueError, KeyError, TypeError, AttributeError):
        return 0, (), ()
    return attempts, tuple(remarks), pages


def _pack(found: ExtractResult, retry: Retry | None = None) -> bytes:
    """Return a line of JSON, then the pages, compressed."""
    content = b"[" + b",".join(_encode_pages(found.pages)) + b"]"
    head: dict[str, Any] = {
        "made_with": found.made_with,
        "remarks": list(found.remarks),
        "error": found.error,
    }
    head["digest"] = _hash_pages(content, head)
    if retry:
        head["retry"] = {
            "attempts": retry.attempts,
            "due": retry.due.isoformat(),
            "limits": retry.limits,
        }
    packed = zstandard.ZstdCompressor(level=10).compress(content)
    return json.dumps(head, sort_keys=True).encode() + b"\n" + packed


def _encode_pages(pages: Iterable[Page]) -> Iterator[bytes]:
    for page in pages:
        yield json.dumps(
            astuple(page), ensure_ascii=False, separators=(",", ":")
        ).encode()


def _hash_pages(content: bytes, head: dict[str, Any]) -> str:
    """Return a hash of pages, remarks and error: all that later stages depend on."""
    said = json.dumps([head["remarks"], head["error"]]).encode()
    return hashlib.sha256(said + b"\n" + content).hexdigest()
