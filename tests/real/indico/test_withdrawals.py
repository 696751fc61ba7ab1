"""Asks a real Indico for each object again, before and after some were closed.

What it says by short requests agrees with what it says of its objects, for every object
and file of every principal: nothing that is closed by now is taken for open, nor the
reverse.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from dunegpt.access import NOBODY, PUBLIC, Access, intersect_access
from dunegpt.ingest.access_check import ShownDocument
from dunegpt.ingest.confirm import AccessConfirmer
from dunegpt.types import Document
from simulators.indico.commands import Clerk
from simulators.indico.compare import true_access
from simulators.indico.server import IndicoServer
from simulators.indico.site import ACCOUNTS, BOARD, MEMBER, Site, site

pytestmark = pytest.mark.indico

CLOSED = ("event", "talk", "file", "folder", "category")


def test_what_is_closed_since_the_crawl_is_told_at_once(
    indico: IndicoServer,
    clerk: Clerk,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    larch = site(
        indico,
        tmp_path,
        tiny_encoder,
        monkeypatch,
        confirm=True,
        confirm_per_hour=10**6,
    )
    assert larch.crawl().error == ""
    assert compare(larch, true_access(clerk.objects(), ACCOUNTS)) == 0
    larch.settings.paths.confirmations.unlink()
    try:
        for what in CLOSED:
            clerk.step(f"close-{what}")
        assert compare(larch, true_access(clerk.objects(), ACCOUNTS)) > 5
    finally:
        for what in CLOSED:
            clerk.step(f"open-{what}")


def compare(larch: Site, now: Mapping[str, Access]) -> int:
    """Compare what the site says of each object with the truth; return how many closed.

    An object counts as open to a reader if it is by one of the principals by which our
    records open it.
    """
    access = larch.settings.access.model_copy(update={"confirm_budget_ms": 60_000})
    settings = larch.settings.model_copy(update={"access": access})
    confirmer = AccessConfirmer(settings)
    differences, count = [], 0
    try:
        for principal in (PUBLIC, MEMBER, BOARD):
            reader = frozenset({principal, PUBLIC})
            for key, document in larch.documents().items():
                if not document.access & reader:
                    continue
                shown = show(document, reader)
                session = confirmer.start(reader)
                found = bool(session.find_closed([shown]))
                assert session.describe() == [], (key, principal)
                count += found
                if found != is_closed(key, shown, reader, now):
                    differences.append((key, principal, found))
    finally:
        confirmer.close()
    assert differences == []
    return count


def show(document: Document, reader: Access) -> ShownDocument:
    """Return a document as the reader is shown it, with all of their files."""
    files = tuple(
        file
        for file in document.files
        if intersect_access(document.access, file.access) & reader
    )
    own = replace(document, files=files)
    return ShownDocument(own, frozenset(file.key for file in files))


def is_closed(
    key: str, shown: ShownDocument, reader: Access, now: Mapping[str, Access]
) -> bool:
    """Return whether the document, or an attached file, is closed by the truth."""
    recorded = {key: shown.document.access} | {
        f"{key}#{file.key}": intersect_access(shown.document.access, file.access)
        for file in shown.document.files
        if file.key[1:].isdecimal()
    }
    for name, access in recorded.items():
        current = now.get(name, NOBODY)
        if PUBLIC not in current and not access & reader & current:
            return True
    return False
