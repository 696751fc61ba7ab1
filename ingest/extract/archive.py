"""Archives (zip, tar, compressed tar) to the pages of the files in them.

Pages are counted through; each is labelled with its file. A file in an archive that
cannot be read costs a remark. Bombs run into the limits on number, size and depth.
"""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract.kinds import UNKNOWN, is_tar
from dunegpt.ingest.extract.scratch import scratch
from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

_MAX_MEMBERS = 500
_MAX_DEPTH = 2
_CHUNK = 1 << 20
_NOISE = ("__MACOSX/", ".git/", ".svn/")

Member = tuple[str, IO[bytes]]


def pages(task: Task) -> Iterator[Page]:
    """Yield the pages of all files in an archive that can be read.

    Raises:
        ExtractError: Damaged, encrypted, or nested too deeply.
    """
    if task.depth > _MAX_DEPTH:
        raise ExtractError("Archives are nested too deeply.")
    number = 0
    room = task.limits.max_file_mb << 20
    with scratch(task.limits.max_file_mb) as folder:
        for name, stream in _members(task):
            try:
                room -= _copy(stream, folder / "member", room)
                for page in _member_pages(task, folder / "member", name):
                    number += 1
                    yield _within(page, name, number)
            except _RoomError:
                task.limited(
                    f"The archive is cut off at {name}: over"
                    f" {task.limits.max_file_mb} MB unpacked."
                )
                return
            except (ExtractError, RuntimeError, zlib.error, EOFError) as error:
                task.remark(f"{name}: {error}")
            except (zipfile.BadZipFile, NotImplementedError, tarfile.TarError) as error:
                task.remark(f"{name} is damaged: {error}.")


class _RoomError(Exception):
    """The archive unpacks to more than it may."""


def _member_pages(task: Task, path: Path, name: str) -> Iterator[Page]:
    from dunegpt.ingest.extract import extract  # noqa: PLC0415 - it imports this module

    part = task.part(path, name, "")
    part.images_read = task.images_read
    try:
        yield from (p for p in extract(part, UNKNOWN) if p.text.strip())
    finally:
        task.join(part)
        for remark in part.remarks:
            task.remark(f"{name}: {remark}")


def _within(page: Page, name: str, number: int) -> Page:
    """Return a page of a file as a page of the archive."""
    place = page.label or f"page {page.number}"
    heading = f"{name} > {page.heading}" if page.heading else name
    return Page(number, heading, page.text, f"{name}, {place}", page.line)


def _members(task: Task) -> Iterator[Member]:
    if task.kind == "application/zip":
        members = _zip_members(task.path)
    elif is_tar(task.path):
        members = _tar_members(task.path)
    else:
        raise ExtractError("The file is compressed, but is no tar archive.")
    for count, member in enumerate(members):
        if count >= _MAX_MEMBERS:
            task.remark(f"The archive is cut off after {_MAX_MEMBERS} files.")
            return
        yield member


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda each: each.filename):
            if info.is_dir() or info.filename.startswith(_NOISE):
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                continue
            if info.flag_bits & 1:
                raise ExtractError("The archive is encrypted with a password.")
            with archive.open(info) as stream:
                yield info.filename, stream


def _tar_members(path: Path) -> Iterator[Member]:
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                stream = archive.extractfile(info) if info.isreg() else None
                if stream is not None and not info.name.startswith(_NOISE):
                    yield info.name, stream
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ExtractError(f"The archive is damaged: {error}.") from error


def _copy(stream: IO[bytes], path: Path, room: int) -> int:
    """Write a member to a file; return its size.

    Raises:
        _RoomError: It is larger than there is room for.
    """
    size = 0
    with path.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > room:
                raise _RoomError
            file.write(chunk)
    return size
