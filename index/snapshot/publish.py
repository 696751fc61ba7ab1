"""Publishes snapshots, and removes old ones.

The link ``snapshots/current`` names the published snapshot; replacing it is atomic, so
a server sees either the old snapshot or the new one.
"""

import os
import shutil
from pathlib import Path

from dunegpt.datadir import CURRENT


def publish(target: Path) -> None:
    """Make a snapshot the current one by atomically replacing the link.

    Args:
        target: Folder of the snapshot.
    """
    link = target.parent / f".{CURRENT}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(target.name)
    os.replace(link, target.parent / CURRENT)


def remove_old_snapshots(folder: Path, keep: int) -> None:
    """Remove old snapshots and leftovers of killed runs, but never the current one.

    Args:
        folder: Folder of all snapshots.
        keep: Number of newest finished snapshots to keep.
    """
    current = (folder / CURRENT).resolve()
    snapshots = sorted(
        (p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()),
        key=lambda p: (p.name.startswith("."), -p.stat().st_mtime),
    )
    for position, path in enumerate(snapshots):
        unfinished = path.name.startswith(".")
        if path != current and (unfinished or position >= keep):
            shutil.rmtree(path)
