"""A fake source in the place of the configured one."""

from pathlib import Path

import pytest

from dunegpt.config import Settings
from dunegpt.ingest import crawl as crawl_module
from tests.ingest.fake import FakeSource


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> FakeSource:
    fake = FakeSource()
    monkeypatch.setattr(crawl_module, "open_source", lambda name, settings: fake)
    return fake


@pytest.fixture
def plain(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")
