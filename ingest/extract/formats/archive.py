"""Archives (zip, tar, compressed tar): the pages of all files in them.

Pages are numbered across the archive and labelled with their file. A member that cannot
be read gives a remark. Limits on number, size and depth stop decompression bombs.
"""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from dunegpt.errors import ExtractError
from dunegpt.files import host_error
from dunegpt.ingest.extract.media_type import is_tar
from dunegpt.ingest.extract.members import prefix_page, read_member
from dunegpt.ingest.extract.scratch import scratch_folder
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_MAX_MEMBERS = 500
_MAX_DEPTH = 2
_CHUNK = 1 << 20
_IGNORED_FOLDERS = ("__MACOSX/", ".git/", ".svn/")

Member = tuple[str, IO[bytes]]


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the pages of all readable files in an archive.

    Raises:
        ExtractError: The archive is damaged, encrypted, or nested too deeply.
    """
    if task.depth > _MAX_DEPTH:
        raise ExtractError("Archives are nested too deeply.")
    number = 0
    room = task.limits.max_file_mb << 20
    with scratch_folder(task.limits.max_file_mb) as folder:
        for name, stream in _iter_members(task):
            try:
                room -= _copy(stream, folder / "member", room)
                for page in read_member(task, folder / "member", name):
                    number += 1
                    yield prefix_page(page, name, number)
            except _SpaceError:
                task.remark_limit(
                    f"The archive is cut off at {name}: over"
                    f" {task.limits.max_file_mb} MB unpacked."
                )
                return
            except (ExtractError, RuntimeError, zlib.error, EOFError) as error:
                if host_error(error):
                    raise
                task.remark(f"{name}: {error}")
            except (zipfile.BadZipFile, NotImplementedError, tarfile.TarError) as error:
                task.remark(f"{name} is damaged: {error}.")


class _SpaceError(Exception):
    """The archive unpacks to more than the size limit."""


def _iter_members(task: ExtractTask) -> Iterator[Member]:
    if task.media_type == "application/zip":
        members = _iter_zip(task.path)
    elif is_tar(task.path):
        members = _iter_tar(task.path)
    else:
        raise ExtractError("The file is compressed, but is no tar archive.")
    for count, member in enumerate(members):
        if count >= _MAX_MEMBERS:
            task.remark(f"The archive is cut off after {_MAX_MEMBERS} files.")
            return
        yield member


def _iter_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda member: member.filename):
            if info.is_dir() or info.filename.startswith(_IGNORED_FOLDERS):
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                continue
            if info.flag_bits & 1:
                raise ExtractError("The archive is encrypted with a password.")
            with archive.open(info) as stream:
                yield info.filename, stream


def _iter_tar(path: Path) -> Iterator[Member]:
    try:
        with tarfile.open(path) as archive:
            for info in archive:
                stream = archive.extractfile(info) if info.isreg() else None
                if stream is not None and not info.name.startswith(_IGNORED_FOLDERS):
                    yield info.name, stream
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ExtractError(f"The archive is damaged: {error}.") from error


def _copy(stream: IO[bytes], path: Path, room: int) -> int:
    """Write a member to a file; return its size in bytes.

    Raises:
        _SpaceError: The member has more than `room` bytes.
    """
    size = 0
    with path.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > room:
                raise _SpaceError
            file.write(chunk)
    return size
