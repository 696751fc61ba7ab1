"""Change notices: ids that somebody says have changed, looked at first by a crawl.

The port for whatever knows of changes earlier than polling does: a web hook, Indico's
LiveSync, a person. Each notice is a file of its own in the data folder, written whole,
so that one may come while a crawl is at work; it goes when a good run has looked.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from dunegpt.errors import UsageError
from dunegpt.ingest.blobs import write_whole


def leave(data: Path, source: str, ids: Iterable[str]) -> int:
    """Leave a notice that documents have changed; return how many ids it has.

    Raises:
        UsageError: There is no id, or one with a line break in it.
        StorageError: The disk is full.
    """
    named = list(dict.fromkeys(i.strip() for i in ids if i.strip()))
    if not named or any(len(i.splitlines()) > 1 for i in named):
        raise UsageError("A notice takes ids of documents, one a line.")
    # Behind a snapshot's or a run's names stands a hash; here only the order counts.
    path = _folder(data, source) / f"{time.time_ns():020}.txt"
    write_whole(path, "\n".join(named).encode() + b"\n")
    return len(named)


def waiting(data: Path, source: str) -> list[Path]:
    """Return the files of the notices that wait, the oldest first."""
    return sorted(_folder(data, source).glob("[0-9]*.txt"))


def ids(notices: Sequence[Path]) -> list[str]:
    """Return the ids that notices name, each once."""
    lines = (n.read_text(encoding="utf-8", errors="replace") for n in notices)
    return list(dict.fromkeys(i for text in lines for i in text.split("\n") if i))


def done(notices: Sequence[Path]) -> None:
    """Take notices away after a good run has looked at their ids."""
    for path in notices:
        path.unlink(missing_ok=True)


def _folder(data: Path, source: str) -> Path:
    return data / "notices" / source.replace("/", "_")
