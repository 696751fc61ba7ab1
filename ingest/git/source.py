"""The git source: the files at a ref, each with the commit that last changed it.

The id of a file contains that commit, so an unchanged file keeps its id, and a link to
the commit shows exactly the text that was read. `git.repository` runs git.
"""

import base64
import datetime as dt
import hashlib
import json
import logging
import mimetypes
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import quote

from pydantic import Field, model_validator

from dunegpt.access import make_access_set
from dunegpt.config import Settings, SourceSettings, read_secret
from dunegpt.errors import FetchError, SourceFormatError
from dunegpt.ingest.git.repository import GitRepository, LastChange, TreeEntry
from dunegpt.ingest.items import (
    Alarm,
    CompleteListing,
    CrawlScope,
    Item,
    SourceState,
    Unchanged,
)
from dunegpt.ingest.options import SourceOptions, parse_options
from dunegpt.permissions import make_folder
from dunegpt.types import Document, Failure, FileRef

log = logging.getLogger(__name__)

_SUFFIXES = (
    ".md .markdown .rst .tex .txt .py .c .cc .cpp .cxx .h .hh .hpp .hxx .icc .cu"
    " .fcl .sh .bash .cmake .yaml .yml .toml .json .ini .cfg"
).split()
_NAMES = frozenset({"CMakeLists.txt", "Makefile", "Dockerfile", "README", "LICENSE"})
_REMOTE_URL = re.compile(r"(?:https|ssh|file)://.+|[\w.-]+@[\w.-]+:[^:].*")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_FILE_MODES, _LINK_MODE, _SUBMODULE_MODE = (
    ("100644", "100755", "100664"),
    "120000",
    "160000",
)
_SHORT_HASH = 12

Glob = Annotated[str, Field(min_length=1)]


class _Options(SourceOptions):
    access: list[str] = Field(min_length=1)
    path: Path | None = None
    url: str = ""
    ref: str = Field("HEAD", pattern=r"^[^-\s:+^~?*\[\\][^\s:^~?*\[\\]*$")
    web: str = ""
    include: list[Glob] = Field([])
    exclude: list[Glob] = Field([])
    max_file_kb: int = Field(1024, ge=1)
    user: str = "x-access-token"
    token_env: str = ""
    token_file: Path | None = None
    timeout_s: float = Field(1800, gt=0)

    @model_validator(mode="after")
    def _check_combinations(self) -> "_Options":
        if bool(self.url) == bool(self.path):
            raise ValueError("give either path or url")
        if self.url and not _REMOTE_URL.fullmatch(self.url):
            raise ValueError("url is for https, ssh or file")
        if re.match(r"https://[^/]*@", self.url):
            raise ValueError("url has a login; name a variable in token_env instead")
        if self.web and "{path}" not in self.web:
            raise ValueError("web has no {path}")
        return self


@dataclass(frozen=True, slots=True)
class _TreeFile:
    """One file that is wanted, with the commit that made it."""

    entry: TreeEntry
    path: str
    change: LastChange


