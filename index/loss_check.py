"""Counts the files that the current snapshot holds and that cannot be read any more.

A host with too little memory, or without a program, fails on most files at once; an
index without them must not replace a good one. Does not depend on why reading failed.
"""

from collections import Counter
from collections.abc import Iterable

from dunegpt.errors import PartlyReadError, UnreadableFilesError
from dunegpt.index.shards import ShardEntry
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.ingest.loss_guard import is_mass_loss
from dunegpt.text.patterns import compile_re
from dunegpt.types import Document, Failure

_VARIABLE = compile_re(r"\d+|'[^']*'|\"[^\"]*\"")
"""What differs between messages for the same reason."""


class LossCheck:
    """Compares the files of a new snapshot with those of the current one."""

    def __init__(self, current: Snapshot | None) -> None:
        """Compare with a snapshot; with None, no file counts as lost."""
        self._current = current
        self._lost: list[Failure] = []

    def observe(
        self, document: Document, entry: ShardEntry, failures: Iterable[Failure]
    ) -> None:
        """Count the files of a document that are lost.

        Args:
            document: The document as in the catalog.
            entry: Its passages.
            failures: The failures of its files, which have ids like ``n:1#a.pdf``.
        """
        if self._current is None:
            return
        present = {passage.file_key for passage in entry.passages}
        by_key = {
            failure.id.removeprefix(f"{document.id}#"): failure
            for failure in failures
            if failure.error != PartlyReadError.__name__
        }
        for key, failure in by_key.items():
            pages = self._current.store.get_pages(document.id, key)
            if key not in present and any(page.text.strip() for page in pages):
                self._lost.append(failure)

    def raise_on_mass_loss(self) -> None:
        """End the run if too many files are lost.

        Raises:
            UnreadableFilesError: More than 20 files and 5 % of those that the current
                snapshot holds are lost.
        """
        lost = len(self._lost)
        if self._current is None or not is_mass_loss(lost, 0):
            return
        readable = self._current.store.count_readable_files()
        if not is_mass_loss(lost, readable):
            return
        reasons = Counter(_VARIABLE.sub("", f.message) for f in self._lost)
        [(reason, count)] = reasons.most_common(1)
        example = next(f for f in self._lost if _VARIABLE.sub("", f.message) == reason)
        raise UnreadableFilesError(
            f"{lost} of {readable} files of the current index cannot be read any more,"
            f" so it stays in use and nothing was published. Most frequent reason"
            f" ({count} files): {example.message} ({example.id})"
        )
