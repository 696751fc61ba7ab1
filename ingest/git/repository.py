"""Runs git on one repository such that nothing in the repository is executed.

No hooks, submodules, filters or prompts, no settings of this account, and only the
protocols file, https and ssh. Does not know which files are wanted.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

from dunegpt.config import make_child_environment
from dunegpt.errors import (
    ConfigError,
    FetchError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)

_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "log.showSignature=false",
    "diff.external=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "gc.autoDetach=false",
    "safe.directory=*",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "transfer.fsckObjects=false",
    "http.followRedirects=false",
)
_FETCHED_REF = "refs/dunegpt/ref"
_LOGIN_ERROR = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied"
    r"|terminal prompts disabled|returned error: 40[13]",
    re.I,
)
_REF_ERROR = re.compile(r"couldn't find remote ref|could not find remote", re.I)
_SECRET_IN_URL = re.compile(r"(?<=//)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class LastChange:
    """The commit that last changed a file, on the first-parent line of a ref."""

    commit: str
    day: str
    author: str


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry of a tree; ``size_bytes`` is None where there is no content."""

    path: bytes
    mode: str
    object: str
    size_bytes: int | None


class GitRepository:
    """One repository: a working copy, a bare one, or a mirror in the data folder.

    Attributes:
        processes: Number of git processes started.
        remote_requests: Number of requests to a remote host.
    """

    def __init__(self, folder: Path, *, header: str = "", timeout_s: float) -> None:
        self.folder = folder
        self._timeout_s = timeout_s
        more = {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CEILING_DIRECTORIES": str(folder.parent),
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_ASKPASS": "true",
            "SSH_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
            "LC_ALL": "C.UTF-8",
        }
        if header:
            # By the environment: arguments can be seen by others on this host.
            more |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "http.extraHeader",
                "GIT_CONFIG_VALUE_0": header,
            }
        self._environment = make_child_environment("GIT_", **more)
        self._reader: subprocess.Popen[bytes] | None = None
        self.processes = self.remote_requests = 0

    def close(self) -> None:
        """End the program that reads files."""
        if self._reader and self._reader.stdin and self._reader.stdout:
            self._reader.stdin.close()
            self._reader.stdout.close()
            self._reader.kill()
            self._reader.wait()
        self._reader = None

    def resolve_commit(self, ref: str) -> str:
        """Return the full name of the commit that a ref names here.

        Raises:
            SourceFormatError: There is no repository, no commit of that name, or not
                its whole history.
        """
        wanted = f"{ref}^{{commit}}"
        found = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", wanted
        )
        if found.returncode != 0:
            raise SourceFormatError(
                f"{self.folder} has no commit at {ref!r}:"
                f" {_error_message(found.stderr)}",
                hint="Check path and ref, or is it empty? Nothing was removed.",
            )
        if self._run_checked("rev-parse", "--is-shallow-repository").strip() == b"true":
            raise SourceFormatError(
                f"{self.folder} is a shallow clone: it lacks the history of its files.",
                hint="Complete it with 'git fetch --unshallow'; nothing was removed.",
            )
        return found.stdout.decode().strip()

    def fetch(self, url: str, ref: str) -> str:
        """Bring what a ref of another repository has here; return its commit.

        What was killed before is gone on with: objects come first, the mark last.

        Raises:
            SourceError: It cannot be reached, asks for a login, or has no such ref.
        """
        if not (self.folder / "HEAD").is_file():
            self._run_checked("init", "--quiet", "--bare", "--", str(self.folder))
        for lock in self.folder.rglob("*.lock"):
            lock.unlink()  # left by a run that was killed: only one is at work here
        self.remote_requests += 1
        wanted = f"+{ref}:{_FETCHED_REF}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--force")
        found = self._run("fetch", *options, "--no-write-fetch-head", "--", url, wanted)
        if found.returncode != 0:
            said = _error_message(found.stderr)
            place = _SECRET_IN_URL.sub("", url)
            if _REF_ERROR.search(said):
                raise SourceFormatError(f"{place} has no ref {ref!r}.")
            if _LOGIN_ERROR.search(said):
                raise SourceLoginError(f"{place} asks for a login: {said}")
            raise SourceUnreachableError(f"{place} cannot be fetched: {said}")
        return self.resolve_commit(_FETCHED_REF)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Return whether a commit stands before another; False if it is unknown."""
        found = self._run("merge-base", "--is-ancestor", "--end-of-options", old, new)
        return found.returncode == 0

    def list_tree(self, commit: str) -> Iterator[TreeEntry]:
        """Yield all entries of a commit's tree, folders left out.

        Raises:
            SourceFormatError: The repository is damaged.
        """
        found = self._run_checked("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        for line in found.split(b"\0"):
            if line:
                facts, _, path = line.partition(b"\t")
                mode, _, name, size = facts.decode().split()
                yield TreeEntry(path, mode, name, int(size) if size.isdigit() else None)

    def find_last_changes(
        self, commit: str, paths: set[bytes]
    ) -> dict[bytes, LastChange]:
        """Return for each path the commit that made it what it is at a commit.

        A merge counts as what it changed on the line that it was merged into, so that
        the file in that commit is always the file at the ref. One pass, which ends
        when all paths were met.

        Raises:
            SourceFormatError: The repository is damaged, or a path was never met.
        """
        left = set(paths)
        found: dict[bytes, LastChange] = {}
        command = (
            *("log", "--first-parent", "-m", "-z", "--no-renames", "--name-only"),
            *("--no-ext-diff", "--no-textconv", "--format=%x01%H%x1f%cs%x1f%an"),
            *("--end-of-options", commit),
        )
        change = LastChange("", "", "")
        with self._stream(*command) as tokens:
            for token in tokens:
                if token.startswith(b"\x01"):
                    name, day, author = (
                        token[1:].decode("utf-8", "replace").split("\x1f")
                    )
                    change = LastChange(name, day, author)
                    continue
                path = token.removeprefix(b"\n")
                if path in left:
                    left.remove(path)
                    found[path] = change
                    if not left:
                        break
        if left:
            raise SourceFormatError(
                f"The history of {self.folder} is incomplete: {len(left)} files were"
                " never changed in it."
            )
        return found

    def find_renames(self, old: str, new: str) -> dict[bytes, bytes]:
        """Return the old path of each file that was renamed between two commits."""
        found = self._run(
            *("diff-tree", "-r", "-M", "-z", "--name-status", "--diff-filter=R"),
            *("--no-ext-diff", "--no-textconv", "--end-of-options", old, new),
        )
        parts = found.stdout.split(b"\0") if found.returncode == 0 else []
        return dict(zip(parts[2::3], parts[1::3], strict=False))

    def read_object(self, name: str, max_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of an object, through one program for all of them.

        Raises:
            FetchError: There is none, or it is too large.
        """
        if self._reader is None:
            self.processes += 1
            self._reader = subprocess.Popen(
                self._build_command("cat-file", "--batch"),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=self._environment,
            )
        stdin, stdout = self._reader.stdin, self._reader.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(f"{name}\n".encode())
            stdin.flush()
            head = stdout.readline().split()
        except OSError as error:
            self.close()
            raise FetchError(f"git ended while it read: {error.strerror}.") from error
        if len(head) != 3 or head[1] != b"blob":
            if len(head) != 2:
                self.close()
            raise FetchError(f"The repository has no file {name}.")
        size = int(head[2])
        if size > max_bytes:
            self.close()
            raise FetchError(f"The file has {size:,} bytes; {max_bytes:,} are read.")
        content = stdout.read(size)
        stdout.read(1)
        if len(content) != size:
            self.close()
            raise FetchError(f"{len(content)} bytes came where {size} were promised.")
        yield content

    # ── running ───────────────────────────────────────────────────────────────────

    def _build_command(self, *arguments: str) -> list[str]:
        options = [part for option in _OPTIONS for part in ("-c", option)]
        place = [] if arguments[0] == "init" else ["-C", str(self.folder)]
        return ["git", *place, *options, *arguments]

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        self.processes += 1
        try:
            return subprocess.run(
                self._build_command(*arguments),
                stdin=DEVNULL,
                capture_output=True,
                env=self._environment,
                timeout=self._timeout_s,
                check=False,
            )
        except FileNotFoundError as error:
            raise ConfigError(
                "The program git is not installed.", hint="Install git."
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SourceUnreachableError(
                f"git {arguments[0]} took over {self._timeout_s:.0f} s."
            ) from error

    def _run_checked(self, *arguments: str) -> bytes:
        found = self._run(*arguments)
        if found.returncode != 0:
            raise SourceFormatError(
                f"git {arguments[0]}: {_error_message(found.stderr)}"
            )
        return found.stdout

    @contextmanager
    def _stream(self, *arguments: str) -> Iterator[Iterator[bytes]]:
        """Give the NUL-ended tokens that a command writes; it may be left early."""
        self.processes += 1
        with subprocess.Popen(
            self._build_command(*arguments),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
            env=self._environment,
        ) as program:
            try:
                yield _split_tokens(program)
            finally:
                program.kill()


def _split_tokens(program: subprocess.Popen[bytes]) -> Iterator[bytes]:
    rest = b""
    assert program.stdout is not None
    while chunk := program.stdout.read(1 << 16):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _error_message(stderr: bytes) -> str:
    """Return what git says went wrong, without a secret in an address."""
    lines: Sequence[str] = stderr.decode("utf-8", "replace").strip().split("\n")
    return _SECRET_IN_URL.sub("", lines[-1]) or "it gave no reason"
