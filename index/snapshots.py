"""What an operator does with the snapshots of a data folder.

Lists them, recomputes what they claim to be, makes one current, goes back, removes old
ones, compares two, and copies one to another machine. Each works on any snapshot, the
published one or not; none of them changes what is in a snapshot.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dunegpt.config import Settings
from dunegpt.errors import (
    IndexBrokenError,
    IndexMismatchError,
    StorageError,
    UsageError,
)
from dunegpt.index import snapshot as layout
from dunegpt.index.identity import content_id, identity, passage_identity
from dunegpt.index.snapshot import CURRENT, Snapshot, file_hash, read_manifest
from dunegpt.ingest import overlay
from dunegpt.ingest.crawl import only_writer
from dunegpt.operating_schemas import DiffShape, SnapshotShape, VerifyShape

Progress = Callable[[int, int], None]
_MOST_LINKED = 20


def every(settings: Settings) -> list[SnapshotShape]:
    """Return the snapshots, newest first; one that cannot be read says why."""
    folder = settings.data / "snapshots"
    current = (folder / CURRENT).resolve()
    found = []
    for path in _folders(folder):
        shape = SnapshotShape(id=path.name, is_current=path == current)
        try:
            manifest = read_manifest(path)
        except (IndexBrokenError, IndexMismatchError) as error:
            found.append(shape.model_copy(update={"error": str(error)}))
            continue
        own = [path / name for name in manifest["files"]]
        facts = {
            "created_at": manifest["created_at"],
            "documents": manifest["counts"]["documents"],
            "passages": manifest["counts"]["passages"],
            "parts": len(manifest["parts"]),
            "size_bytes": sum(f["bytes"] for f in manifest["files"].values()),
            "own_bytes": sum(
                p.stat().st_size for p in own if p.exists() and p.stat().st_nlink == 1
            ),
        }
        found.append(shape.model_copy(update=facts))
    return sorted(found, key=lambda s: s.created_at, reverse=True)


def verify(
    settings: Settings, name: str, progress: Progress = lambda *_: None
) -> VerifyShape:
    """Hash every file of a snapshot, and recompute its content id from what it says.

    Args:
        settings: Where the snapshots are.
        name: Id of the snapshot, a beginning of it, or ``current``.
        progress: Told how many files and documents were looked at, of how many.

    Raises:
        UsageError: There is no such snapshot.
    """
    path = find(settings, name)
    try:
        manifest = read_manifest(path)
    except (IndexBrokenError, IndexMismatchError) as error:
        return VerifyShape(id=path.name, errors=[str(error)])
    errors, total = [], len(manifest["files"]) + manifest["counts"]["documents"]
    for done, (file, facts) in enumerate(manifest["files"].items()):
        found = file_hash(path / file) if (path / file).is_file() else "missing"
        if found != facts["sha256"]:
            errors.append(f"{file} is {'missing' if found == 'missing' else 'changed'}")
        progress(done + 1, total)
    there = [p for p in path.rglob("*") if p.is_file() and p.suffix != ".lock"]
    extra = {str(p.relative_to(path)) for p in there}
    extra -= {*manifest["files"], "manifest.json"}
    errors += [f"{file} does not belong to it" for file in sorted(extra)]
    if not errors:
        try:
            errors += _content_errors(path, manifest, progress)
        except (IndexBrokenError, IndexMismatchError) as error:
            errors.append(str(error))
    return VerifyShape(id=path.name, files=len(manifest["files"]), errors=errors)


def _content_errors(
    path: Path, manifest: dict[str, Any], progress: Progress
) -> list[str]:
    """Return where a snapshot says something else than its hashes do."""
    snapshot = Snapshot(path)
    errors, digests = [], []
    done, total = len(manifest["files"]), manifest["counts"]["documents"]
    for number, claimed in snapshot.store.digests():
        stored = snapshot.store.documents([number])[number]
        digest = hashlib.sha256(identity(stored.document))
        rows = snapshot.store.rows_of(number)
        for _, passage in snapshot.store.passages(rows).values():
            digest.update(passage_identity(passage))
        digests.append(digest.hexdigest())
        if digests[-1] != claimed:
            errors.append(f"{stored.document.id} is not what was packed")
        access = {file.key: file.access for file in stored.document.files}
        for row, key in snapshot.store.files_of(rows).items():
            if snapshot.access_sets[snapshot.row_access[row]] != access[key]:
                errors.append(f"row {row} of {stored.document.id} has other readers")
        progress(done + len(digests), done + total)
    found = content_id(manifest["encoder"], manifest["settings"], digests)
    snapshot.close()
    if not errors and found != manifest["content_id"]:
        errors.append(f"its content id is {found}, not {manifest['content_id']}")
    if path.name != manifest["content_id"]:
        errors.append(f"its folder is not named by its content id, {found}")
    return errors


def publish(settings: Settings, name: str) -> str:
    """Make a snapshot the current one, if it opens; return its id.

    Raises:
        UsageError: There is no such snapshot.
        IndexBrokenError: It cannot be used; the current one stays.
        IndexMismatchError: Likewise: it is of another format.
    """
    with only_writer(settings.data):
        path = find(settings, name)
        Snapshot(path).close()
        layout.publish(path)
    return path.name


def rollback(settings: Settings) -> str:
    """Make current the newest snapshot that is older than the current one.

    Raises:
        UsageError: There is none that can be used.
    """
    snapshots = [s for s in every(settings) if not s.error]
    places = [place for place, s in enumerate(snapshots) if s.is_current]
    older = snapshots[places[0] + 1 :] if places else snapshots
    if not older:
        raise UsageError("There is no older snapshot to go back to.")
    return publish(settings, older[0].id)


def collect(settings: Settings, keep: int) -> list[str]:
    """Remove all but the newest snapshots and the current one; return their ids."""
    folder = settings.data / "snapshots"
    with only_writer(settings.data):
        before = {path.name for path in _folders(folder)}
        if folder.is_dir():
            layout.collect(folder, keep)
        return sorted(before - {path.name for path in _folders(folder)})


def diff(settings: Settings, old: str, new: str) -> DiffShape:
    """Return the ids of the documents that differ between two snapshots.

    Raises:
        UsageError: There is no such snapshot.
        IndexBrokenError: One of them cannot be read.
    """
    said = []
    for name in (old, new):
        snapshot = Snapshot(find(settings, name))
        digests = dict(snapshot.store.digests())
        stored = snapshot.store.documents(digests)
        said.append({s.document.id: digests[n] for n, s in stored.items()})
        snapshot.close()
    before, after = said
    return DiffShape(
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        changed=sorted(
            each for each in before.keys() & after.keys() if before[each] != after[each]
        ),
    )


def push(settings: Settings, target: str, name: str = CURRENT) -> str:
    """Copy a snapshot and the access overlay to another data folder, and publish there.

    rsync sends what is not there yet: files that an earlier snapshot there has are
    linked, others are sent in the pieces that differ. The link ``current`` goes last,
    so a push that is broken off leaves the old snapshot at work.

    Args:
        settings: Where the snapshots are.
        target: The other data folder, as rsync names it: ``HOST:FOLDER`` or a path.
        name: Of the snapshot.

    Raises:
        UsageError: There is no such snapshot, or no rsync.
        IndexBrokenError: The snapshot cannot be used; nothing is sent.
        StorageError: rsync failed.
    """
    path = find(settings, name)
    Snapshot(path).close()
    if shutil.which("rsync") is None:
        hint = "Install rsync, here and there."
        raise UsageError("There is no rsync here.", hint=hint)
    target = target.rstrip("/")
    others = [p.name for p in _folders(path.parent) if p != path][:_MOST_LINKED]
    links = [f"--link-dest=../{other}" for other in others]
    held = settings.data / overlay.FILE
    # The manifest goes after all else, so that what is whole can be told there.
    into = f"{target}/snapshots/{path.name}/"
    skipped = ["--exclude=/manifest.json", "--exclude=*.lock"]
    _rsync([f"{path}/"], into, "--mkpath", "--delete", *skipped, *links)
    _rsync([str(path / "manifest.json")], into)
    if held.is_file():
        _rsync([str(held)], f"{target}/")
    link = path.parent / f".push-{os.getpid()}"
    link.mkdir()
    try:
        (link / CURRENT).symlink_to(path.name)
        _rsync([f"{link}/{CURRENT}"], f"{target}/snapshots/")
    finally:
        shutil.rmtree(link)
    return path.name


def _rsync(sources: list[str], target: str, *options: str) -> None:
    # By nanoseconds: two snapshots may have been made within one second.
    how = ["--archive", "--partial", "--modify-window=-1"]
    call = ["rsync", *how, *options, *sources, target]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise StorageError(
            f"rsync to {target} failed ({done.returncode}): {said[0] if said else ''}",
            hint="The snapshot there is as it was; run the same command again.",
        )


def find(settings: Settings, name: str) -> Path:
    """Return the folder of a snapshot.

    Args:
        settings: Where the snapshots are.
        name: Its id, a beginning of it that no other has, or ``current``.

    Raises:
        UsageError: There is no such snapshot, or several.
    """
    folder = settings.data / "snapshots"
    if name == CURRENT:
        found = [(folder / CURRENT).resolve()] if (folder / CURRENT).exists() else []
    else:
        found = [path for path in _folders(folder) if path.name.startswith(name)]
    if len(found) != 1:
        which = "Several snapshots are" if found else "No snapshot is"
        raise UsageError(
            f"{which} called {name}.",
            hint="'dunegpt snapshot list' shows them all.",
        )
    return found[0]


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    paths = (p for p in folder.iterdir() if p.is_dir() and not p.is_symlink())
    return sorted(path for path in paths if not path.name.startswith("."))
