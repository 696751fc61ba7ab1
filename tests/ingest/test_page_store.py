"""Blobs and pages: written once, whole or not at all."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import ExtractSettings
from dunegpt.errors import FetchError, StorageError
from dunegpt.files import storage_errors, write_atomically
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.extract import ExtractResult, registry
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.page_store import PageStore
from dunegpt.types import FileRef, Page

CONTENT = b"one two three"
SHA = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("chunks", [[CONTENT], [b"one ", b"", b"two three"]])
@pytest.mark.parametrize("checksum", ["", f"md5:{MD5}", "stat:13:99", "sha1:whatever"])
def test_put(blobs: BlobStore, chunks: list[bytes], checksum: str) -> None:
    assert SHA not in blobs
    assert blobs.put(chunks, checksum=checksum, size_bytes=13) == (SHA, 13)
    assert blobs.put(chunks) == (SHA, 13)
    assert SHA in blobs
    assert "" not in blobs
    assert blobs.path(SHA).read_bytes() == CONTENT
    assert files_in(blobs.folder) == [blobs.path(SHA)]


@pytest.mark.parametrize(
    ("checksum", "size", "reason"),
    [
        ("md5:" + "0" * 32, None, f"md5 {MD5} where 0000"),
        (f"md5:{MD5}", 12, "13 bytes came where 12"),
        ("", 0, "13 bytes came where 0"),
    ],
)
def test_not_what_was_promised(
    blobs: BlobStore, checksum: str, size: int | None, reason: str
) -> None:
    with pytest.raises(FetchError, match=reason):
        blobs.put([CONTENT], checksum=checksum, size_bytes=size)
    assert files_in(blobs.folder) == []


def test_a_fetch_that_breaks_leaves_nothing(blobs: BlobStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield CONTENT
        raise FetchError("cut short")

    with pytest.raises(FetchError, match="cut short"):
        blobs.put(chunks())
    assert files_in(blobs.folder) == []


FULL = [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES]


@pytest.mark.parametrize("number", FULL)
@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_full_disk(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fail(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StorageError, match=os.strerror(number)) as caught:
        blobs.put([CONTENT])
    assert ("Free disk space" in caught.value.hint) == (number in FULL[:2])
    assert "run the same command again" in caught.value.hint
    assert files_in(blobs.folder) == []
    assert SHA not in blobs


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    """The kernel's own ENOSPC, at the flush where it shows in practice."""
    with pytest.raises(StorageError, match="No space left"):
        with storage_errors(tmp_path), Path("/dev/full").open("wb") as file:
            file.write(CONTENT)


def test_other_errors_are_not_called_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), storage_errors(tmp_path):
        tmp_path.open("wb")


def test_write_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "er" / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"

    def fail(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        write_atomically(path, b"newer")
    assert path.read_bytes() == b"new"
    assert files_in(tmp_path / "deep") == [path]


# ── pages ─────────────────────────────────────────────────────────────────────────


class CountingSandbox(Sandbox):
    """Returns fixed pages and counts how often it was asked."""

    def __init__(self, pages: list[Page]) -> None:
        self.asked: list[str] = []
        self.pages = pages

    def extract(self, path: Path, name: str, media_type: str) -> ExtractResult:
        self.asked.append(name)
        if not self.pages:
            return ExtractResult((), (), MADE_WITH, "No page has any text.")
        return ExtractResult(tuple(self.pages), (), MADE_WITH)


PAGES = [Page(1, "", "first \u2028 ünï"), Page(3, "Head", 'a "quote"\n\ttab')]


MADE_WITH = {"pdf": registry.PDF.version}
WHOLE = ExtractResult(tuple(PAGES), (), MADE_WITH)


def file(sha: str, name: str = "a.pdf", kind: str = "application/pdf") -> FileRef:
    return FileRef("a", name, kind, "", frozenset(), sha256=sha)


def test_extracted_once(tmp_path: Path, blobs: BlobStore) -> None:
    store, sandbox = PageStore(tmp_path / "pages", blobs), CountingSandbox(PAGES)
    sha, _ = blobs.put([CONTENT])
    assert store.get(file(sha)) is None
    assert store.extract(file(sha), sandbox) == WHOLE
    assert store.extract(file(sha), sandbox) == WHOLE
    assert store.extract(file(sha, name="renamed.pdf"), sandbox) == WHOLE
    assert PageStore(tmp_path / "pages", blobs).get(file(sha)) == WHOLE
    assert sandbox.asked == ["a.pdf"]


def test_extracted_again_if_what_decides_it_differs(
    tmp_path: Path, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, sandbox = PageStore(tmp_path / "pages", blobs), CountingSandbox(PAGES)
    for other in (file(SHA), file(SHA, "a.md"), file(SHA, kind="x/y"), file("00" * 32)):
        store.extract(other, sandbox)
    monkeypatch.setitem(
        registry.FORMATS, "application/pdf", registry.Format("pdf", "next")
    )
    store.extract(file(SHA), sandbox)
    assert len(sandbox.asked) == 5


def test_a_failed_extraction_is_kept_too(tmp_path: Path, blobs: BlobStore) -> None:
    store, sandbox = PageStore(tmp_path / "pages", blobs), CountingSandbox([])
    for _ in range(2):
        assert store.extract(file(SHA), sandbox).error == "No page has any text."
    assert len(sandbox.asked) == 1


def test_the_real_sandbox(tmp_path: Path, blobs: BlobStore) -> None:
    sha, _ = blobs.put(["# Über\n\nText.".encode()])
    note = file(sha, "n.md", "text/markdown")
    store = PageStore(tmp_path / "pages", blobs)
    with Sandbox(ExtractSettings()) as sandbox:
        made = store.extract(note, sandbox)
    assert made == store.get(note)
    assert made.pages == (Page(1, "Über", "Über\n\nText.", "line 1", 1),)


def test_a_damaged_page_file_is_made_again(tmp_path: Path, blobs: BlobStore) -> None:
    """It can be made again at any time: no reason to stop."""
    store, sandbox = PageStore(tmp_path / "pages", blobs), CountingSandbox(PAGES)
    store.extract(file(SHA), sandbox)
    [kept] = files_in(tmp_path / "pages")
    kept.write_bytes(kept.read_bytes()[:-5])
    assert store.extract(file(SHA), sandbox) == WHOLE
    assert store.get(file(SHA)) == WHOLE
