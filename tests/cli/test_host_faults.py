"""What is wrong with a host or its data is told with what to do, never "Unexpected"."""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dunegpt.cli import main
from dunegpt.config import load_settings
from dunegpt.errors import ConfigError
from dunegpt.files import describe_os_error
from dunegpt.ingest.crawl import crawl

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["dunegpt", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main.main()
        return int(stop.value.code or 0), capsys.readouterr().err

    return call


@pytest.fixture
def file(config_file: Callable[[str], Path], papers: Path) -> Iterator[str]:
    (papers / "a.txt").write_text("The drift field is 475 V/cm.")
    path = config_file("")
    crawl("papers", load_settings(path))
    yield str(path)


def check(result: tuple[int, str], *words: str) -> None:
    code, told = result
    assert code in {1, 2, 4}, told
    assert "Unexpected" not in told
    assert len(told.strip().splitlines()) >= 2, "no hint"
    for word in words:
        assert word in told


DAMAGE = {
    "no UTF-8": "update documents set id = cast(x'ff' as text)",
    "no JSON": "update documents set fields = '{{{'",
    "JSON of another shape": "update documents set fields = '[]'",
    "a key too many": "update documents set fields = json_set(fields, '$.x', 1)",
    "a key too few": "update documents set fields = json_remove(fields, '$.access')",
    "no date": "update documents set fields = json_set(fields, '$.date', 'May')",
    "files: no JSON": "update files set fields = 'x'",
    "files: a key too few": "update files set fields = json_remove(fields, '$.name')",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_catalog(file: str, run: Run, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "data" / "catalog.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("pragma foreign_keys = off")
        db.execute(DAMAGE[damage])
    for command in (["access", "--all"], ["crawl"], ["index"]):
        result = run("--config", file, *command)
        check(result, "catalog.db cannot be used", "backup", "Lost would be")


@pytest.mark.parametrize(
    "place", ["lock", "catalog.db", "overlay.db", "forgotten.json"]
)
def test_a_folder_in_the_place_of_a_file(
    file: str, run: Run, tmp_path: Path, place: str
) -> None:
    path = tmp_path / "data" / place
    path.unlink(missing_ok=True)
    path.mkdir()
    check(run("--config", file, "crawl"), place)


@pytest.mark.parametrize(
    "command",
    [["crawl"], ["index"], ["search", "x"], ["notice", "papers", "x"], ["forget", "x"]],
)
def test_a_data_folder_that_is_a_file(
    config_file: Callable[[str], Path], run: Run, tmp_path: Path, command: list[str]
) -> None:
    path = str(config_file(""))
    (tmp_path / "data").write_text("x")
    check(run("--config", path, *command), str(tmp_path / "data"))


@pytest.mark.parametrize(
    "name", ["x" * 300, "a.txt/data", "loop/data", "dangling/a", "~no-such-user/x"]
)
def test_a_data_folder_that_cannot_be(
    config_file: Callable[[str], Path],
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("a.txt")
    path = str(config_file(""))
    place = name if name.startswith("~") else str(tmp_path / name)
    monkeypatch.setenv("DUNEGPT_DATA_DIR", place)
    check(run("--config", path, "crawl"))


@pytest.mark.parametrize("kind", ["folder", "fifo", "loop", "dangling", "long", "nul"])
def test_settings_that_are_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "dunegpt.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind in {"loop", "dangling"}:
        path.symlink_to(path if kind == "loop" else tmp_path / "nothing")
    elif kind == "long":
        path = tmp_path / ("x" * 300)
    else:
        path = Path("a\0b")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["folder", "loop", "dangling"])
def test_settings_in_the_working_folder_that_are_no_file(kind: str) -> None:
    """Passed over, the defaults would be used in silence."""
    path = Path("dunegpt.toml")
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "loop" else "nothing")
    with pytest.raises(ConfigError, match=r"dunegpt\.toml"):
        load_settings()


@pytest.mark.parametrize("number", [2, 7, 17, 20, 21, 22, 36, 39, 40, 95])
def test_every_error_of_the_system_has_a_hint(number: int) -> None:
    told = describe_os_error(OSError(number, os.strerror(number), "/some/path"))
    assert "/some/path" in str(told)
    assert os.strerror(number) in str(told)
    assert told.hint


def test_an_error_of_the_system_without_a_number() -> None:
    told: Any = describe_os_error(OSError("what a library says"))
    assert str(told) == "what a library says"
    assert told.hint
