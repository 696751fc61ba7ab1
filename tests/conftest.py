"""What all tests share: an environment of their own, a tiny encoder, a small corpus."""

import functools
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import settings as hypothesis_settings

from dunegpt.config import EmbedSettings, Settings, SourceSettings
from simulators.encoder import make_encoder
from tests.clock import (  # noqa: F401 - hooks of pytest
    pytest_addoption,
    pytest_configure,
    pytest_report_header,
)
from tests.kept_readers import KeptReaders
from tests.made_once import MakeOnce

_ssl_context = functools.cache(httpx.create_ssl_context)
hypothesis_settings.register_profile("check", max_examples=15)
"""Of `make check`; `make test` runs the hundred examples of the default profile."""


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an empty home, cache and working folder, and no variables."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.delenv("DUNEGPT_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(home)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let tests connect to this machine only."""
    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1"}:
            raise AssertionError(f"a test connects to {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)
    yield


@pytest.fixture(autouse=True)
def one_trust_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load the certificates of all authorities once, not for each client."""
    monkeypatch.setattr("httpx._transports.default.create_ssl_context", _ssl_context)


@pytest.fixture(autouse=True)
def no_trained_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let answers be the same whether dunegpt-reader is installed or not."""
    monkeypatch.setattr("dunegpt.serve.answer.reader.PACKAGE", "no_such_package")


@pytest.fixture(scope="session")
def kept_readers() -> Iterator[KeptReaders]:
    """Give the child processes that read files, for all tests."""
    readers = KeptReaders()
    yield readers
    readers.stop()


@pytest.fixture(autouse=True)
def own_readers(kept_readers: KeptReaders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests share those children; a folder that tests them has another fixture."""
    kept_readers.install(monkeypatch)


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> MakeOnce:
    """Give what makes a folder for the first test and copies it for all others."""
    return MakeOnce(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a tiny exported encoder."""
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def one_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for tests that need the same path."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path, one_place: Path) -> Path:
    """Give an empty folder; tests marked ``same_place`` get the same one in turn.

    A folder that was crawled and indexed by its path can then be made once and copied.
    """
    if request.node.get_closest_marker("same_place") is None:
        return tmp_path
    shutil.rmtree(one_place)
    one_place.mkdir()
    return one_place


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """Give an empty folder for documents."""
    folder = tmp_path / "papers"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, papers: Path, tiny_encoder: Path) -> Settings:
    """Give settings with one public folder source, called papers."""
    return Settings(
        data_dir=tmp_path / "data",
        sources={
            "papers": SourceSettings(type="folder", path=str(papers), access=["public"])
        },
        embed=EmbedSettings(model=str(tiny_encoder)),
    )


@pytest.fixture
def config_file(
    tmp_path: Path, papers: Path, tiny_encoder: Path
) -> Callable[[str], Path]:
    """Give a function that writes ``dunegpt.toml``, with more text below, if any."""

    def write(more: str = "") -> Path:
        path = tmp_path / "dunegpt.toml"
        path.write_text(
            f'data_dir = "data"\n[embed]\nmodel = "{tiny_encoder}"\n'
            f'[sources.papers]\ntype = "folder"\npath = "{papers}"\n'
            f'access = ["public"]\n{more}',
            encoding="utf-8",
        )
        return path

    return write
