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
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dunegpt.access import NOBODY, Access, make_access_set
from dunegpt.config import Settings, SourceSettings, describe_validation_error
from dunegpt.errors import FetchError, SourceFormatError
from dunegpt.ingest.folder.tree import LeftOut, open_file, walk_tree
from dunegpt.ingest.items import (
    Alarm,
    CompleteListing,
    CrawlScope,
    Item,
    SourceState,
)
from dunegpt.ingest.options import SourceOptions, parse_options
from dunegpt.ingest.sync import UnitFailures
from dunegpt.types import Document, Failure, FileRef

log = logging.getLogger(__name__)

LIST_FILE = "documents.toml"
_HELD_BACK_EVIDENCE = (
    f"held back: {LIST_FILE} names files with an access of their own that miss"
)
_CHUNK_BYTES = 1 << 20


class _Options(SourceOptions):
    path: Path
    access: list[str]
    url: str = ""
    require_list: bool = False


class _ListedDocument(BaseModel):
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
    def _check_duplicates(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in files if files.count(name) > 1})
        if twice:
            raise ValueError(f"lists {', '.join(twice)} twice")
        return files


class _DocumentList(BaseModel):
    model_config = ConfigDict(extra="forbid")

    document: list[_ListedDocument] = []


@dataclass(frozen=True, slots=True)
class _Tree:
    """What was found in the folder.

    Attributes:
        files: Names of the regular files.
        left_out: What is not read, and why.
    """

    files: set[str]
    left_out: list[LeftOut]

    def is_unknown(self, name: str) -> bool:
        """Return whether a file may be there, but could not be looked at."""
        return any(
            name == each.name or name.startswith(f"{each.name}/")
            for each in self.left_out
            if each.is_unknown
        )


