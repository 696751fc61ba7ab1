"""Simulates a crawl that is killed (SIGKILL) between two writes to the catalog."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock, patch

from dunegpt.ingest.catalog.database import Catalog


class Killed(BaseException):
    """The process is gone: nothing after it is executed."""


def run_until_killed(crawl: Callable[[], object], after: int) -> bool:
    """Crawl, and abort after some writes.

    Returns:
        Whether it was aborted; otherwise it finished.
    """
    count = 0
    write = Catalog._write_transaction

    @contextmanager
    def counted(catalog: Catalog) -> Iterator[Any]:
        nonlocal count
        count += 1
        if count == after + 1:
            raise Killed
        if count > after:
            yield MagicMock()  # cleanup code that still runs writes nothing
            return
        with write(catalog) as db:
            yield db

    with patch.object(Catalog, "_write_transaction", counted):
        try:
            crawl()
        except Killed:
            return True
    return False
