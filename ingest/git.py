"""A git repository as a source: the files at a ref, each as its last commit made it.

A file's id names the commit that last changed it, so an unchanged file keeps its id,
and a link to that commit shows exactly the text that was read. How the repository is
asked is in `git_program.py`.
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

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dunegpt.config import Settings, SourceTable, explain, read_secret
from dunegpt.errors import ConfigError, FetchError, SourceFormatError
from dunegpt.ingest.git_program import Change, Git, TreeEntry
from dunegpt.ingest.items import Alarm, Item, Memory, Scope, Seen, Whole
from dunegpt.types import Document, Failure, FileRef, access_set

log = logging.getLogger(__name__)

_ENDINGS = (
    ".md .markdown .rst .tex .txt .py .c .cc .cpp .cxx .h .hh .hpp .hxx .icc .cu"
    " .fcl .sh .bash .cmake .yaml .yml .toml .json .ini .cfg"
).split()
_NAMES = frozenset({"CMakeLists.txt", "Makefile", "Dockerfile", "README", "LICENSE"})
_REMOTE = re.compile(r"(?:https|ssh|file)://.+|[\w.-]+@[\w.-]+:[^:].*")
_LFS = b"version https://git-lfs.github.com/spec/"
_FILE, _LINK, _MODULE = ("100644", "100755", "100664"), "120000", "160000"
_SHORT = 12

Glob = Annotated[str, Field(min_length=1)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: str
    id_prefix: str = ""
    access: list[str] = Field(min_length=1)
    path: Path | None = None
    url: str = ""
    ref: str = Field("HEAD", pattern=r"^[^-\s:+^~?*\[\\][^\s:^~?*\[\\]*$")
    web: str = ""
    include: list[Glob] = []
    exclude: list[Glob] = []
    max_file_kb: int = Field(1024, ge=1)
    user: str = "x-access-token"
    token_env: str = ""
    token_file: Path | None = None
    timeout_s: float = Field(1800, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> "_Options":
        if bool(self.url) == bool(self.path):
            raise ValueError("give either path or url")
        if self.url and not _REMOTE.fullmatch(self.url):
            raise ValueError("url is for https, ssh or file")
        if re.match(r"https://[^/]*@", self.url):
            raise ValueError("url has a login; name a variable in token_env instead")
        if self.web and "{path}" not in self.web:
            raise ValueError("web has no {path}")
        return self


@dataclass(frozen=True, slots=True)
class _File:
    """One file that is wanted, with the commit that made it."""

    entry: TreeEntry
    path: str
    change: Change


class GitSource:
    """The files of one repository at one ref."""

    UNTRIED = "hosts by https or ssh, and tokens: only repositories on this host"

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        try:
            options = _Options.model_validate(table.model_dump())
        except ValidationError as error:
            raise ConfigError(f"[sources.{name}] {explain(error)}") from error
        self.name = name
        self._options = options
        self._prefix = options.id_prefix or name
        self._access = access_set(options.access)
        self._evidence = f"access of [sources.{name}]"
        token_file = options.token_file and settings.path(options.token_file)
        token = read_secret(options.token_env, token_file)
        header = ""
        if token:
            pair = base64.b64encode(f"{options.user}:{token}".encode()).decode()
            header = f"Authorization: Basic {pair}"
        kept = hashlib.sha256(name.encode()).hexdigest()[:16]
        folder = settings.data / "git" / kept
        if options.path:
            folder = settings.path(options.path)
        self._root = folder
        self._git = Git(folder, header=header, timeout_s=options.timeout_s)

    @property
    def requests(self) -> int:
        """How often another host was asked."""
        return self._git.exchanges

    @property
    def processes(self) -> int:
        """How many programs were started."""
        return self._git.processes

    def close(self) -> None:
        """End the programs."""
        self._git.close()

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield the files that are new or changed, and that there are no others.

        Raises:
            SourceError: The repository cannot be had, or has no commit at the ref.
            ConfigError: There is no git program.
        """
        head = self._head()
        before = memory.get("head") or {}
        known = _by_path(memory, self._prefix)
        is_same = before.get("made_with") == self._made_with()
        if before.get("commit") and not self._git.is_ancestor(before["commit"], head):
            yield Alarm(
                f"The history of {self._options.ref} was written anew:"
                f" {before['commit'][:_SHORT]} is not before {head[:_SHORT]}.",
                grave=False,
            )
        renamed = self._renamed(before.get("commit", ""), head)
        retried = set(scope.first)
        unchanged, ids = set[str](), set[str]()
        left_out = Counter[str]()
        for item in self._files(head, left_out):
            if isinstance(item, Failure):
                yield item
                continue
            own = self._id(item)
            ids.add(own)
            has_it = own in known.get(item.path, ())
            if has_it and is_same and not scope.full and own not in retried:
                unchanged.add(own)
                continue
            yield self._document(item, self._older(item, own, known, renamed, memory))
        if unchanged:
            yield Seen(frozenset(unchanged))
        yield Whole("", frozenset(ids), "gone from the ref", replaces=True)
        memory.put("head", {"commit": head, "made_with": self._made_with()})
        memory.put("withheld", dict(left_out))

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises:
            FetchError: It is not in the repository, or only a pointer to large files.
        """
        name = file.checksum.removeprefix("git:")
        for content in self._git.content(name, self._options.max_file_kb << 10):
            if content.startswith(_LFS):
                raise FetchError(
                    f"{file.name} is kept in LFS; its content is not here."
                )
            yield content

    # ── the repository ────────────────────────────────────────────────────────────

    def _head(self) -> str:
        options = self._options
        if options.url:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._git.fetch(options.url, options.ref)
        if not self._root.is_dir():
            raise SourceFormatError(
                f"There is no folder {self._root}.",
                hint=f"Check path in [sources.{self.name}]; nothing was removed.",
            )
        return self._git.commit(options.ref)

    def _renamed(self, old: str, head: str) -> dict[str, str]:
        if not old or old == head:
            return {}
        pairs = self._git.renames(old, head).items()
        return {_text(new): _text(path) for new, path in pairs}

    def _made_with(self) -> str:
        """Return a hash of all settings that a document depends on."""
        options = self._options
        said = [sorted(self._access), options.web, options.url, str(self._root)]
        said += [self._prefix]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]

    def _files(self, head: str, left_out: Counter[str]) -> Iterator[_File | Failure]:
        """Yield the files that are wanted; count those that are left out.

        Raises:
            SourceFormatError: The tree is empty, or the history not whole.
        """
        wanted, odd = list[TreeEntry](), list[Failure]()
        count = 0
        for count, entry in enumerate(self._git.tree(head), start=1):  # noqa: B007
            if reason := self._not_wanted(entry):
                left_out[reason] += 1
            elif failure := self._odd(entry, head):
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
            changes = self._git.last_changes(head, {entry.path for entry in wanted})
        for entry in wanted:
            yield _File(entry, entry.path.decode(), changes[entry.path])

    def _not_wanted(self, entry: TreeEntry) -> str:
        """Return why an entry is left out; empty if it is wanted."""
        if entry.mode == _LINK:
            return "symbolic links"
        if entry.mode == _MODULE:
            return "submodules"
        path = _text(entry.path)
        options = self._options
        if any(fnmatchcase(path, glob) for glob in options.exclude):
            return "excluded files"
        if options.include:
            is_in = any(fnmatchcase(path, glob) for glob in options.include)
            return "" if is_in else "files not included"
        name = PurePosixPath(path)
        is_in = name.suffix.lower() in _ENDINGS or name.name in _NAMES
        return "" if is_in else "files of other kinds"

    def _odd(self, entry: TreeEntry, head: str) -> Failure | None:
        """Return the failure of a file that cannot be taken, or None."""
        shown = _text(entry.path)
        failed = f"{self._prefix}@{head[:_SHORT]}:{_escaped(shown)}"
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

    def _id(self, file: _File) -> str:
        return f"{self._prefix}@{file.change.commit[:_SHORT]}:{_escaped(file.path)}"

    def _older(
        self,
        file: _File,
        own: str,
        known: dict[str, set[str]],
        renamed: dict[str, str],
        memory: Memory,
    ) -> str:
        """Return the id of the file as it was before, here or under its older name."""
        if own in known.get(file.path, ()) and (stored := memory.document(own)):
            return stored.supersedes
        before = known.get(file.path, set()) - {own}
        if not before and file.path in renamed:
            before = known.get(renamed[file.path], set())
        return min(before, default="")

    def _document(self, file: _File, older: str) -> Document:
        name = PurePosixPath(file.path).name
        url = self._url(file)
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
            id=self._id(file),
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

    def _url(self, file: _File) -> str:
        """Return what opens a file: the web view of its commit, or the file itself."""
        path = quote(file.path)
        if self._options.web:
            commit = file.change.commit
            return self._options.web.replace("{commit}", commit).replace("{path}", path)
        if self._options.path:
            return f"{self._root.as_uri()}/{path}"
        return f"{self._options.url}#{path}"


def _by_path(memory: Memory, prefix: str) -> dict[str, set[str]]:
    """Return the ids that the catalog has of each path."""
    found: dict[str, set[str]] = {}
    for name in memory.tops():
        path = name.removeprefix(f"{prefix}@").partition(":")[2]
        found.setdefault(_plain(path), set()).add(name)
    return found


def _escaped(path: str) -> str:
    """Return a path as it stands in an id: no sign in it looks like a part of one."""
    return path.replace("%", "%25").replace(":", "%3A").replace("#", "%23")


def _plain(path: str) -> str:
    return path.replace("%23", "#").replace("%3A", ":").replace("%25", "%")


def _text(path: bytes) -> str:
    return path.decode(errors="backslashreplace")
