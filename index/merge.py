"""Joins parts of a snapshot, so that there are never many; row numbers stay.

Each run of `dunegpt index` adds a part. Parts are joined like digits are carried: a
part is joined with the one before it until that one is much larger, so that a passage
is written again only as often as the logarithm of the number of runs.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dunegpt.index.part import Span, join_texts
from dunegpt.index.vectors import VectorFile, VectorsWriter

_BATCH = 16_384
_MUCH_LARGER = 2


def tail_to_join(rows: Sequence[int]) -> int:
    """Return how many of the last parts are joined now; 1 if none, 0 without parts.

    The first part is never joined: it is as large as all.

    >>> tail_to_join([1000, 40, 9, 5])
    3
    >>> tail_to_join([1000, 40, 5])
    1
    """
    count, size = min(len(rows), 1), rows[-1] if rows else 0
    while count + 1 < len(rows) and rows[-count - 1] < _MUCH_LARGER * size:
        size += rows[-count - 1]
        count += 1
    return count


def join(
    folder: Path,
    spans: Sequence[Span],
    *,
    is_live: Callable[[int], bool],
    int8_from: int,
) -> Span:
    """Join neighbouring parts of a folder into one, and remove them; return its span.

    Args:
        folder: Of the parts.
        spans: Of those to join, in order.
        is_live: Tells of a file number whether any document has it still; the texts of
            others are left out.
        int8_from: With so many rows vectors are kept as bytes.
    """
    span, *others = spans
    for other in others:
        span = span.joined(other)
    new = folder / ".joined"
    new.mkdir()
    old = [folder / each.name for each in spans]
    join_texts([path / "texts.db" for path in old], new / "texts.db", is_live=is_live)
    first = VectorFile(old[0] / "vectors.faiss")
    writer = VectorsWriter(new / "vectors.faiss", first.dimension)
    for path in old:
        vectors = VectorFile(path / "vectors.faiss")
        for start in range(0, len(vectors), _BATCH):
            count = min(_BATCH, len(vectors) - start)
            writer.add(vectors.run(start, count).astype(np.float16))
    writer.close(int8_from=int8_from)
    records = [np.load(path / "records.npy") for path in old]
    np.save(new / "records.npy", np.concatenate(records))
    for path in old:
        shutil.rmtree(path)
    os.replace(new, folder / span.name)
    return span
