"""Crawls and indexes a local folder, so that it can be asked without any settings.

Each folder has its own index in the user's cache, updated at each call. Its documents
are readable only for a principal of that folder, so none of them is ever public.
Questions about a folder leave no receipts.
"""

import hashlib
from pathlib import Path

from dunegpt.access import Access
from dunegpt.config import (
    ReceiptsSettings,
    Settings,
    SourceSettings,
    StorageSettings,
    get_cache_dir,
)
from dunegpt.errors import UsageError
from dunegpt.index.build import Progress, build
from dunegpt.ingest.crawl import crawl

_SOURCE_NAME = "folder"


def index_folder(
    folder: Path, settings: Settings, *, progress: Progress
) -> tuple[Settings, Access, list[str]]:
    """Return settings and principals to ask the folder with, and notices on failures.

    Args:
        folder: Folder with the files.
        settings: Settings with the models to use.
        progress: Callback for the progress of reading and embedding.

    Raises:
        UsageError: The folder does not exist or has no files.
    """
    root = folder.expanduser().resolve()
    digest = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    principal = f"{_SOURCE_NAME}:{digest}"
    table = SourceSettings(type="folder", path=str(root), access=[principal])
    folder_settings = settings.model_copy(
        update={
            "data_dir": get_cache_dir() / "folders" / digest,
            "sources": {_SOURCE_NAME: table},
            "receipts": ReceiptsSettings(enabled=False),
            "storage": StorageSettings(),
        }
    )
    report = crawl(_SOURCE_NAME, folder_settings, accept_loss=True)
    if report.error:
        raise UsageError(report.error.partition(": ")[2], hint=report.hint)
    failures = {f.id: f for f in report.failures}
    built = build(folder_settings, progress=progress)
    failures |= {f.id: f for f in built.failures}
    notices = [
        f"{f.id.partition('#')[2] or f.id} could not be read: {f.message}"
        for f in failures.values()
    ]
    return folder_settings, frozenset({principal}), notices