class GitSource:
    """The files of one repository at one ref."""

    UNTRIED = "hosts by https or ssh, and tokens: only repositories on this host"

    def __init__(self, name: str, table: SourceSettings, settings: Settings) -> None:
        options = parse_options(_Options, name, table)
        self.name = name
        self._options = options
        self._prefix = options.id_prefix or name
        self._access = make_access_set(options.access)
        self._evidence = f"access of [sources.{name}]"
        token_file = options.token_file and settings.resolve_path(options.token_file)
        token = read_secret(options.token_env, token_file)
        header = ""
        if token:
            pair = base64.b64encode(f"{options.user}:{token}".encode()).decode()
            header = f"Authorization: Basic {pair}"
        kept = hashlib.sha256(name.encode()).hexdigest()[:16]
        folder = settings.paths.repositories / kept
        if options.path:
            folder = settings.resolve_path(options.path)
        self._root = folder
        self._repository = GitRepository(
            folder, header=header, timeout_s=options.timeout_s
        )

    @property
    def requests(self) -> int:
        """How often another host was asked."""
        return self._repository.remote_requests

    @property
    def processes(self) -> int:
        """How many programs were started."""
        return self._repository.processes

    def close(self) -> None:
        """End the programs."""
        self._repository.close()

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield the files that are new or changed, and that there are no others.

        Raises:
            SourceError: The repository cannot be had, or has no commit at the ref.
            ConfigError: There is no git program.
        """
        head = self._resolve_head()
        before = memory.get("head") or {}
        known = _ids_by_path(memory, self._prefix)
        is_same = before.get("made_with") == self._hash_settings()
        if before.get("commit") and not self._repository.is_ancestor(
            before["commit"], head
        ):
            yield Alarm(
                f"The history of {self._options.ref} was rewritten:"
                f" {before['commit'][:_SHORT_HASH]} is not an ancestor of"
                f" {head[:_SHORT_HASH]}.",
                is_critical=False,
            )
        renamed = self._find_renames(before.get("commit", ""), head)
        retried = set(scope.priority_ids)
        unchanged, ids = set[str](), set[str]()
        left_out = Counter[str]()
        for item in self._iter_files(head, left_out):
            if isinstance(item, Failure):
                yield item
                continue
            own = self._file_id(item)
            ids.add(own)
            has_it = own in known.get(item.path, ())
            if has_it and is_same and not scope.full and own not in retried:
                unchanged.add(own)
                continue
            yield self._build_document(
                item, self._find_previous_id(item, own, known, renamed, memory)
            )
        if unchanged:
            yield Unchanged(frozenset(unchanged))
        yield CompleteListing("", frozenset(ids), "gone from the ref", replaces=True)
        memory.put("head", {"commit": head, "made_with": self._hash_settings()})
        memory.put("withheld", dict(left_out))

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises:
            FetchError: It is not in the repository, or only a pointer to large files.
        """
        name = file.checksum.removeprefix("git:")
        for content in self._repository.read_object(
            name, self._options.max_file_kb << 10
        ):
            if content.startswith(_LFS_POINTER):
                raise FetchError(
                    f"{file.name} is stored in Git LFS, not in the repository."
                )
            yield content

    # ── the repository ────────────────────────────────────────────────────────────

    def _resolve_head(self) -> str:
        options = self._options
        if options.url:
            make_folder(self._root)
            return self._repository.fetch(options.url, options.ref)
        if not self._root.is_dir():
            raise SourceFormatError(
                f"There is no folder {self._root}.",
                hint=f"Check path in [sources.{self.name}]; nothing was removed.",
            )
        return self._repository.resolve_commit(options.ref)

    def _find_renames(self, old: str, head: str) -> dict[str, str]:
        if not old or old == head:
            return {}
        pairs = self._repository.find_renames(old, head).items()
        return {_decode_path(new): _decode_path(path) for new, path in pairs}

    def _hash_settings(self) -> str:
        """Return a hash of all settings that a document depends on."""
        options = self._options
        said = [sorted(self._access), options.web, options.url, str(self._root)]
        said += [self._prefix]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    def _iter_files(
        self, head: str, left_out: Counter[str]
    ) -> Iterator[_TreeFile | Failure]:
        """Yield the files that are wanted; count those that are left out.

        Raises:
            SourceFormatError: The tree is empty, or the history not whole.
        """
        wanted, odd = list[TreeEntry](), list[Failure]()
        count = 0
        for count, entry in enumerate(self._repository.list_tree(head), start=1):  # noqa: B007
            if reason := self._skip_reason(entry):
                left_out[reason] += 1
            elif failure := self._check_entry(entry, head):
                odd.append(failure)
            else:
                wanted.append(entry)
        if not count:
            raise SourceFormatError(
                f"{self._root} has no files at {self._options.ref!r}.",
                hint="Check ref; nothing was removed.",
            )
        yield from odd
        changes = {}
        if wanted:
            changes = self._repository.find_last_changes(
                head, {entry.path for entry in wanted}
            )
        for entry in wanted:
            yield _TreeFile(entry, entry.path.decode(), changes[entry.path])

    def _skip_reason(self, entry: TreeEntry) -> str:
        """Return why an entry is left out; empty if it is wanted."""
        if entry.mode == _LINK_MODE:
            return "symbolic links"
        if entry.mode == _SUBMODULE_MODE:
            return "submodules"
        path = _decode_path(entry.path)
        options = self._options
        if any(fnmatchcase(path, glob) for glob in options.exclude):
            return "excluded files"
        if options.include:
            is_in = any(fnmatchcase(path, glob) for glob in options.include)
            return "" if is_in else "files not included"
        name = PurePosixPath(path)
        is_in = name.suffix.lower() in _SUFFIXES or name.name in _NAMES
        return "" if is_in else "files of other kinds"

    def _check_entry(self, entry: TreeEntry, head: str) -> Failure | None:
        """Return the failure of a file that cannot be taken, or None."""
        shown = _decode_path(entry.path)
        failed = f"{self._prefix}@{head[:_SHORT_HASH]}:{_escape_path(shown)}"
        try:
            entry.path.decode()
        except UnicodeDecodeError as error:
            why = f"The file's name is not UTF-8: {error.reason}."
            return Failure(failed, "fetch", FetchError.__name__, why)
        most = self._options.max_file_kb << 10
        if entry.size_bytes is None:
            why = "The file's content is not in the repository, or is damaged."
            return Failure(failed, "fetch", FetchError.__name__, why)
        if entry.size_bytes > most:
            why = f"The file has {entry.size_bytes:,} bytes; at most {most:,} are read."
            return Failure(failed, "fetch", FetchError.__name__, why)
        return None

    # ── documents ─────────────────────────────────────────────────────────────────

    def _file_id(self, file: _TreeFile) -> str:
        commit = file.change.commit[:_SHORT_HASH]
        return f"{self._prefix}@{commit}:{_escape_path(file.path)}"

    def _find_previous_id(
        self,
        file: _TreeFile,
        own: str,
        known: dict[str, set[str]],
        renamed: dict[str, str],
        memory: SourceState,
    ) -> str:
        """Return the id of the file as it was before, here or under its older name."""
        if own in known.get(file.path, ()) and (stored := memory.get_document(own)):
            return stored.supersedes
        before = known.get(file.path, set()) - {own}
        if not before and file.path in renamed:
            before = known.get(renamed[file.path], set())
        return min(before, default="")

    def _build_document(self, file: _TreeFile, older: str) -> Document:
        name = PurePosixPath(file.path).name
        url = self._file_url(file)
        own = FileRef(
            key="file",
            name=name,
            media_type=mimetypes.guess_type(name)[0] or "text/plain",
            url=url,
            access=self._access,
            size_bytes=file.entry.size_bytes,
            checksum=f"git:{file.entry.object}",
            evidence=self._evidence,
        )
        return Document(
            id=self._file_id(file),
            source=self.name,
            kind="file",
            url=url,
            title=file.path,
            access=self._access,
            authors=(file.change.author,) if file.change.author else (),
            date=dt.date.fromisoformat(file.change.day),
            files=(own,),
            supersedes=older,
            evidence=self._evidence,
        )

    def _file_url(self, file: _TreeFile) -> str:
        """Return what opens a file: the web view of its commit, or the file itself."""
        path = quote(file.path)
        if self._options.web:
            commit = file.change.commit
            return self._options.web.replace("{commit}", commit).replace("{path}", path)
        if self._options.path:
            return f"{self._root.as_uri()}/{path}"
        return f"{self._options.url}#{path}"


def _ids_by_path(memory: SourceState, prefix: str) -> dict[str, set[str]]:
    """Return the ids that the catalog has of each path."""
    found: dict[str, set[str]] = {}
    for name in memory.top_documents():
        path = name.removeprefix(f"{prefix}@").partition(":")[2]
        found.setdefault(_unescape_path(path), set()).add(name)
    return found


def _escape_path(path: str) -> str:
    """Return a path as it stands in an id: no sign in it looks like a part of one."""
    return path.replace("%", "%25").replace(":", "%3A").replace("#", "%23")


def _unescape_path(path: str) -> str:
    return path.replace("%23", "#").replace("%3A", ":").replace("%25", "%")


def _decode_path(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
