"""The list of what was found closed at its source since the last crawl."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dunegpt.datadir import DataDir
from dunegpt.errors import IndexBrokenError
from dunegpt.ingest import change_notices
from dunegpt.ingest.revoked_now import (
    RevokedAccess,
    add_revoked,
    forget_documents,
    read_revoked,
    read_stamp,
    remove_superseded,
)

NOW = datetime(2026, 5, 4, 3, 2, 1, 250_000, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def entry(
    document: str,
    *principals: str,
    key: str = "",
    at: datetime = NOW,
    source: str = "docdb",
) -> RevokedAccess:
    who = frozenset(principals or ("public",))
    return RevokedAccess(source, document, key, who, at)


def test_what_is_added_is_read_back(tmp_path: Path) -> None:
    entries = [entry("docdb:1:1"), entry("docdb:1:1", "docdb:A", key="f"), entry("x:2")]
    add_revoked(tmp_path, entries)
    assert read_revoked(tmp_path) == entries


def test_it_does_not_exist_at_first(tmp_path: Path) -> None:
    assert read_revoked(tmp_path) == []
    assert read_stamp(tmp_path) == (0, 0)
    add_revoked(tmp_path, [])
    assert not DataDir(tmp_path).revoked_now.exists()
    assert not DataDir(tmp_path).notices.exists()


def test_each_change_shows_in_the_stamp(tmp_path: Path) -> None:
    stamps = {read_stamp(tmp_path)}
    for number in range(3):
        add_revoked(tmp_path, [entry(f"docdb:{number}:1")])
        stamps.add(read_stamp(tmp_path))
    assert len(stamps) == 4


def test_principals_add_up(tmp_path: Path) -> None:
    add_revoked(tmp_path, [entry("docdb:1:1", "docdb:A")])
    add_revoked(tmp_path, [entry("docdb:1:1", "docdb:B", at=NOW + SECOND)])
    [merged] = read_revoked(tmp_path)
    assert merged == entry("docdb:1:1", "docdb:A", "docdb:B", at=NOW + SECOND)


def test_two_principals_of_one_call_add_up(tmp_path: Path) -> None:
    both = [entry("docdb:1:1", "docdb:A"), entry("docdb:1:1", "docdb:B")]
    add_revoked(tmp_path, both)
    [merged] = read_revoked(tmp_path)
    assert merged.principals == {"docdb:A", "docdb:B"}


def test_the_next_crawl_is_told(tmp_path: Path) -> None:
    add_revoked(tmp_path, [entry("docdb:1:1"), entry("indico:7", source="indico")])
    for source, name in (("docdb", "docdb:1:1"), ("indico", "indico:7")):
        notices = change_notices.list_pending(tmp_path, source)
        assert change_notices.read_ids(notices) == [name]


def test_writers_do_not_lose_what_others_write(tmp_path: Path) -> None:
    def add(writer: int) -> None:
        for number in range(10):
            add_revoked(tmp_path, [entry(f"docdb:{writer}:{number}")])

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_revoked(tmp_path)) == 40


@pytest.mark.parametrize(
    ("observed", "is_left"),
    [
        pytest.param(None, False, id="hidden or gone"),
        pytest.param(NOW + 3 * SECOND, False, id="read by this crawl"),
        pytest.param(NOW + SECOND, True, id="read before this crawl"),
        pytest.param(NOW - SECOND, True, id="not read since"),
    ],
)
def test_a_crawl_that_read_the_document_supersedes_it(
    tmp_path: Path, observed: datetime | None, *, is_left: bool
) -> None:
    other = entry("indico:7", source="indico")
    add_revoked(tmp_path, [entry("docdb:1:1"), other])
    change_notices.remove_notices(change_notices.list_pending(tmp_path, "docdb"))
    remove_superseded(tmp_path, "docdb", NOW + 2 * SECOND, lambda name: observed)
    left = [entry("docdb:1:1")] if is_left else []
    assert read_revoked(tmp_path) == [*left, other]
    assert bool(change_notices.list_pending(tmp_path, "docdb")) == is_left


def test_what_was_found_during_the_crawl_is_left(tmp_path: Path) -> None:
    """The crawl may have read the document before that."""
    add_revoked(tmp_path, [entry("docdb:1:1")])
    remove_superseded(tmp_path, "docdb", NOW - SECOND, lambda name: NOW + SECOND)
    assert read_revoked(tmp_path) == [entry("docdb:1:1")]


def test_a_forgotten_document_is_not_named_any_more(tmp_path: Path) -> None:
    add_revoked(tmp_path, [entry("docdb:1:1"), entry("docdb:2:1")])
    assert forget_documents(tmp_path, lambda name: name == "docdb:1:1") == 1
    assert "docdb:1:1" not in DataDir(tmp_path).revoked_now.read_text()
    assert forget_documents(tmp_path, lambda name: name == "docdb:1:1") == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"format": 2, "revoked": []}',
        b'{"format": 1, "revoked": [{"source": "docdb"}]}',
        b'{"format": 1, "revoked": ["docdb:1:1"]}',
        b'{"format": 1, "revoked": null}',
    ],
)
def test_a_damaged_list_is_not_read_as_an_empty_one(
    tmp_path: Path, content: bytes
) -> None:
    DataDir(tmp_path).revoked_now.write_bytes(content)
    with pytest.raises(IndexBrokenError, match="withdrawn access"):
        read_revoked(tmp_path)
    with pytest.raises(IndexBrokenError):
        add_revoked(tmp_path, [entry("docdb:1:1")])
    assert DataDir(tmp_path).revoked_now.read_bytes() == content
