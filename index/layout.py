"""Decides when a snapshot may begin with the one before, and when all is laid out anew.

Beginning with the one before costs what changed. It leaves dead rows behind, and rows
that no inverted file covers; when those have become much, or old, one run pays for all.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from dunegpt.config import IndexTable
from dunegpt.index.snapshot import Snapshot

FEW_ROWS = 5000
"""So many dead or later rows are never much."""

_LATER_SHARE = 0.1
_DEAD_SHARE = 0.2


def may_begin_with(
    snapshot: Snapshot, made_by: tuple[str, dict[str, Any]], table: IndexTable
) -> bool:
    """Return whether the next snapshot may begin with one.

    Args:
        snapshot: The current one.
        made_by: Id of the encoder, and the settings, that the next one is made by.
        table: When rows become many, and for how long dead ones may stay.
    """
    manifest = snapshot.manifest
    if made_by != (manifest["encoder"], manifest["settings"]):
        return False
    rows, live = manifest["counts"]["rows"], manifest["counts"]["passages"]
    first = snapshot.spans[0].rows if snapshot.spans else 0
    is_worn = rows - live > max(FEW_ROWS, rows * _DEAD_SHARE)
    is_worn |= rows - first > max(FEW_ROWS, rows * _LATER_SHARE)
    is_big = live >= table.exact_up_to
    has_lists = bool(snapshot.dense.covered)
    return not is_worn and is_big == has_lists and not is_due(manifest, table)


def is_due(manifest: dict[str, Any], table: IndexTable) -> bool:
    """Return whether a snapshot has held rows of what is gone for too long."""
    if manifest["counts"]["rows"] == manifest["counts"]["passages"]:
        return False
    packed = datetime.fromisoformat(manifest["packed_at"])
    return datetime.now(UTC) - packed > timedelta(days=table.repack_after_days)
