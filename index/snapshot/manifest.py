"""The manifest of a snapshot: its content id, counts, and each file's size and hash."""

import hashlib
import json
from pathlib import Path
from typing import Any

from dunegpt.errors import IndexBrokenError, IndexMismatchError
from dunegpt.files import damaged

FORMAT = 4

_KEYS = frozenset(
    "format content_id inputs_id created_at packed_at code_version encoder backends"
    " settings sources kinds statuses counts parts files".split()
)
_LATER_KEYS = frozenset({"code_kinds", "digest"})
"""Keys that older manifests of this format do not have."""
_WITHOUT_DIGEST = frozenset({"format", "content_id", "inputs_id", "files", "digest"})
"""Keys that the digest does not cover: the hash of a file proves itself."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a snapshot.

    Raises:
        IndexBrokenError: The manifest is missing or damaged.
        IndexMismatchError: The snapshot has another format than this version writes.
    """
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(error, f"{path}: {error}", path=path) from error
    if not isinstance(manifest, dict):
        raise IndexBrokenError(f"{path} is not a manifest.")
    if manifest.get("format") != FORMAT:
        raise IndexMismatchError(
            f"{folder} has format {manifest.get('format')}, not {FORMAT}."
        )
    if not _is_sound(manifest):
        raise IndexBrokenError(f"{path} is damaged: it does not match its digest.")
    return manifest


def compute_digest(manifest: dict[str, Any]) -> str:
    """Return the hash of what no other hash in a manifest covers."""
    covered = {k: v for k, v in manifest.items() if k not in _WITHOUT_DIGEST}
    content = json.dumps(covered, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _is_sound(manifest: dict[str, Any]) -> bool:
    """Return whether a manifest has its keys, and its digest if it has one."""
    keys = manifest.keys()
    files = manifest.get("files")
    return (
        _KEYS <= keys <= _KEYS | _LATER_KEYS
        and ("digest" not in keys or manifest["digest"] == compute_digest(manifest))
        and isinstance(files, dict)
        and all(
            isinstance(f, dict) and {"bytes", "sha256"} <= f.keys()
            for f in files.values()
        )
    )
