"""The layout of the data folder: the paths in it, and its lock."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from dunegpt.errors import StorageError
from dunegpt.files import storage_errors
from dunegpt.permissions import protect_entries, protect_root


@dataclass(frozen=True, slots=True)
class DataDir:
    """The data folder of an installation.

    Attributes:
        root: Path of the folder.
        group: Name of the group whose members may read it; empty for none; None to
            keep the one that it has.
    """

    root: Path
    group: str | None = field(default=None, compare=False)

    @property
    def catalog(self) -> Path:
        """The catalog: documents, files and access sets seen by crawls."""
        return self.root / "catalog.db"

    @property
    def forgotten(self) -> Path:
        """The list of forgotten documents, which survives a loss of the catalog."""
        return self.catalog.with_name("forgotten.json")

    @property
    def overlay(self) -> Path:
        """The access overlay: revocations since a snapshot was built."""
        return self.root / "overlay.db"

    @property
    def revoked_now(self) -> Path:
        """What was found closed at its source since the last crawl."""
        return self.root / "revoked.json"

    @property
    def confirmations(self) -> Path:
        """When sources were asked whether they still show a document."""
        return self.root / "confirmations.db"

    @property
    def receipts(self) -> Path:
        """The receipts of answers."""
        return self.root / "receipts.db"

    @property
    def accounts(self) -> Path:
        """The accounts, sessions and audit of a server, unless PostgreSQL has them."""
        return self.root / "serve.db"

    @property
    def blobs(self) -> Path:
        """The fetched files, named by their sha256."""
        return self.root / "blobs"

    @property
    def pages(self) -> Path:
        """The extracted pages of files."""
        return self.root / "pages"

    @property
    def shards(self) -> Path:
        """The passages and vectors of documents."""
        return self.root / "shards"

    @property
    def encoders(self) -> Path:
        """The exported encoders."""
        return self.root / "encoders"

    @property
    def repositories(self) -> Path:
        """The clones of git sources."""
        return self.root / "git"

    @property
    def snapshots(self) -> Path:
        """The folder of the snapshots."""
        return self.root / "snapshots"

    @property
    def current_snapshot(self) -> Path:
        """The symbolic link to the current snapshot."""
        return self.snapshots / CURRENT

    @property
    def notices(self) -> Path:
        """The change notices, in one folder per source."""
        return self.root / "notices"

    def prepare(self) -> None:
        """Create the folder, or close one that exists to other users of this host.

        Raises:
            ConfigError: There is no such group.
            StorageError: It is no folder, cannot be written, holds other files that
                others may read, or its permissions cannot be changed.
        """
        with storage_errors(self.root):
            self.root.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.root.mkdir(mode=0o700)
            except FileExistsError:
                self._check_root()
            protect_root(self.root, self.group)

    def _check_root(self) -> None:
        """Refuse what is no data folder: closing it would lock others out.

        Raises:
            StorageError: It is not.
        """
        if not self.root.is_dir():
            raise StorageError(
                f"data_dir {self.root} is not a folder.",
                hint="Set data_dir to a folder, or move the file away.",
            )
        names = set(os.listdir(self.root))
        is_open = self.root.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        if is_open and names and not any(map(self._is_own, names)):
            raise StorageError(
                f"data_dir {self.root} holds other files, and others on this host may"
                " read it.",
                hint="Set data_dir to a folder of its own, or run"
                f" 'chmod 700 {self.root}' if it is one.",
            )

    def _is_own(self, name: str) -> bool:
        """Return whether an entry of the root is one of the places here."""
        own = {getattr(self, place).name for place in _PLACES} | {_LOCK}
        databases = (f"{each}-" for each in own if each.endswith(".db"))
        return (
            name in own
            or name.startswith((*databases, "snapshots.", ".new-", ".overlay-"))
            or name.removesuffix(".lock") + ".json" in own
        )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the write lock; the system releases it when the process ends.

        The folder is created if it does not exist. It is closed to other users of this
        host; what is in it, at the end.

        Raises:
            ConfigError: There is no such group.
            StorageError: Another crawl or index run holds it, or `prepare` failed.
        """
        self.prepare()
        with storage_errors(self.root):
            file = self._open_lock()
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StorageError(
                    f"Another crawl or index run is using {self.root}.",
                    hint="Wait until it ends. A killed run does not keep the lock.",
                ) from error
            try:
                yield
            except BaseException:
                with suppress(OSError):
                    self._protect_content()
                raise
            with storage_errors(self.root):
                self._protect_content()

    def _open_lock(self) -> IO[str]:
        path = self.root / _LOCK
        try:
            return path.open("w")
        except IsADirectoryError as error:
            raise StorageError(
                f"The lock {path} is a folder.",
                hint="Remove it; runs of dunegpt make a file of that name.",
            ) from error

    def _protect_content(self) -> None:
        """Give all files and folders the permissions of the root."""
        names = {name for name in os.listdir(self.root) if self._is_own(name)}
        own = (self.receipts.name, self.accounts.name)
        private = {name for name in names if name.startswith(own)}
        protect_entries(self.root, names - private)
        protect_entries(self.root, private, is_private=True)


CURRENT = "current"
"""Name of the symbolic link to the current snapshot."""
_LOCK = "lock"
_PLACES = tuple(
    name
    for name, value in vars(DataDir).items()
    if isinstance(value, property) and name != "current_snapshot"
)
