"""What all tests share: an environment of their own, a tiny encoder, a small corpus."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import EmbedTable, Settings, SourceTable
from tests.encoder import make_encoder


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


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a tiny exported encoder."""
    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


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
            "papers": SourceTable(type="folder", path=str(papers), access=["public"])
        },
        embed=EmbedTable(model=str(tiny_encoder)),
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
