"""Decides whether a new snapshot extends the current one or is repacked from scratch.

Extending costs only what changed, but leaves dead rows and rows that the inverted file
does not cover. When they are too many, or dead rows too old, a run repacks.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from dunegpt.config import IndexSettings
from dunegpt.index.snapshot.snapshot import Snapshot

NEGLIGIBLE_ROWS = 5000
"""Up to so many dead or uncovered rows never cause a repack."""

_MAX_UNINDEXED_SHARE = 0.1
_MAX_DEAD_SHARE = 0.2


def can_extend(
    snapshot: Snapshot, made_by: tuple[str, dict[str, Any]], table: IndexSettings
) -> bool:
    """Return whether the next snapshot may extend the given one.

    Args:
        snapshot: The current snapshot.
        made_by: Encoder id and content settings of the next snapshot.
        table: Size limits, and how long dead rows may stay.
    """
    manifest = snapshot.manifest
    if made_by != (manifest["encoder"], manifest["settings"]):
        return False
    rows, live = manifest["counts"]["rows"], manifest["counts"]["passages"]
    first = snapshot.segments[0].rows if snapshot.segments else 0
    is_worn = rows - live > max(NEGLIGIBLE_ROWS, rows * _MAX_DEAD_SHARE)
    is_worn |= rows - first > max(NEGLIGIBLE_ROWS, rows * _MAX_UNINDEXED_SHARE)
    is_big = live >= table.exact_up_to
    has_lists = bool(snapshot.dense.ivf_rows)
    return not is_worn and is_big == has_lists and not is_repack_due(manifest, table)


def is_repack_due(manifest: dict[str, Any], table: IndexSettings) -> bool:
    """Return whether dead rows have been in a snapshot for too long."""
    if manifest["counts"]["rows"] == manifest["counts"]["passages"]:
        return False
    packed = datetime.fromisoformat(manifest["packed_at"])
    return datetime.now(UTC) - packed > timedelta(days=table.repack_after_days)
