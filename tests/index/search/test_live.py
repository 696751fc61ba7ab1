"""A server's searcher: the newest snapshot within seconds, and no question dropped."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dunegpt.access import NOBODY, Access
from dunegpt.config import AccessSettings, RerankSettings, Settings
from dunegpt.errors import IndexBrokenError, IndexMissingError
from dunegpt.index import manage
from dunegpt.index.build import build
from dunegpt.index.search import live
from dunegpt.index.search.live import LiveSearcher
from dunegpt.index.search.open import SearcherOpener, open_searcher
from dunegpt.index.search.searcher import Searcher
from dunegpt.types import FoundBy
from simulators.cross_encoder import make_pair_model
from tests.index.corpus import PUBLIC, document, fill, readers

LAR = readers("n:lar")


def index(settings: Settings, *texts: str, access: Access = PUBLIC) -> str:
    """Index a document for each text; return the snapshot's id."""
    corpus = [
        (document(f"n:{n}", access=access), {"a.txt": [text]})
        for n, text in enumerate(texts)
    ]
    fill(settings, corpus)
    return build(settings).snapshot


def found(searcher: LiveSearcher, reader: Access = NOBODY) -> list[str]:
    with searcher.searcher() as now:
        return [hit.passage.text for hit in now.as_reader(reader).search("valve").hits]


@pytest.fixture
def served(settings: Settings) -> Iterator[LiveSearcher]:
    settings.data.mkdir(parents=True, exist_ok=True)
    index(settings, "The valve is at 5 bar.")
    searcher = LiveSearcher(settings, interval_s=0)
    yield searcher
    searcher.close()


def test_takes_the_new_one(served: LiveSearcher, settings: Settings) -> None:
    assert not served.refresh()
    index(settings, "The valve is at 6 bar.")
    assert found(served) == ["The valve is at 5 bar."]
    assert served.refresh()
    assert found(served) == ["The valve is at 6 bar."]


def test_the_thread_does(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True)
    index(settings, "The valve is at 5 bar.")
    searcher = LiveSearcher(settings, interval_s=0.02)
    index(settings, "The valve is at 7 bar.")
    deadline = time.monotonic() + 20
    while found(searcher) != ["The valve is at 7 bar."]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    searcher.close()


@pytest.mark.slow
def test_who_searches_goes_on_with_the_old_one(
    served: LiveSearcher, settings: Settings
) -> None:
    with served.searcher() as before:
        index(settings, "The valve is at 6 bar.")
        assert served.refresh()
        [hit] = before.as_reader(NOBODY).search("valve").hits
        assert hit.passage.text.endswith("5 bar.")
        assert found(served) == ["The valve is at 6 bar."]
    with pytest.raises(IndexBrokenError):  # nobody uses it, so it is closed
        before.as_reader(NOBODY).search("valve")


@pytest.mark.slow
def test_no_question_is_dropped(served: LiveSearcher, settings: Settings) -> None:
    """Four threads ask while snapshots come, are collected, and come again."""
    stop, errors = threading.Event(), list[BaseException]()
    asked = [0]

    def ask() -> None:
        while not stop.is_set():
            try:
                assert len(found(served)) == 1
                asked[0] += 1
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(5):
        index(settings, f"The valve is at {number + 10} bar.")
        assert served.refresh()
        manage.remove_old(settings, 1)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert asked[0] > 20


@pytest.mark.slow
@pytest.mark.parametrize("how", ["missing", "damaged", "other format"])
def test_a_broken_one_is_refused(
    served: LiveSearcher, settings: Settings, how: str
) -> None:
    index(settings, "The valve is at 6 bar.")
    folder = settings.paths.current_snapshot.resolve()
    if how == "missing":
        folder.rename(folder.with_name("away"))
    elif how == "damaged":
        path = folder / "row_access.npy"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        path = folder / "manifest.json"
        path.write_text(path.read_text().replace('"format": 4', '"format": 5'))
    assert not served.refresh()
    assert served.rejection_reason
    assert found(served) == ["The valve is at 5 bar."]
    index(settings, "The valve is at 7 bar.")
    assert served.refresh()
    assert not served.rejection_reason
    assert found(served) == ["The valve is at 7 bar."]


@pytest.mark.slow
def test_a_closed_document_is_closed_at_once(
    served: LiveSearcher, settings: Settings
) -> None:
    """The overlay alone, without any new snapshot; and with a broken one, too."""
    corpus = [(document("n:0", access=LAR), {"a.txt": ["The valve is at 5 bar."]})]
    fill(settings, corpus)
    assert served.refresh()
    assert found(served) == []
    assert found(served, LAR) == ["The valve is at 5 bar."]
    folder = settings.paths.current_snapshot.resolve()
    copy = folder.with_name("0" * 24)
    copy.mkdir()
    (copy / "manifest.json").write_text("no json")
    settings.paths.current_snapshot.unlink()
    settings.paths.current_snapshot.symlink_to(copy.name)
    fill(settings, [(document("n:0", access=NOBODY), corpus[0][1])])
    assert not served.refresh()
    assert served.rejection_reason
    assert found(served, LAR) == []


@pytest.mark.slow
def test_without_a_record_of_access_only_what_is_public(
    served: LiveSearcher, settings: Settings
) -> None:
    index(settings, "The valve is at 5 bar.", access=LAR)
    assert served.refresh()
    assert found(served, LAR) == ["The valve is at 5 bar."]
    settings.paths.overlay.write_bytes(b"damaged" * 100)
    assert served.refresh()
    assert found(served, LAR) == []
    with served.searcher() as searcher:
        assert "only public documents" in searcher.revocations.notice
    settings.paths.overlay.unlink()
    assert served.refresh()
    assert found(served, LAR) == []


