"""Operations on the snapshots of a data folder.

Lists, verifies, publishes, rolls back, removes, compares and pushes snapshots. All of
them accept any snapshot, published or not, and none changes the content of one.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from dunegpt.config import Settings
from dunegpt.datadir import CURRENT
from dunegpt.errors import (
    IndexBrokenError,
    IndexMismatchError,
    StorageError,
    UsageError,
)
from dunegpt.files import hash_file
from dunegpt.index.snapshot import publish as publishing
from dunegpt.index.snapshot.content_id import (
    compute_content_id,
    serialize_document,
    serialize_passage,
)
from dunegpt.index.snapshot.manifest import read_manifest
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.schemas.operations import DiffResponse, SnapshotResponse, VerifyResponse

Progress = Callable[[int, int], None]
_MAX_LINKED = 20


def list_snapshots(settings: Settings) -> list[SnapshotResponse]:
    """Return the snapshots, newest first; `error` is set on unreadable ones."""
    folder = settings.paths.snapshots
    current = (folder / CURRENT).resolve()
    snapshots = []
    for path in _list_folders(folder):
        response = SnapshotResponse(id=path.name, is_current=path == current)
        try:
            manifest = read_manifest(path)
        except (IndexBrokenError, IndexMismatchError) as error:
            snapshots.append(response.model_copy(update={"error": str(error)}))
            continue
        paths = [path / name for name in manifest["files"]]
        facts = {
            "created_at": manifest["created_at"],
            "documents": manifest["counts"]["documents"],
            "passages": manifest["counts"]["passages"],
            "parts": len(manifest["parts"]),
            "size_bytes": sum(f["bytes"] for f in manifest["files"].values()),
            "own_bytes": sum(
                p.stat().st_size for p in paths if p.exists() and p.stat().st_nlink == 1
            ),
        }
        snapshots.append(response.model_copy(update=facts))
    return sorted(snapshots, key=lambda s: s.created_at, reverse=True)


def verify(
    settings: Settings, name: str, progress: Progress = lambda *_: None
) -> VerifyResponse:
    """Check the hash of every file of a snapshot, and recompute its content id.

    Args:
        settings: Location of the snapshots.
        name: Id of the snapshot, a unique prefix of it, or ``current``.
        progress: Called with the files and documents checked, and the total.

    Raises:
        UsageError: There is no such snapshot.
    """
    path = find_snapshot(settings, name)
    try:
        manifest = read_manifest(path)
    except (IndexBrokenError, IndexMismatchError) as error:
        return VerifyResponse(id=path.name, errors=[str(error)])
    errors, total = [], len(manifest["files"]) + manifest["counts"]["documents"]
    for done, (file, facts) in enumerate(manifest["files"].items()):
        digest = hash_file(path / file) if (path / file).is_file() else "missing"
        if digest != facts["sha256"]:
            errors.append(
                f"{file} is {'missing' if digest == 'missing' else 'changed'}"
            )
        progress(done + 1, total)
    present = [p for p in path.rglob("*") if p.is_file() and p.suffix != ".lock"]
    extra = {str(p.relative_to(path)) for p in present}
    extra -= {*manifest["files"], "manifest.json"}
    errors += [f"{file} is not in the manifest" for file in sorted(extra)]
    if not errors:
        try:
            errors += _check_content(path, manifest, progress)
        except (IndexBrokenError, IndexMismatchError) as error:
            errors.append(str(error))
    return VerifyResponse(id=path.name, files=len(manifest["files"]), errors=errors)


def _check_content(
    path: Path, manifest: dict[str, Any], progress: Progress
) -> list[str]:
    """Return the differences between the content of a snapshot and its hashes."""
    snapshot = Snapshot(path)
    errors, digests = [], []
    done, total = len(manifest["files"]), manifest["counts"]["documents"]
    for number, claimed in snapshot.store.iterate_digests():
        stored = snapshot.store.get_documents([number])[number]
        digest = hashlib.sha256(serialize_document(stored.document))
        rows = snapshot.store.get_rows(number)
        for _, passage in snapshot.store.get_passages(rows).values():
            digest.update(serialize_passage(passage))
        digests.append(digest.hexdigest())
        if digests[-1] != claimed:
            errors.append(f"{stored.document.id} does not match its hash")
        access = {file.key: file.access for file in stored.document.files}
        for row, key in snapshot.store.get_file_keys(rows).items():
            if snapshot.access_sets[snapshot.row_access[row]] != access[key]:
                errors.append(
                    f"row {row} of {stored.document.id} has a wrong access set"
                )
        progress(done + len(digests), done + total)
    content_id = compute_content_id(manifest["encoder"], manifest["settings"], digests)
    snapshot.close()
    if not errors and content_id != manifest["content_id"]:
        errors.append(f"its content id is {content_id}, not {manifest['content_id']}")
    if path.name != manifest["content_id"]:
        errors.append(f"its folder is not named after its content id, {content_id}")
    return errors


def publish(settings: Settings, name: str) -> str:
    """Make a snapshot the current one and return its id.

    If the snapshot cannot be opened, the current one stays in place.

    Raises:
        UsageError: There is no such snapshot.
        IndexBrokenError: The snapshot is damaged.
        IndexMismatchError: The snapshot has another format.
    """
    with settings.paths.lock():
        path = find_snapshot(settings, name)
        _check_all(path)
        publishing.publish(path)
    return path.name


def _check_all(path: Path) -> None:
    """Open a snapshot, and check the hashes of all its files.

    Raises:
        IndexBrokenError: The snapshot is damaged.
        IndexMismatchError: The snapshot has another format.
    """
    Snapshot(path, max_check_age=timedelta(0)).close()


def rollback(settings: Settings) -> str:
    """Publish the newest snapshot older than the current one and return its id.

    Raises:
        UsageError: There is no older readable snapshot.
    """
    snapshots = [s for s in list_snapshots(settings) if not s.error]
    positions = [n for n, s in enumerate(snapshots) if s.is_current]
    older = snapshots[positions[0] + 1 :] if positions else snapshots
    if not older:
        raise UsageError("There is no older snapshot to go back to.")
    return publish(settings, older[0].id)


def remove_old(settings: Settings, keep: int) -> list[str]:
    """Remove all but the ``keep`` newest and the current snapshot; return their ids."""
    folder = settings.paths.snapshots
    with settings.paths.lock():
        before = {path.name for path in _list_folders(folder)}
        if folder.is_dir():
            publishing.remove_old_snapshots(folder, keep)
        return sorted(before - {path.name for path in _list_folders(folder)})


def diff(settings: Settings, old: str, new: str) -> DiffResponse:
    """Return the ids of documents added, removed and changed between two snapshots.

    Raises:
        UsageError: There is no such snapshot.
        IndexBrokenError: One of them cannot be read.
    """
    digests_by_id = []
    for name in (old, new):
        snapshot = Snapshot(find_snapshot(settings, name))
        digests = dict(snapshot.store.iterate_digests())
        stored = snapshot.store.get_documents(digests)
        digests_by_id.append({s.document.id: digests[n] for n, s in stored.items()})
        snapshot.close()
    before, after = digests_by_id
    return DiffResponse(
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        changed=sorted(
            id_ for id_ in before.keys() & after.keys() if before[id_] != after[id_]
        ),
    )


def push(settings: Settings, target: str, name: str = CURRENT) -> str:
    """Copy a snapshot and the access overlay to another data folder, and publish there.

    rsync transfers only what is missing: files that another snapshot at the target has
    are hard-linked, for others only the changed blocks are sent. The link ``current``
    is sent last, so an interrupted push leaves the old snapshot in use.

    Args:
        settings: Location of the snapshots.
        target: The other data folder in rsync's form: ``HOST:FOLDER`` or a path.
        name: Id of the snapshot, a unique prefix of it, or ``current``.

    Raises:
        UsageError: There is no such snapshot, or no rsync.
        IndexBrokenError: The snapshot is damaged; nothing is sent.
        StorageError: rsync failed.
    """
    path = find_snapshot(settings, name)
    _check_all(path)
    if shutil.which("rsync") is None:
        hint = "Install rsync on both hosts."
        raise UsageError("rsync is not installed.", hint=hint)
    target = target.rstrip("/")
    others = [p.name for p in _list_folders(path.parent) if p != path][:_MAX_LINKED]
    links = [f"--link-dest=../{other}" for other in others]
    overlay = settings.paths.overlay
    _send_permissions(settings, target)
    # The manifest is sent last, so that its presence marks a complete snapshot.
    folder = f"{target}/snapshots/{path.name}/"
    excludes = ["--exclude=/manifest.json", "--exclude=*.lock"]
    _rsync([f"{path}/"], folder, "--mkpath", "--delete", *excludes, *links)
    _rsync([str(path / "manifest.json")], folder)
    if overlay.is_file():
        _rsync([str(overlay)], f"{target}/")
    link = path.parent / f".push-{os.getpid()}"
    link.mkdir()
    try:
        (link / CURRENT).symlink_to(path.name)
        _rsync([f"{link}/{CURRENT}"], f"{target}/snapshots/")
    finally:
        shutil.rmtree(link)
    return path.name


def _send_permissions(settings: Settings, target: str) -> None:
    """Make the other data folder with the permissions of this one, or set them."""
    with tempfile.TemporaryDirectory(prefix="dunegpt-") as name:
        skeleton = Path(name)
        (skeleton / "snapshots").mkdir()
        for folder in (settings.data, settings.paths.snapshots):
            copy = skeleton / folder.relative_to(settings.data)
            shutil.copystat(folder, copy)
        _rsync([f"{skeleton}/"], f"{target}/", "--mkpath")


def _rsync(sources: list[str], target: str, *options: str) -> None:
    # Compare times in nanoseconds: two snapshots may be written within one second.
    common = ["--archive", "--partial", "--modify-window=-1"]
    command = ["rsync", *common, *options, *sources, target]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        reason = lines[0] if lines else ""
        raise StorageError(
            f"rsync to {target} failed ({result.returncode}): {reason}",
            hint="The target still has its old snapshot; run the same command again.",
        )


def find_snapshot(settings: Settings, name: str) -> Path:
    """Return the folder of a snapshot.

    Args:
        settings: Location of the snapshots.
        name: Id of the snapshot, a unique prefix of it, or ``current``.

    Raises:
        UsageError: There is no such snapshot, or several.
    """
    folder = settings.paths.snapshots
    if name == CURRENT:
        matches = [(folder / CURRENT).resolve()] if (folder / CURRENT).exists() else []
    else:
        matches = [path for path in _list_folders(folder) if path.name.startswith(name)]
    if not matches and name == CURRENT:
        raise UsageError(
            f"There is no current snapshot in {folder}.",
            hint="Run 'dunegpt index', or publish one with 'dunegpt snapshot publish'.",
        )
    if len(matches) != 1:
        count = "Several snapshots match" if matches else "No snapshot matches"
        raise UsageError(
            f"{count} {name}.",
            hint="Run 'dunegpt snapshot list' to see all snapshots.",
        )
    return matches[0]


def _list_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    paths = (p for p in folder.iterdir() if p.is_dir() and not p.is_symlink())
    return sorted(path for path in paths if not path.name.startswith("."))
