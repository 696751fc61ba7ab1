"""A server's searcher: the newest snapshot within seconds, and no question dropped."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import AccessTable, Settings
from dunegpt.errors import IndexBrokenError, IndexMissingError
from dunegpt.index import live, snapshots
from dunegpt.index.build import build
from dunegpt.index.live import LiveSearcher
from dunegpt.ingest.overlay import FILE
from dunegpt.types import NOBODY, Access
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
        return [hit.passage.text for hit in now.search("valve", reader).hits]


@pytest.fixture
def served(settings: Settings) -> Iterator[LiveSearcher]:
    settings.data.mkdir(parents=True, exist_ok=True)
    index(settings, "The valve is at 5 bar.")
    searcher = LiveSearcher(settings, interval_s=0)
    yield searcher
    searcher.close()


def test_takes_the_new_one(served: LiveSearcher, settings: Settings) -> None:
    assert not served.look()
    index(settings, "The valve is at 6 bar.")
    assert found(served) == ["The valve is at 5 bar."]
    assert served.look()
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


def test_who_searches_goes_on_with_the_old_one(
    served: LiveSearcher, settings: Settings
) -> None:
    with served.searcher() as before:
        index(settings, "The valve is at 6 bar.")
        assert served.look()
        assert before.search("valve", NOBODY).hits[0].passage.text.endswith("5 bar.")
        assert found(served) == ["The valve is at 6 bar."]
    with pytest.raises(IndexBrokenError):  # nobody uses it, so it is closed
        before.search("valve", NOBODY)


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
        assert served.look()
        snapshots.collect(settings, 1)
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert asked[0] > 20


@pytest.mark.parametrize("how", ["missing", "damaged", "other format"])
def test_a_broken_one_is_refused(
    served: LiveSearcher, settings: Settings, how: str
) -> None:
    index(settings, "The valve is at 6 bar.")
    folder = (settings.data / "snapshots" / "current").resolve()
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
    assert not served.look()
    assert served.refused
    assert found(served) == ["The valve is at 5 bar."]
    index(settings, "The valve is at 7 bar.")
    assert served.look()
    assert not served.refused
    assert found(served) == ["The valve is at 7 bar."]


def test_a_closed_document_is_closed_at_once(
    served: LiveSearcher, settings: Settings
) -> None:
    """The overlay alone, without any new snapshot; and with a broken one, too."""
    corpus = [(document("n:0", access=LAR), {"a.txt": ["The valve is at 5 bar."]})]
    fill(settings, corpus)
    assert served.look()
    assert found(served) == []
    assert found(served, LAR) == ["The valve is at 5 bar."]
    folder = (settings.data / "snapshots" / "current").resolve()
    copy = folder.with_name("0" * 24)
    copy.mkdir()
    (copy / "manifest.json").write_text("no json")
    (settings.data / "snapshots" / "current").unlink()
    (settings.data / "snapshots" / "current").symlink_to(copy.name)
    fill(settings, [(document("n:0", access=NOBODY), corpus[0][1])])
    assert not served.look()
    assert served.refused
    assert found(served, LAR) == []


def test_without_a_record_of_access_only_what_is_public(
    served: LiveSearcher, settings: Settings
) -> None:
    index(settings, "The valve is at 5 bar.", access=LAR)
    assert served.look()
    assert found(served, LAR) == ["The valve is at 5 bar."]
    (settings.data / FILE).write_bytes(b"damaged" * 100)
    assert served.look()
    assert found(served, LAR) == []
    with served.searcher() as searcher:
        assert "only what is public" in searcher.narrowing.notice
    (settings.data / FILE).unlink()
    assert served.look()
    assert found(served, LAR) == []


def test_access_that_gets_old_while_serving(
    served: LiveSearcher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(settings, "The valve is at 5 bar.", access=LAR)
    assert served.look()
    assert found(served, LAR) == ["The valve is at 5 bar."]
    soon = settings.model_copy(update={"access": AccessTable(max_overlay_age_h=1e-9)})
    monkeypatch.setattr(served, "_settings", soon)
    assert served.look()
    assert found(served, LAR) == []
    assert not served.look()


def test_nothing_to_open(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        LiveSearcher(settings)
    assert not [t for t in threading.enumerate() if t.name == "snapshot-watch"]
    assert live.log.name == "dunegpt.index.live"
