"""What was closed at home is closed here at once, before any new index."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY, Access
from dunegpt.config import AccessSettings, Settings
from dunegpt.errors import IndexBrokenError
from dunegpt.index.build import build
from dunegpt.index.search import reader_view
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.ranking import Ranking
from dunegpt.index.search.revocations import read_revocations
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import crawl
from dunegpt.llm_settings import LLMSettings
from dunegpt.types import Finished, Notice, Outcome, Sentence
from tests.made_once import MakeOnce
from tests.serve.asking import answer

pytestmark = pytest.mark.same_place

LAR = frozenset({"papers:LAr"})
BOARD = frozenset({"papers:board"})


def write(papers: Path, **access: list[str]) -> None:
    """Write one document for each name, with the access given."""
    for name in access:
        (papers / f"{name}.md").write_text(
            f"# {name}\n\nThe {name} valve is at 5 bar.\n"
        )
    entries = (
        f'[[document]]\nid = "D-{number}"\ntitle = "{name}"\n'
        f'access = {json.dumps(who)}\nfiles = ["{name}.md"]\n'
        for number, (name, who) in enumerate(access.items(), start=1)
    )
    (papers / "documents.toml").write_text("\n".join(entries))


def found(settings: Settings, reader: Access, question: str = "valve") -> set[str]:
    """Return titles of what a reader finds, by all three rankings alike."""
    searcher = open_searcher(settings)

    titles = [
        {
            hit.document.title
            for hit in searcher.as_reader(reader).search(question, None, 50, r).hits
        }
        for r in Ranking
    ]
    assert titles[0] == titles[1] == titles[2]
    return titles[0]


@pytest.fixture
def indexed(
    settings: Settings, papers: Path, tmp_path: Path, make_once: MakeOnce
) -> Iterator[Settings]:
    def make() -> None:
        write(papers, alpha=["public"], beta=["papers:LAr"], gamma=["papers:LAr"])
        crawl("papers", settings)
        build(settings)

    make_once("revocations", tmp_path, make)
    assert found(settings, LAR) == {"alpha", "beta", "gamma"}
    yield settings


@pytest.mark.slow
def test_narrowed_and_removed_without_a_new_index(
    indexed: Settings, papers: Path
) -> None:
    write(papers, alpha=["papers:LAr"], beta=["papers:board"], gamma=["papers:LAr"])
    (papers / "gamma.md").unlink()
    crawl("papers", indexed)
    assert found(indexed, NOBODY) == set()
    assert found(indexed, LAR) == {"alpha"}
    assert found(indexed, BOARD) == set(), "the overlay never widens"
    searcher = open_searcher(indexed)
    assert searcher.as_reader(NOBODY).find_documents("D-1") == []
    (shown, _), *_ = searcher.as_reader(LAR).find_documents("D-1")
    assert shown.access == LAR
    assert {file.access for file in shown.files} == {LAR}
    hidden, unknown = (
        searcher.as_reader(NOBODY).search(name) for name in ("D-1", "D-9")
    )
    assert (hidden.hits, hidden.unknown) == (unknown.hits, unknown.unknown) == ((), ())
    build(indexed)
    assert found(indexed, BOARD) == {"beta"}


def test_opened_only_by_a_new_index(indexed: Settings, papers: Path) -> None:
    write(papers, alpha=["public"], beta=["public"], gamma=["papers:LAr"])
    crawl("papers", indexed)
    assert found(indexed, NOBODY) == {"alpha"}
    build(indexed)
    assert found(indexed, NOBODY) == {"alpha", "beta"}


def test_no_record_of_access_leaves_what_is_public(indexed: Settings) -> None:
    indexed.paths.overlay.unlink()
    assert found(indexed, LAR) == {"alpha"}
    events = list(answer("Where is the beta valve?", indexed, reader=LAR))
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert any("no record of current access rights" in text for text in notices)
    assert not [e for e in events if isinstance(e, Sentence) and "beta" in e.text]


@pytest.mark.parametrize(("age_h", "titles"), [(23, 3), (25, 1)])
def test_an_old_record_leaves_what_is_public(
    indexed: Settings, monkeypatch: pytest.MonkeyPatch, age_h: int, titles: int
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(UTC) + timedelta(hours=age_h)

    monkeypatch.setattr("dunegpt.index.search.revocations.datetime", Later)
    assert len(found(indexed, LAR)) == titles
    assert bool(open_searcher(indexed).revocations.notice) == (titles == 1)
    longer = indexed.model_copy(update={"access": AccessSettings(max_overlay_age_h=48)})
    assert len(found(longer, LAR)) == 3


def set_last_crawl(settings: Settings, at: str) -> None:
    """Set the date of the last successful crawl in the overlay."""
    with closing(sqlite3.connect(settings.paths.overlay)) as db, db:
        db.execute("update sources set last_good_run = ?", (at,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ahead", "titles"),
    [
        (timedelta(minutes=3), 3),
        (timedelta(minutes=8), 1),
        (timedelta(days=900), 1),
    ],
)
def test_a_record_dated_in_the_future_is_stale(
    indexed: Settings, ahead: timedelta, titles: int
) -> None:
    set_last_crawl(indexed, (datetime.now(UTC) + ahead).isoformat())
    assert len(found(indexed, LAR)) == titles
    notice = open_searcher(indexed).revocations.notice
    assert ("future in papers" in notice) == (titles == 1)
    assert "not confirmed" not in notice
    crawl("papers", indexed)
    assert len(found(indexed, LAR)) == 3


@pytest.mark.parametrize("at", ["2026-01-01T00:00:00", "soon", "", "9999"])
def test_a_record_with_an_unusable_date_is_damaged(indexed: Settings, at: str) -> None:
    set_last_crawl(indexed, at)
    with pytest.raises(IndexBrokenError, match="overlay"):
        open_searcher(indexed)


def test_a_failed_crawl_does_not_renew_the_record(
    indexed: Settings, papers: Path
) -> None:
    before = open_searcher(indexed)
    catalog = Catalog(indexed.paths.catalog)
    good = catalog.last_run("papers", good=True)
    for path in papers.iterdir():
        path.unlink()
    assert crawl("papers", indexed).error
    assert catalog.last_run("papers", good=True) == good
    catalog.close()
    assert found(indexed, LAR) == {"alpha", "beta", "gamma"}
    before.snapshot.close()


@pytest.mark.slow
def test_mass_loss_hides_at_once(settings: Settings, papers: Path) -> None:
    for number in range(30):
        (papers / f"n{number}.md").write_text(f"The valve {number} is at 5 bar.\n")
    crawl("papers", settings)
    build(settings)
    assert len(found(settings, NOBODY)) == 30
    for number in range(25):
        (papers / f"n{number}.md").unlink()
    report = crawl("papers", settings)
    assert report.hidden == 25
    assert found(settings, NOBODY) == {f"n{number}.md" for number in range(25, 30)}


def test_a_model_is_not_sent_what_was_closed_since(
    indexed: Settings, papers: Path
) -> None:
    write(papers, alpha=["papers:LAr"], beta=["papers:LAr"], gamma=["papers:LAr"])
    crawl("papers", indexed)
    table = LLMSettings(base_url="http://127.0.0.1:1/v1", model="none")
    own = indexed.model_copy(update={"llm": {"local": table}})
    events = list(answer("Where is the alpha valve?", own, reader=LAR))
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.outcome is Outcome.ANSWERED, "no model was asked, so none is missed"
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert any("may be sent" in text for text in notices)


def test_a_damaged_overlay_is_an_error(indexed: Settings) -> None:
    indexed.paths.overlay.write_bytes(b"no database" * 100)
    with pytest.raises(IndexBrokenError, match="overlay"):
        open_searcher(indexed)


def test_a_damaged_document_store_is_not_blamed_on_the_overlay(
    indexed: Settings,
) -> None:
    folder = indexed.paths.current_snapshot.resolve()
    content = (folder / "documents.db").read_bytes()
    for damage in (content.replace(b'["p', b"[~p"), content[:4096] + b"x" * 9999):
        (folder / "documents.db").write_bytes(damage)
        with pytest.raises(IndexBrokenError, match=r"documents\.db") as caught:
            read_revocations(
                folder, ["papers"], indexed.paths.overlay, timedelta(days=1)
            )
        assert "--rebuild" in caught.value.hint


def test_what_many_readers_may_find_is_kept_for_a_few_only(
    indexed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_view, "_MASK_BYTES", 9)  # three masks of three rows
    searcher = open_searcher(indexed)
    kept = []
    for number in range(8):
        for reader, count in ((LAR, 3), (BOARD, 1), (frozenset({f"p:{number}"}), 1)):
            assert (
                len(searcher.as_reader(reader).search("valve", None, 9).hits) == count
            )
            kept.append(len(searcher.masks))
    assert max(kept) == 3
