"""A folder of files as a source, with an optional ``documents.toml`` in it.

``documents.toml`` groups files into documents and gives them number, version, title,
authors, date, status and access; every other file is a document of its own, named by
its path. Does not read into the files.
"""

import datetime as dt
import logging
import mimetypes
import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dunegpt.config import Settings, SourceTable, explain
from dunegpt.errors import ConfigError, FetchError, SourceFormatError
from dunegpt.ingest.items import Item, Memory, Scope, Whole
from dunegpt.types import NOBODY, Access, Document, Failure, FileRef, access_set

log = logging.getLogger(__name__)

LIST_FILE = "documents.toml"
_HELD_BACK = f"held back: {LIST_FILE} names files with an access of their own that miss"
_CHUNK_BYTES = 1 << 20


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    id_prefix: str = ""
    path: Path
    access: list[str]
    url: str = ""
    require_list: bool = False


class _Entry(BaseModel):
    """One ``[[document]]``; an unknown key is an error: it may be a misspelt access."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[^\s#:]+$")]
    version: int = Field(1, ge=0)
    title: str
    authors: tuple[str, ...] = ()
    date: dt.date | None = None
    status: str = ""
    access: tuple[str, ...] | None = None
    files: tuple[str, ...] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _differ(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in files if files.count(name) > 1})
        if twice:
            raise ValueError(f"lists {', '.join(twice)} twice")
        return files


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid")

    document: list[_Entry] = []


def _unreadable(error: OSError) -> None:
    """Stop at a folder that cannot be listed: its files are not gone.

    Raises:
        SourceFormatError: Always.
    """
    raise SourceFormatError(
        f"The folder {error.filename} cannot be listed: {error.strerror}.",
        hint="Let this account read it; nothing was removed.",
    ) from error


class FolderSource:
    """The files below one folder, hidden ones and links left out."""

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        try:
            options = _Options.model_validate(table.model_dump())
        except ValidationError as error:
            raise ConfigError(f"[sources.{name}] {explain(error)}") from error
        self.name = name
        self.root = settings.path(options.path)
        self.access: Access = access_set(options.access)
        self._requires_list = options.require_list
        self._default = f"access of [sources.{name}]"
        self._prefix = options.id_prefix or name
        self._url = options.url or self.root.as_uri()

    @property
    def requests(self) -> int:
        """None: a folder is read."""
        return 0

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield every document in the folder, whatever the scope: looking is cheap.

        Raises:
            SourceFormatError: There is no such folder, it is empty (a disk that is not
                mounted looks like that), or its list cannot be read.
        """
        ids: set[str] = set()
        for item in self._items():
            if isinstance(item, Document):
                ids.add(item.id)
            yield item
        yield Whole("", frozenset(ids))

    def _items(self) -> Iterator[Document | Failure]:
        files, odd = self._named_in_utf8()
        yield from odd
        entries = self._entries()
        is_open = self._may_take_unlisted(entries, files)
        newest: dict[str, _Entry] = {}
        for entry in sorted(entries, key=lambda e: (e.id, e.version)):
            present = [name for name in entry.files if name in files]
            for name in sorted(set(entry.files) - set(present)):
                yield Failure(
                    f"{self._id(entry)}#{name}",
                    "fetch",
                    "FetchError",
                    f"{LIST_FILE} names {name}, which is not in the folder.",
                )
            yield from self._whole(
                lambda e=entry, p=present: self._listed(e, p, newest.get(e.id)),  # type: ignore[misc]
                self._id(entry),
            )
            newest[entry.id] = entry
        listed = {name for entry in entries for name in entry.files}
        for name in sorted(files - listed):
            yield from self._whole(
                lambda n=name: self._unlisted(n, is_open=is_open),  # type: ignore[misc]
                self._unlisted_id(name),
            )

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file of the folder."""
        path = self.root / file.key
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            raise FetchError(f"Cannot read {path}: {error.strerror}.") from error

    def close(self) -> None:
        """Release nothing: a folder holds nothing open."""

    def _named_in_utf8(self) -> tuple[set[str], list[Failure]]:
        """Return the files, and a failure for each whose name is no text."""
        names, odd = set(), []
        for name in self._files():
            try:
                name.encode()
                names.add(name)
            except UnicodeEncodeError as error:
                shown = os.fsencode(name).decode(errors="backslashreplace")
                message = f"The file's name is not UTF-8: {error.reason}."
                failed = f"{self._prefix}:{shown}"
                odd.append(Failure(failed, "fetch", "FetchError", message))
        return names, odd

    @staticmethod
    def _whole(
        make: Callable[[], Document], document_id: str
    ) -> Iterator[Document | Failure]:
        """Yield a document, or a failure if a file of it went while we looked."""
        try:
            yield make()
        except OSError as error:
            message = f"A file went away during the listing: {error.strerror}."
            yield Failure(document_id, "list", "FetchError", message)

    def _files(self) -> Iterator[str]:
        """Yield the paths of the files, relative to the folder."""
        if not self.root.is_dir():
            raise SourceFormatError(
                f"There is no folder {self.root}.",
                hint=f"Check path in [sources.{self.name}]; nothing was removed.",
            )
        found = False
        for folder, folders, names in os.walk(self.root, onerror=_unreadable):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for path in (Path(folder, name) for name in names):
                if path.name.startswith(".") or path.is_symlink():
                    continue
                found = True
                name = path.relative_to(self.root).as_posix()
                if path.name == LIST_FILE and name != LIST_FILE:
                    raise SourceFormatError(
                        f"{path} is not read: a list belongs into {self.root} itself.",
                        hint="Move its entries up; nothing was removed.",
                    )
                if path.is_file() and name != LIST_FILE:
                    yield name
        if not found:
            raise SourceFormatError(
                f"The folder {self.root} holds no files.",
                hint="Put documents into it, or check that its disk is mounted;"
                " nothing was removed.",
            )

    def _entries(self) -> list[_Entry]:
        path = self.root / LIST_FILE
        if not path.is_file():
            if self._requires_list:
                raise SourceFormatError(
                    f"There is no {path}, and require_list is set.",
                    hint="Put it back; nothing was removed.",
                )
            return []
        try:
            entries = _List.model_validate(
                tomllib.loads(path.read_text(encoding="utf-8"))
            ).document
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SourceFormatError(f"{path} is not TOML: {error}") from error
        except ValidationError as error:
            raise SourceFormatError(f"{path}: {explain(error)}") from error
        ids = [self._id(entry) for entry in entries]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise SourceFormatError(f"{path} lists {', '.join(twice)} twice.")
        return entries

    def _id(self, entry: _Entry) -> str:
        return f"{self._prefix}:{entry.id}:{entry.version}"

    def _listed(
        self, entry: _Entry, names: list[str], previous: _Entry | None
    ) -> Document:
        own, evidence = self.access, self._default
        if entry.access is not None:
            own, evidence = access_set(entry.access), f"access in {LIST_FILE}"
        files = tuple(self._file(name, own, evidence) for name in names)
        return Document(
            id=self._id(entry),
            source=self.name,
            kind="document",
            url=files[0].url if files else self._url,
            title=entry.title,
            access=own,
            authors=entry.authors,
            date=entry.date,
            status=entry.status,
            files=files,
            supersedes=self._id(previous) if previous else "",
            evidence=evidence,
        )

    @staticmethod
    def _may_take_unlisted(entries: list[_Entry], files: set[str]) -> bool:
        """Return whether files that no entry names may have the folder's own access.

        Not while an entry with an access of its own names a file that is missing: one
        of the others may be that file, renamed or misspelt in the list.
        """
        return not any(
            entry.access is not None and not files.issuperset(entry.files)
            for entry in entries
        )

    def _unlisted_id(self, name: str) -> str:
        """Return the id of a file; a colon in its name cannot look like a version."""
        return f"{self._prefix}:{name.replace('%', '%25').replace(':', '%3A')}"

    def _unlisted(self, name: str, *, is_open: bool) -> Document:
        access = self.access if is_open else NOBODY
        evidence = self._default if is_open else _HELD_BACK
        file = self._file(name, access, evidence)
        return Document(
            id=self._unlisted_id(name),
            source=self.name,
            kind="file",
            url=file.url,
            title=Path(name).name,
            access=access,
            files=(file,),
            evidence=evidence,
        )

    def _file(self, name: str, access: Access, evidence: str) -> FileRef:
        stat = (self.root / name).stat()
        return FileRef(
            key=name,
            name=Path(name).name,
            media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            url=f"{self._url}/{quote(name)}",
            access=access,
            size_bytes=stat.st_size,
            checksum=f"stat:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}",
            evidence=evidence,
        )
