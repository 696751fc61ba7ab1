"""Merges segments of a snapshot to keep their number small; row numbers stay the same.

Each run of `dunegpt index` adds a segment. The last segment is merged with its
predecessor unless that one is much larger, so the number of times a passage is
rewritten grows with the logarithm of the number of runs.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dunegpt.index.snapshot.segment import SegmentRange, merge_texts
from dunegpt.index.snapshot.vectors import VectorFile, VectorsWriter

_BATCH = 16_384
_SIZE_RATIO = 2


def count_to_merge(rows: Sequence[int]) -> int:
    """Return how many of the last segments to merge; 1 for none, 0 without segments.

    The first segment is never merged: it holds most of the rows.

    >>> count_to_merge([1000, 20, 9, 5])
    3
    >>> count_to_merge([1000, 40, 5])
    1
    """
    count, size = min(len(rows), 1), rows[-1] if rows else 0
    while count + 1 < len(rows) and rows[-count - 1] < _SIZE_RATIO * size:
        size += rows[-count - 1]
        count += 1
    return count


def merge_segments(
    folder: Path,
    spans: Sequence[SegmentRange],
    *,
    is_live: Callable[[int], bool],
    int8_from: int,
) -> SegmentRange:
    """Replace adjacent segments by one merged segment; return its range.

    Args:
        folder: Folder of the segments.
        spans: Ranges of the segments to merge, in order.
        is_live: Returns whether a file number still belongs to a document; the texts
            of other files are left out.
        int8_from: Number of rows from which vectors are stored as 8-bit integers.
    """
    merged, *others = spans
    for other in others:
        merged = merged.merge(other)
    staging = folder / ".joined"
    staging.mkdir()
    old = [folder / source.name for source in spans]
    merge_texts(
        [path / "texts.db" for path in old], staging / "texts.db", is_live=is_live
    )
    first = VectorFile(old[0] / "vectors.faiss")
    writer = VectorsWriter(staging / "vectors.faiss", first.dimension)
    for path in old:
        vectors = VectorFile(path / "vectors.faiss")
        for start in range(0, len(vectors), _BATCH):
            count = min(_BATCH, len(vectors) - start)
            writer.add(vectors.get_range(start, count).astype(np.float16))
    writer.close(int8_from=int8_from)
    records = [np.load(path / "records.npy") for path in old]
    np.save(staging / "records.npy", np.concatenate(records))
    for path in old:
        shutil.rmtree(path)
    os.replace(staging, folder / merged.name)
    return merged