@pytest.mark.slow
def test_access_that_gets_old_while_serving(
    served: LiveSearcher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(settings, "The valve is at 5 bar.", access=LAR)
    assert served.refresh()
    assert found(served, LAR) == ["The valve is at 5 bar."]
    soon = settings.model_copy(
        update={"access": AccessSettings(max_overlay_age_h=1e-9)}
    )
    monkeypatch.setattr(served, "_opener", SearcherOpener.from_settings(soon))
    assert served.refresh()
    assert found(served, LAR) == []
    assert not served.refresh()


@pytest.mark.slow
def test_a_clock_that_is_set_back_while_serving(
    served: LiveSearcher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(settings, "The valve is at 5 bar.", access=LAR)
    assert served.refresh()

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(UTC) - timedelta(hours=2)

    monkeypatch.setattr("dunegpt.index.search.revocations.datetime", Earlier)
    assert served.refresh()
    assert found(served, LAR) == []
    with served.searcher() as searcher:
        assert "future" in searcher.revocations.notice
    assert not served.refresh()


def flip_text(settings: Settings) -> None:
    path = next(settings.paths.current_snapshot.glob("parts/*/texts.db"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with path.open("r+b") as file:  # the file that is open, not another
        file.write(content)


def test_damage_while_serving(
    served: LiveSearcher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.refresh()
    served.check()
    assert found(served)
    flip_text(settings)
    assert not served.refresh(), "files are not looked at before each question"
    monkeypatch.setattr(live, "_CHECK_EVERY_S", -1)
    assert not served.refresh()
    for _ in range(2):
        with pytest.raises(IndexBrokenError, match=r"texts\.db") as caught:
            found(served)
        assert "--rebuild" in caught.value.hint
    before = settings.paths.current_snapshot.resolve()
    assert build(settings).published, "the same snapshot, written again"
    assert settings.paths.current_snapshot.resolve() == before
    assert served.refresh()
    assert found(served)


def test_a_server_checks_large_files_while_it_answers(
    served: LiveSearcher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MAX_WAIT_BYTES", 0)
    for name in ("_SMALL_BYTES", "_TINY_BYTES"):
        monkeypatch.setattr(f"dunegpt.index.snapshot.snapshot.{name}", 0)
    flip_text(settings)
    with closing(LiveSearcher(settings, interval_s=60, prefetch=False)) as server:
        deadline = time.monotonic() + 20
        with pytest.raises(IndexBrokenError, match=r"texts\.db"):
            while time.monotonic() < deadline:
                with server.searcher():
                    time.sleep(0.01)


def test_a_removed_snapshot_is_not_damaged(
    served: LiveSearcher, settings: Settings
) -> None:
    assert found(served)
    folder = settings.paths.current_snapshot.resolve()
    folder.rename(folder.with_name("away"))
    served.check()
    assert found(served)


@pytest.fixture
def reranking(settings: Settings, tmp_path: Path) -> Settings:
    """Index a note under settings that name a reranker."""
    folder = make_pair_model(tmp_path / "cross", {"valve": [1.0]})
    settings = settings.model_copy(update={"rerank": RerankSettings(model=str(folder))})
    index(settings, "The valve is at 5 bar.")
    return settings


def assert_reranked(searcher: Searcher, text: str) -> None:
    assert searcher.reranker is not None
    [hit] = searcher.as_reader(LAR).search("valve").hits
    assert (hit.passage.text, hit.found_by) == (text, FoundBy.RERANKED)


def test_one_question_and_a_server_are_opened_alike(reranking: Settings) -> None:
    with closing(open_searcher(reranking)) as searcher:
        assert_reranked(searcher, "The valve is at 5 bar.")
    with (
        closing(LiveSearcher(reranking, interval_s=0)) as served,
        served.searcher() as searcher,
    ):
        assert_reranked(searcher, "The valve is at 5 bar.")


@pytest.mark.slow
def test_a_reload_keeps_the_reranker(reranking: Settings) -> None:
    """Loaded once: with a new snapshot, a new overlay, and a broken snapshot."""
    with closing(LiveSearcher(reranking, interval_s=0)) as served:
        with served.searcher() as searcher:
            first = searcher.reranker
        index(reranking, "The valve is at 6 bar.")
        assert served.refresh()
        with served.searcher() as searcher:
            assert searcher.reranker is first
            assert_reranked(searcher, "The valve is at 6 bar.")
        fill(reranking, [(document("n:0"), {"a.txt": ["The valve is at 6 bar."]})])
        assert served.refresh()
        with served.searcher() as searcher:
            assert searcher.reranker is first
        current = reranking.paths.current_snapshot
        target = current.resolve()
        current.unlink()
        copy = target.with_name("0" * 24)
        copy.mkdir()
        (copy / "manifest.json").write_text("no json")
        current.symlink_to(copy.name)
        fill(
            reranking,
            [(document("n:0", access=LAR), {"a.txt": ["The valve is at 6 bar."]})],
        )
        assert not served.refresh()
        assert served.rejection_reason
        assert found(served) == []
        with served.searcher() as searcher:
            assert searcher.reranker is first
            assert_reranked(searcher, "The valve is at 6 bar.")


def test_nothing_to_open(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        LiveSearcher(settings)
    assert not [t for t in threading.enumerate() if t.name == "snapshot-watch"]
    assert live.log.name == "dunegpt.index.search.live"
