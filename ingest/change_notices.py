"""Change notices: ids of documents that were reported as changed, to be crawled first.

For anything that learns of changes before polling does: a web hook, Indico's LiveSync,
a person. Each notice is a separate file in the data folder, written atomically, so that
it may arrive during a crawl; it is removed after a good run has read its documents.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from dunegpt.datadir import DataDir
from dunegpt.errors import UsageError
from dunegpt.files import write_atomically


def write_notice(data: Path, source: str, ids: Iterable[str]) -> int:
    """Write a notice that documents have changed; return the number of its ids.

    Raises:
        UsageError: There is no id, or one with a line break in it.
        StorageError: The disk is full.
    """
    named = list(dict.fromkeys(i.strip() for i in ids if i.strip()))
    if not named or any(len(i.splitlines()) > 1 for i in named):
        raise UsageError("A notice needs document ids, one per line.")
    # The name only needs to sort by time.
    path = _folder(data, source) / f"{time.time_ns():020}.txt"
    DataDir(data).prepare()
    write_atomically(path, "\n".join(named).encode() + b"\n")
    return len(named)


def list_pending(data: Path, source: str) -> list[Path]:
    """Return the files of the pending notices, the oldest first."""
    return sorted(_folder(data, source).glob("[0-9]*.txt"))


def read_ids(notices: Sequence[Path]) -> list[str]:
    """Return the ids in notices, without duplicates."""
    lines = (n.read_text(encoding="utf-8", errors="replace") for n in notices)
    return list(dict.fromkeys(i for text in lines for i in text.split("\n") if i))


def remove_notices(notices: Sequence[Path]) -> None:
    """Remove notices after a good run has read their documents."""
    for path in notices:
        path.unlink(missing_ok=True)


def _folder(data: Path, source: str) -> Path:
    return DataDir(data).notices / source.replace("/", "_")
