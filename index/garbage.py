"""Removes blobs and extracted pages that no document of the catalog refers to.

Purged documents and replaced file versions leave such files behind. The caller must
hold the lock of the data folder.
"""

from pathlib import Path

from dunegpt.datadir import DataDir
from dunegpt.ingest.blobs import BlobStore
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.figure_descriptions import find_descriptions
from dunegpt.ingest.page_store import PageStore


def find_orphans(catalog: Catalog, paths: DataDir) -> tuple[list[Path], list[Path]]:
    """Return the unreferenced blob files and page files, each sorted.

    Includes temporary files left by killed runs.
    """
    blobs = BlobStore(paths.blobs)
    pages = PageStore(paths.pages, blobs)
    live_blobs, live_pages = set(), set()
    for observed in catalog.iter_observed():
        for file in observed.document.files:
            if file.sha256:
                live_blobs.add(blobs.path(file.sha256))
                live_pages |= {pages.path(file), find_descriptions(pages, file)}
    stale = [*paths.blobs.glob(".new-*"), *paths.root.glob(".overlay-*")]
    stale_pages = paths.pages.glob("*/.new-*")
    return (
        sorted({*_list_files(paths.blobs), *stale} - live_blobs),
        sorted({*_list_files(paths.pages), *stale_pages} - live_pages),
    )


def remove_orphans(catalog: Catalog, paths: DataDir) -> tuple[int, int]:
    """Remove unreferenced blobs and pages; return the number of each."""
    blobs, pages = find_orphans(catalog, paths)
    for path in (*blobs, *pages):
        path.unlink(missing_ok=True)
    return len(blobs), len(pages)


def _list_files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]
