"""Asks a folder of files without any settings: it is crawled and indexed first.

The index lies in the user's cache, one for each folder, and is brought up to date at
each call. Its documents belong to a principal made for that folder, so that nothing in
it is ever public. What is asked of a folder leaves no receipt.
"""

import hashlib
from pathlib import Path

from dunegpt.config import ReceiptsTable, Settings, SourceTable, cache_dir
from dunegpt.errors import UsageError
from dunegpt.index.build import Progress, build
from dunegpt.ingest.crawl import crawl
from dunegpt.types import Access

_NAME = "folder"


def indexed_folder(
    folder: Path, settings: Settings, *, progress: Progress
) -> tuple[Settings, Access, list[str]]:
    """Return settings for asking the folder, its reader, and what could not be read.

    Args:
        folder: With the files.
        settings: The models are taken from here.
        progress: Told how far reading and embedding are.

    Raises:
        UsageError: There is no such folder, or it holds no files.
    """
    root = folder.expanduser().resolve()
    digest = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    principal = f"{_NAME}:{digest}"
    table = SourceTable(type="folder", path=str(root), access=[principal])
    own = settings.model_copy(
        update={
            "data_dir": cache_dir() / "folders" / digest,
            "sources": {_NAME: table},
            "receipts": ReceiptsTable(enabled=False),
        }
    )
    report = crawl(_NAME, own, accept_loss=True)
    if report.error:
        raise UsageError(report.error.partition(": ")[2], hint=report.hint)
    failures = {f.id: f for f in report.failures}
    failures |= {f.id: f for f in build(own, progress=progress).failures}
    notices = [
        f"{f.id.partition('#')[2] or f.id} could not be read: {f.message}"
        for f in failures.values()
    ]
    return own, frozenset({principal}), notices
