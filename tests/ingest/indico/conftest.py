"""The site that most of these tests crawl, and the tokens of its accounts."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dunegpt.ingest.http import PoliteClient

pytest.register_assert_rewrite("tests.ingest.indico.site")

from tests.ingest.indico.site import ACCOUNTS, Site  # noqa: E402 - rewritten by pytest


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each account its token, and let the crawl ask once and not wait."""
    client = partial(PoliteClient, attempts=1, sleep=lambda seconds: None)
    monkeypatch.setattr("dunegpt.ingest.sync.PoliteClient", client)
    for name in ACCOUNTS:
        monkeypatch.setenv(f"TOKEN_{name.upper()}", name)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Yield a site that nothing has been crawled from yet."""
    with Site(tmp_path / "data") as found:
        yield found
