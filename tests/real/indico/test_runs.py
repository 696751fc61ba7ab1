"""The command line against a real Indico: killed, limited, alarmed; no secret out."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dunegpt.ingest.catalog.database import Catalog
from simulators.indico.commands import Clerk
from simulators.indico.server import IndicoServer
from simulators.indico.site import MEMBER, Site, site, table, tokens

pytestmark = pytest.mark.indico
MOST_S = 300


@dataclass(frozen=True)
class Shell:
    """The command line of a configured site."""

    site: Site
    env: dict[str, str]
    config: Path

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Return a command that runs by itself."""
        return subprocess.Popen(
            [sys.executable, "-m", "dunegpt", "--config", str(self.config), *words],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """Return exit code, output and errors of a command."""
        process = self.start(*words)
        out, err = process.communicate(timeout=MOST_S)
        return process.returncode, out, err

    def kill(self, due: Callable[[], bool], *words: str) -> int:
        """Return the exit code of a command that is killed, unless it ends before."""
        process = self.start(*words)
        while process.poll() is None:
            if due():
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01)
        process.communicate(timeout=MOST_S)
        return process.returncode

    def holds(self, count: int) -> bool:
        """Return whether so many documents are stored."""
        path = self.site.settings.paths.catalog
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                (found,) = db.execute("select count(*) from documents").fetchone()
                return bool(found >= count)
        except sqlite3.OperationalError:  # not made yet
            return False


def later(seconds: float) -> Callable[[], bool]:
    """Return what tells whether so much time has passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def as_toml(settings: dict[str, Any]) -> str:
    """Return the table of the site: JSON is TOML for text, numbers and lists."""
    plain = {k: v for k, v in settings.items() if k != "audiences"}
    lines = ["[sources.larch]", *(f"{k} = {json.dumps(v)}" for k, v in plain.items())]
    for audience in settings["audiences"]:
        lines.append("[[sources.larch.audiences]]")
        lines += [f"{k} = {json.dumps(v)}" for k, v in audience.items()]
    return "\n".join(lines)


@pytest.fixture
def shell(
    indico: IndicoServer,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    larch = site(indico, tmp_path, tiny_encoder, monkeypatch)
    config = tmp_path / "dunegpt.toml"
    config.write_text(
        f'data_dir = "data"\n[embed]\nmodel = "{tiny_encoder}"\n'
        + as_toml(table(indico)),
        encoding="utf-8",
    )
    return Shell(larch, os.environ | tokens(indico), config)


def test_a_crawl_that_is_killed_again_and_again(
    indico: IndicoServer,
    clerk: Clerk,
    shell: Shell,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next run ends with the catalog of a clean crawl."""
    clean = site(indico, tmp_path / "clean", tiny_encoder, monkeypatch)
    assert clean.crawl().error == ""
    chance = random.Random(7)
    for count in sorted(chance.sample(range(1, len(clean.documents())), 4)):
        code = shell.kill(partial(shell.holds, count), "crawl")
        assert code == -signal.SIGKILL, count
    code, out, err = shell.run("crawl")
    assert code == 0, out + err
    assert shell.site.documents() == clean.documents()
    shell.site.assert_equal(clerk.objects())

    for steps in (("add-events",), ("edit-talk", "close-talk")):
        for step in steps:
            clerk.step(step)
        shell.site.age(days=1.1)
        for _ in range(3):
            shell.kill(later(chance.uniform(2, 9)), "crawl")
        code, out, err = shell.run("crawl")
        assert code == 0, out + err
        shell.site.assert_equal(clerk.objects())
    clerk.step("open-talk")
    again = site(indico, tmp_path / "again", tiny_encoder, monkeypatch)
    assert again.crawl().error == ""
    assert shell.run("crawl", "--full")[0] == 0
    assert shell.site.documents() == again.documents()


def test_half_an_event_is_completed_at_once(larch: Site, clerk: Clerk) -> None:
    """A run that ended in the middle of a new event; the next one reads the rest."""
    assert larch.crawl().error == ""
    clerk.step("add-events")
    for limit in (1, 2, 7):
        assert larch.crawl(limit=limit).partial
    assert larch.crawl().error == ""
    larch.assert_equal(clerk.objects())


def test_a_demotion_is_an_alarm_on_the_command_line(clerk: Clerk, shell: Shell) -> None:
    assert shell.run("crawl", "--json")[0] == 0
    known = len(shell.site.documents())
    try:
        clerk.step("demote")
        code, out, _ = shell.run("crawl", "--full", "--json")
        record = json.loads(out)
        assert code == 1
        assert "LARCH_MEMBER2 can no longer see the canary" in record["error"]
        assert record["removed"] == 0
        told = shell.site.overlay()
        assert not any(MEMBER in readers for readers in told.values())
        shell.site.assert_equal(clerk.objects())
        assert len(shell.site.documents()) + len(shell.site.hidden()) == known
    finally:
        clerk.step("reinstate")
    assert shell.run("crawl", "--full")[0] == 0
    shell.site.assert_equal(clerk.objects())


def test_no_token_is_written_anywhere(indico: IndicoServer, shell: Shell) -> None:
    said = ""
    for words in (
        ("--debug", "crawl"),
        ("-v", "crawl", "--full"),
        ("--debug", "index"),
    ):
        code, out, err = shell.run(*words)
        assert code == 0, out + err
        said += out + err
    wrong = {**shell.env, "LARCH_BOARD1": "indp_" + "z" * 42}
    broken = Shell(shell.site, wrong, shell.config)
    code, out, err = broken.run("--debug", "crawl", "--json")
    assert code == 1
    said += out + err
    for words in (("status", "--json"), ("access", "--all", "--json")):
        said += "".join(map(str, shell.run(*words)))
    assert "larch" in said
    data = shell.site.settings.data
    stored = {p: p.read_bytes() for p in data.rglob("*") if p.is_file()}
    assert data / "catalog.db" in stored
    assert data / "overlay.db" in stored
    assert any("snapshots" in str(path) for path in stored)
    for secret in (*tokens(indico).values(), wrong["LARCH_BOARD1"]):
        for part in (secret, secret.removeprefix("indp_")[:20]):
            assert part not in said
            assert not [p for p, text in stored.items() if part.encode() in text]


def test_what_is_withheld_is_counted(shell: Shell) -> None:
    assert shell.run("crawl", "--full")[0] == 0
    assert shell.run("status", "--json")[0] == 0
    catalog = Catalog(shell.site.settings.paths.catalog)
    withheld = catalog.get_state("larch", "withheld")
    catalog.close()
    # `Sealed` and `Opened by an access key`: the site counts them, and shows neither
    assert withheld["events"] == 2
    assert withheld["categories"] > 0  # `Sealed` at least