class FolderSource:
    """The files below one folder; hidden files are left out.

    Only regular files are opened: links, FIFOs, sockets and devices are failures.
    """

    def __init__(self, name: str, table: SourceSettings, settings: Settings) -> None:
        options = parse_options(_Options, name, table)
        self.name = name
        self.root = settings.resolve_path(options.path)
        self.access: Access = make_access_set(options.access)
        self._requires_list = options.require_list
        self._default_evidence = f"access of [sources.{name}]"
        self._prefix = options.id_prefix or name
        self._url = options.url or self.root.as_uri()

    @property
    def requests(self) -> int:
        """None: a folder is read."""
        return 0

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield every document in the folder, whatever the scope: looking is cheap.

        Raises:
            SourceFormatError: There is no such folder, it is empty (a disk that is not
                mounted looks like that), or its list cannot be read.
        """
        ids: set[str] = set()
        tree = self._find_files()
        yield from map(self._describe_left_out, tree.left_out)
        entries = self._read_list()
        for item in self._iter_items(tree, entries):
            if isinstance(item, Document):
                ids.add(item.id)
            yield item
        yield from self._report_unreadable(tree, entries, memory)
        yield CompleteListing("", frozenset(ids))

    def _iter_items(
        self, tree: _Tree, entries: list[_ListedDocument]
    ) -> Iterator[Document | Failure]:
        files = tree.files
        is_open = self._allows_unlisted(entries, tree)
        newest: dict[str, _ListedDocument] = {}
        for entry in sorted(entries, key=lambda e: (e.id, e.version)):
            if any(map(tree.is_unknown, entry.files)):
                message = "One of its files cannot be looked at."
                yield Failure(self._listed_id(entry), "list", "FetchError", message)
                newest[entry.id] = entry
                continue
            present = [name for name in entry.files if name in files]
            for name in sorted(set(entry.files) - set(present)):
                yield Failure(
                    f"{self._listed_id(entry)}#{name}",
                    "fetch",
                    "FetchError",
                    f"{LIST_FILE} names {name}, which is not in the folder.",
                )
            yield from self._catch_vanished(
                lambda e=entry, p=present: self._build_listed(e, p, newest.get(e.id)),  # type: ignore[misc]
                self._listed_id(entry),
            )
            newest[entry.id] = entry
        listed = {name for entry in entries for name in entry.files}
        for name in sorted(files - listed):
            yield from self._catch_vanished(
                lambda n=name: self._build_unlisted(n, is_open=is_open),  # type: ignore[misc]
                self._unlisted_id(name),
            )

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file of the folder."""
        try:
            with open_file(self.root, file.key) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    yield chunk
        except OSError as error:
            path = self.root / file.key
            raise FetchError(f"Cannot read {path}: {error.strerror}.") from error

    def close(self) -> None:
        """Release nothing: a folder holds nothing open."""

    def _find_files(self) -> _Tree:
        """Return the files, and what is left out.

        Raises:
            SourceFormatError: There is no such folder, or nothing in it.
        """
        tree = _Tree(set(), [])
        for found in self._walk():
            if isinstance(found, LeftOut):
                tree.left_out.append(found)
                continue
            try:
                found.encode()
            except UnicodeEncodeError as error:
                reason = f"The file's name is not UTF-8: {error.reason}."
                tree.left_out.append(LeftOut(found, "FetchError", reason))
                continue
            self._check_list_name(found)
            tree.files.add(found)
        if not (
            tree.files or any(each.error == "FetchError" for each in tree.left_out)
        ):
            raise SourceFormatError(
                f"The folder {self.root} contains no files.",
                hint="Put documents into it, or check that its disk is mounted;"
                " nothing was removed.",
            )
        tree.files.discard(LIST_FILE)
        return tree

    def _walk(self) -> Iterator[str | LeftOut]:
        if not self.root.is_dir():
            raise SourceFormatError(
                f"There is no folder {self.root}.",
                hint=f"Check path in [sources.{self.name}]; nothing was removed.",
            )
        try:
            yield from walk_tree(self.root)
        except OSError as error:
            raise SourceFormatError(
                f"The folder {self.root} cannot be listed: {error.strerror}.",
                hint="Let this account read it; nothing was removed.",
            ) from error

    def _check_list_name(self, name: str) -> None:
        if name.endswith(f"/{LIST_FILE}"):
            raise SourceFormatError(
                f"{self.root / name} is ignored: the list belongs in {self.root}"
                " itself.",
                hint="Move its entries up; nothing was removed.",
            )

    def _describe_left_out(self, left_out: LeftOut) -> Failure:
        """Return the failure of a path; what could not be looked at is not gone."""
        stage = "list" if left_out.is_unknown else "fetch"
        shown = os.fsencode(left_out.name).decode(errors="backslashreplace")
        failed_id = self._unlisted_id(shown)
        return Failure(failed_id, stage, left_out.error, left_out.reason)

    def _report_unreadable(
        self, tree: _Tree, entries: list[_ListedDocument], memory: SourceState
    ) -> Iterator[Alarm]:
        """Warn of each folder that cannot be listed; its documents stay as they are."""
        units = UnitFailures(memory)
        unreadable = [each for each in tree.left_out if each.is_folder]
        for each in unreadable:
            failure = self._describe_left_out(each)
            single = _Tree(set(), [each])
            listed = [e for e in entries if any(map(single.is_unknown, e.files))]
            ids = [failure.id, *map(self._listed_id, listed)]
            since = units.fail(failure.id, ids)
            yield Alarm(
                f"{failure.id}: {each.reason} Its documents were not looked at since"
                f" {since}.",
                hint="Let this account read it; nothing was removed.",
                is_critical=False,
            )
        units.keep_only(self._describe_left_out(each).id for each in unreadable)

    @staticmethod
    def _catch_vanished(
        make: Callable[[], Document], document_id: str
    ) -> Iterator[Document | Failure]:
        """Yield a document, or a failure if a file of it went while we looked."""
        try:
            yield make()
        except OSError as error:
            message = f"A file could not be looked at: {error.strerror}."
            yield Failure(document_id, "list", "FetchError", message)

    def _read_list(self) -> list[_ListedDocument]:
        path = self.root / LIST_FILE
        try:
            with open_file(self.root, LIST_FILE) as stream:
                text = stream.read().decode()
            entries = _DocumentList.model_validate(tomllib.loads(text)).document
        except FileNotFoundError:
            if self._requires_list:
                raise SourceFormatError(
                    f"There is no {path}, and require_list is set.",
                    hint="Put it back; nothing was removed.",
                ) from None
            return []
        except OSError as error:
            # Without the list, restricted documents would have the folder's access.
            raise SourceFormatError(
                f"{path} cannot be read: {error.strerror}.",
                hint="It must be a regular file that this account may read, no link;"
                " nothing was removed.",
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SourceFormatError(f"{path} is not TOML: {error}") from error
        except ValidationError as error:
            raise SourceFormatError(
                f"{path}: {describe_validation_error(error)}"
            ) from error
        ids = [self._listed_id(entry) for entry in entries]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise SourceFormatError(f"{path} lists {', '.join(twice)} twice.")
        return entries

    def _listed_id(self, entry: _ListedDocument) -> str:
        return f"{self._prefix}:{entry.id}:{entry.version}"

    def _build_listed(
        self, entry: _ListedDocument, names: list[str], previous: _ListedDocument | None
    ) -> Document:
        own, evidence = self.access, self._default_evidence
        if entry.access is not None:
            own, evidence = make_access_set(entry.access), f"access in {LIST_FILE}"
        files = tuple(self._build_file(name, own, evidence) for name in names)
        return Document(
            id=self._listed_id(entry),
            source=self.name,
            kind="document",
            url=files[0].url if files else self._url,
            title=entry.title,
            access=own,
            authors=entry.authors,
            date=entry.date,
            status=entry.status,
            files=files,
            supersedes=self._listed_id(previous) if previous else "",
            evidence=evidence,
        )

    @staticmethod
    def _allows_unlisted(entries: list[_ListedDocument], tree: _Tree) -> bool:
        """Return whether files that no entry names may have the folder's own access.

        Not while an entry with an access of its own names a file that is missing: one
        of the others may be that file, renamed or misspelt in the list.
        """
        return all(
            name in tree.files or tree.is_unknown(name)
            for entry in entries
            if entry.access is not None
            for name in entry.files
        )

    def _unlisted_id(self, name: str) -> str:
        """Return the id of a file; a colon in its name cannot look like a version."""
        return f"{self._prefix}:{name.replace('%', '%25').replace(':', '%3A')}"

    def _build_unlisted(self, name: str, *, is_open: bool) -> Document:
        access = self.access if is_open else NOBODY
        evidence = self._default_evidence if is_open else _HELD_BACK_EVIDENCE
        file = self._build_file(name, access, evidence)
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

    def _build_file(self, name: str, access: Access, evidence: str) -> FileRef:
        stat = (self.root / name).lstat()
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
