"""The app that tests of the server share; those that change it make their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import EmbedSettings, Settings
from tests.serve.api.world import World, make_index, serving


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Settings:
    """Give settings with an index of the notes, which no test changes."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("served") / "data",
        embed=EmbedSettings(model=str(tiny_encoder)),
    )
    make_index(settings)
    return settings


@pytest.fixture(scope="module")
def world(indexed: Settings) -> Iterator[World]:
    """Give a running app on that index; anonymous questions are off."""
    with serving(indexed, questions_per_minute=10_000) as world:
        yield world
