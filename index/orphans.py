"""Removes fetched bytes and extracted pages that no document of the catalog has.

What a crawl purges and what a new version of a file replaces is left behind until
then. The caller holds the data folder's lock.
"""

from pathlib import Path

from dunegpt.ingest.blobs import Blobs
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.pages import PageStore


def orphans(catalog: Catalog, data: Path) -> tuple[list[Path], list[Path]]:
    """Return the files of blobs, and those of pages, that no document has.

    What killed runs left half written is among them.
    """
    blobs = Blobs(data / "blobs")
    pages = PageStore(data / "pages", blobs)
    live_blobs, live_pages = set(), set()
    for each in catalog.observed():
        for file in each.document.files:
            if file.sha256:
                live_blobs.add(blobs.path(file.sha256))
                live_pages.add(pages.path(file))
    left = [*(data / "blobs").glob(".new-*"), *data.glob(".overlay-*")]
    torn = (data / "pages").glob("*/.new-*")
    return (
        sorted({*_files(data / "blobs"), *left} - live_blobs),
        sorted({*_files(data / "pages"), *torn} - live_pages),
    )


def remove_orphans(catalog: Catalog, data: Path) -> tuple[int, int]:
    """Remove the blobs and pages that no document has; return how many of each."""
    blobs, pages = orphans(catalog, data)
    for path in (*blobs, *pages):
        path.unlink(missing_ok=True)
    return len(blobs), len(pages)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]
