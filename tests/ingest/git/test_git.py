"""A real git repository: edits, renames, rewritten history, what is no plain file."""

import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError
from dunegpt.ingest.catalog.database import Catalog, HiddenState
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.registry import open_source
from dunegpt.types import Document
from simulators.git.repository import Repository
from simulators.killed import run_until_killed

WEB = "https://git.test/larch/blob/{commit}/{path}"
FILES: dict[str, str | bytes] = {
    "README.md": "# Larch\n\nSoftware of the test stand.\n",
    "src/Drift.cc": "double computeDriftVelocity(double field)\n{\n  return 1.6;\n}\n",
    "fcl/larch.fcl": "physics.producers.caldata: { module_type: Decoder }\n",
    "data/pedestals.root": b"\x00root",
}


class Kept:
    """A repository and the settings that crawl it."""

    def __init__(self, folder: Path) -> None:
        self.repository = Repository(folder / "larch")
        self.table: dict[str, Any] = {
            "type": "git",
            "path": str(self.repository.folder),
            "access": ["larch:member"],
            "web": WEB,
        }
        self.settings = Settings(data_dir=folder / "data")
        self.configure()

    def configure(self, **options: Any) -> None:
        self.table = {k: v for k, v in (self.table | options).items() if v is not None}
        sources = {"larch": SourceSettings(**self.table)}
        self.settings = self.settings.model_copy(update={"sources": sources})

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("larch", self.settings, **how)

    def documents(self) -> dict[str, Document]:
        """Return the documents that are shown, by path."""
        catalog = Catalog(self.settings.paths.catalog)
        found = {d.title: d for d in catalog.iter_documents()}
        catalog.close()
        return found

    def hidden(self, state: HiddenState) -> set[str]:
        catalog = Catalog(self.settings.paths.catalog)
        found = catalog.hidden_ids("larch", state)
        catalog.close()
        return found

    def recall(self, key: str) -> Any:
        catalog = Catalog(self.settings.paths.catalog)
        found = catalog.get_state("larch", key)
        catalog.close()
        return found

    def failures(self) -> dict[str, str]:
        catalog = Catalog(self.settings.paths.catalog)
        found = {f["id"]: f["message"] for f in catalog.failures()}
        catalog.close()
        return found

    def content(self, path: str) -> bytes:
        [file] = self.documents()[path].files
        name = self.settings.paths.blobs / file.sha256[:2] / file.sha256
        return name.read_bytes()

    def assert_true(self) -> None:
        """Compare with git: each file's text, and the commit that its id names."""
        repository = self.repository
        for path, document in self.documents().items():
            commit = document.id.removeprefix("larch@").partition(":")[0]
            shown = repository.git("show", f"HEAD:{path}").encode()
            assert repository.git("show", f"{commit}:{path}").encode() == shown
            assert self.content(path).strip() == shown.strip()
            assert document.url.startswith(f"https://git.test/larch/blob/{commit}")
            assert document.access == {"larch:member"}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    made = Kept(tmp_path)
    made.repository.commit(FILES)
    return made


def test_files_at_a_commit(kept: Kept) -> None:
    first = kept.repository.head()
    second = kept.repository.commit({"src/Noise.py": "def noise():\n    return 1\n"})
    report = kept.crawl()
    assert (report.error, report.new, report.requests) == ("", 4, 0)
    found = kept.documents()
    assert found.keys() == {
        "README.md",
        "src/Drift.cc",
        "fcl/larch.fcl",
        "src/Noise.py",
    }
    drift, noise = found["src/Drift.cc"], found["src/Noise.py"]
    assert drift.id == f"larch@{first[:12]}:src/Drift.cc"
    assert drift.url == f"https://git.test/larch/blob/{first}/src/Drift.cc"
    assert noise.id == f"larch@{second[:12]}:src/Noise.py"
    assert (noise.authors, noise.kind) == (("Ada Okonjo",), "file")
    assert noise.date == date(2026, 1, 3)
    assert kept.recall("withheld") == {"files of other kinds": 1}
    kept.assert_true()


def test_an_increment_reads_what_changed(kept: Kept) -> None:
    kept.crawl()
    before = kept.documents()
    kept.repository.commit({"src/Drift.cc": "// now another\n"})
    report = kept.crawl()
    assert (report.new, report.unchanged, report.removed) == (1, 2, 1)
    assert (report.fetched, report.error, report.warnings) == (1, "", [])
    after = kept.documents()
    assert after["README.md"] == before["README.md"]
    assert after["src/Drift.cc"].supersedes == before["src/Drift.cc"].id
    assert kept.hidden(HiddenState.GONE) == {before["src/Drift.cc"].id}
    kept.assert_true()
    report = kept.crawl(full=True)
    assert (report.unchanged, report.fetched) == (3, 0)
    assert kept.documents() == after


@pytest.mark.slow
def test_a_commit_that_changes_everything_is_no_loss(kept: Kept) -> None:
    kept.repository.commit({f"n/f{n}.md": f"Text {n}.\n" for n in range(25)})
    kept.crawl()
    kept.repository.commit({f"n/f{n}.md": f"New text {n}.\n" for n in range(25)})
    report = kept.crawl()
    assert (report.error, report.new, report.removed) == ("", 25, 25)
    kept.assert_true()


def test_files_that_are_deleted_in_mass_are_a_loss(kept: Kept) -> None:
    kept.repository.commit({f"n/f{n}.md": f"Text {n}.\n" for n in range(25)})
    kept.crawl()
    shutil.rmtree(kept.repository.folder / "n")
    kept.repository.commit({"README.md": "Changed.\n"})
    report = kept.crawl()
    assert "25 of 28 documents are gone" in report.error
    assert (report.hidden, report.removed) == (25, 1)
    assert kept.documents().keys() == {"README.md", "src/Drift.cc", "fcl/larch.fcl"}
    assert kept.crawl(accept_loss=True).error == ""


@pytest.mark.slow
def test_a_rewritten_history_is_told_and_is_no_loss(kept: Kept) -> None:
    kept.repository.commit({f"n/f{n}.md": f"Text {n}.\n" for n in range(25)})
    kept.crawl()
    old = kept.documents()
    git = kept.repository.git
    git("checkout", "-q", "--orphan", "anew")
    kept.repository.commit()
    git("branch", "-M", "anew", "main")
    report = kept.crawl()
    assert report.error == ""
    assert "was rewritten" in " ".join(report.warnings)
    assert (report.new, report.removed) == (28, 28)
    new = kept.documents()
    assert new.keys() == old.keys()
    assert all(new[p].supersedes == old[p].id for p in new)
    kept.assert_true()
    assert kept.crawl().warnings == []


def test_a_rename_leads_to_the_older_name(kept: Kept) -> None:
    kept.crawl()
    old = kept.documents()["src/Drift.cc"].id
    kept.repository.git("mv", "src/Drift.cc", "src/Velocity.cc")
    kept.repository.commit()
    report = kept.crawl()
    assert (report.new, report.removed, report.error) == (1, 1, "")
    assert kept.documents()["src/Velocity.cc"].supersedes == old
    kept.assert_true()


def test_what_was_taken_back_comes_back(kept: Kept) -> None:
    kept.crawl()
    before = kept.documents()
    first = kept.repository.head()
    kept.repository.commit({"README.md": "Worse.\n"})
    kept.crawl()
    kept.repository.git("reset", "-q", "--hard", first)
    report = kept.crawl()
    assert report.error == "" and "rewritten" in report.warnings[0]
    assert {p: d.id for p, d in kept.documents().items()} == {
        p: d.id for p, d in before.items()
    }


def test_without_a_web_view_the_file_itself_is_opened(kept: Kept) -> None:
    kept.configure(web=None)
    kept.crawl()
    url = kept.documents()["src/Drift.cc"].url
    assert url == f"{kept.repository.folder.as_uri()}/src/Drift.cc"


def test_a_merge_shows_what_it_made(kept: Kept) -> None:
    repository = kept.repository
    repository.git("checkout", "-q", "-b", "side")
    repository.commit({"README.md": "# Larch\n\nOf the side.\n"})
    repository.git("checkout", "-q", "main")
    repository.commit({"src/Drift.cc": "// of main\n"})
    repository.day += 1
    repository.git("merge", "-q", "--no-ff", "-m", "Merge", "side")
    assert kept.crawl().error == ""
    commit = repository.head()[:12]
    assert kept.documents()["README.md"].id == f"larch@{commit}:README.md"
    kept.assert_true()


@pytest.mark.slow
def test_odd_names(kept: Kept) -> None:
    names = ["a b.md", "ünï.md", "x#y.md", "a:3", "100%.md", "-n.md", "tab\there.md"]
    kept.configure(include=["*"], exclude=["data/*", "src/*", "fcl/*", "README.md"])
    kept.repository.commit({name: f"Text of {name}.\n" for name in names})
    assert kept.crawl().error == ""
    ids = {d.id.partition(":")[2] for d in kept.documents().values()}
    assert {"x%23y.md", "a%3A3", "100%25.md"} <= ids
    assert len(ids) == len(names)
    assert kept.documents()["x#y.md"].url.endswith("/x%23y.md")
    assert kept.crawl().unchanged == len(names)
    kept.repository.commit({name: f"New text of {name}.\n" for name in names})
    report = kept.crawl()
    assert (report.new, report.removed, report.error) == (7, 7, "")


def test_a_name_that_is_no_text_is_in_the_ledger(kept: Kept) -> None:
    path = bytes(kept.repository.folder) + b"/bad\xff.md"
    with open(path, "wb") as file:
        file.write(b"text")
    kept.repository.commit()
    report = kept.crawl()
    assert (report.error, report.failed, report.new) == ("", 1, 3)
    [(where, why)] = kept.failures().items()
    assert where.endswith(r":bad\xff.md") and "not UTF-8" in why


def test_what_is_no_plain_file_is_left_out_or_told(kept: Kept, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.commit({"inner.md": "Of another repository.\n"})
    (tmp_path / "secret.md").write_text("geheim-4711")
    (kept.repository.folder / "link.md").symlink_to(tmp_path / "secret.md")
    kept.repository.git("submodule", "-q", "add", str(other.folder), "sub")
    lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    kept.repository.commit({"big.md": b"x" * 3000, "large.md": lfs})
    kept.configure(max_file_kb=2)
    report = kept.crawl()
    assert (report.error, report.failed) == ("", 2)
    told = " ".join(kept.failures().values())
    assert "3,000 bytes" in told and "stored in Git LFS" in told
    assert kept.recall("withheld")["symbolic links"] == 1
    assert kept.recall("withheld")["submodules"] == 1
    assert "inner.md" not in str(kept.documents()) + str(kept.failures())
    blobs = kept.settings.paths.blobs.rglob("*")
    assert b"geheim" not in b"".join(b.read_bytes() for b in blobs if b.is_file())
    (kept.repository.folder / "big.md").write_text("short")
    kept.repository.commit({"large.md": "It is here now.\n"})
    assert kept.crawl().failed == 0
    assert kept.failures() == {}


def test_nothing_of_the_repository_is_run(kept: Kept, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    run = f"#!/bin/sh\ntouch {mark}\n"
    for hook in ("post-checkout", "pre-auto-gc", "reference-transaction"):
        path = kept.repository.folder / ".git" / "hooks" / hook
        path.write_text(run)
        path.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "core.sshCommand"):
        kept.repository.git("config", key, f"sh -c 'touch {mark}'")
    kept.repository.git("config", "filter.x.smudge", f"touch {mark}; cat")
    kept.repository.git("config", "diff.x.textconv", f"touch {mark}; cat")
    kept.repository.write({".git/info/attributes": "* filter=x diff=x\n"})
    mark.unlink(missing_ok=True)
    assert kept.crawl().error == ""
    kept.configure(path=None, url=kept.repository.folder.as_uri())
    assert kept.crawl(full=True).error == ""
    assert not mark.exists()


# ── what cannot be read ───────────────────────────────────────────────────────────


def broken(kept: Kept) -> str:
    report = kept.crawl()
    assert report.removed == 0
    return report.error


def test_no_repository_removes_nothing(kept: Kept, tmp_path: Path) -> None:
    kept.crawl()
    before = kept.documents()
    kept.repository.folder.rename(tmp_path / "away")
    assert "There is no folder" in broken(kept)
    kept.repository.folder.mkdir()
    assert "not a git repository" in broken(kept)
    assert kept.documents() == before
    # One around it is not meant.
    inside = tmp_path / "away" / "src"
    kept.configure(path=str(inside))
    assert "not a git repository" in broken(kept)


def test_no_commit_removes_nothing(kept: Kept) -> None:
    kept.crawl()
    before = kept.documents()
    kept.configure(ref="nowhere")
    assert "no commit at 'nowhere'" in broken(kept)
    kept.configure(ref="HEAD")
    kept.repository.git("checkout", "-q", "--orphan", "unborn")
    assert "no commit at 'HEAD'" in broken(kept)
    kept.repository.git("rm", "-rqf", "--cached", ".")
    kept.repository.git("commit", "-q", "--allow-empty", "-m", "Nothing")
    assert "has no files" in broken(kept)
    assert kept.documents() == before


def test_a_shallow_copy_is_refused(kept: Kept, tmp_path: Path) -> None:
    kept.repository.commit({"b.md": "B.\n"})
    kept.repository.commit({"c.md": "C.\n"})
    kept.crawl()
    url = kept.repository.folder.as_uri()
    kept.repository.git("clone", "-q", "--depth", "1", url, str(tmp_path / "copy"))
    kept.configure(path=str(tmp_path / "copy"))
    report = kept.crawl()
    # The one commit of a shallow copy seems to have made all files: no id is right.
    assert "shallow clone" in report.error
    assert (report.new, report.removed) == (0, 0)


def test_a_damaged_object_is_in_the_ledger(kept: Kept) -> None:
    name = kept.repository.git("rev-parse", "HEAD:README.md")
    path = kept.repository.folder / ".git" / "objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    report = kept.crawl()
    assert (report.error, report.failed, report.new) == ("", 1, 2)
    [(where, why)] = kept.failures().items()
    assert where.endswith(":README.md") and "damaged" in why


def test_without_the_program(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="git is not installed"):
        kept.crawl()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"access": []}, "access"),
        ({"access": None}, "access"),
        ({"path": None}, "path or url"),
        ({"url": "https://git.test/x"}, "path or url"),
        ({"path": None, "url": "ext::sh -c x"}, "https, ssh or file"),
        ({"path": None, "url": "http://git.test/x"}, "https, ssh or file"),
        ({"path": None, "url": "--upload-pack=x"}, "https, ssh or file"),
        ({"path": None, "url": "https://me:pw@git.test/x"}, "token_env"),
        ({"ref": "--all"}, "ref"),
        ({"ref": "a..b^"}, "ref"),
        ({"web": "https://git.test"}, "path"),
        ({"includ": ["x"]}, "includ"),
    ],
)
def test_settings_that_cannot_be(
    kept: Kept, options: dict[str, Any], named: str
) -> None:
    kept.configure(**options)
    with pytest.raises(ConfigError, match=named):
        open_source("larch", kept.settings)


# ── a repository elsewhere ────────────────────────────────────────────────────────


@pytest.fixture
def remote(kept: Kept) -> Kept:
    kept.configure(path=None, url=kept.repository.folder.as_uri(), ref="main")
    return kept


@pytest.mark.slow
def test_a_repository_elsewhere(remote: Kept) -> None:
    assert remote.crawl().new == 3
    remote.repository.commit({"README.md": "Changed.\n"})
    report = remote.crawl()
    assert (report.new, report.unchanged, report.removed) == (1, 2, 1)
    assert report.requests == 1
    remote.assert_true()


def test_a_repository_that_cannot_be_reached(remote: Kept, tmp_path: Path) -> None:
    remote.crawl()
    before = remote.documents()
    remote.repository.folder.rename(tmp_path / "away")
    assert "SourceUnreachableError" in broken(remote)
    (tmp_path / "away").rename(remote.repository.folder)
    remote.configure(ref="nowhere")
    assert "has no ref 'nowhere'" in broken(remote)
    assert remote.documents() == before


@pytest.mark.slow
def test_a_fetch_that_was_killed_goes_on(remote: Kept) -> None:
    remote.crawl()
    [folder] = remote.settings.paths.repositories.iterdir()
    remote.repository.commit({"README.md": "Changed.\n"})
    for name in ("packed-refs.lock", "refs/dunegpt/ref.lock", "shallow.lock"):
        (folder / name).write_text("")
    assert remote.crawl().error == ""
    remote.assert_true()


@pytest.mark.slow
def test_killed_between_any_two_writes(remote: Kept, tmp_path: Path) -> None:
    remote.crawl()
    remote.repository.commit({"README.md": "Changed.\n", "new.md": "New.\n"})
    remote.repository.git("mv", "src/Drift.cc", "src/Velocity.cc")
    remote.repository.commit()
    deaths = 0
    for after in range(40):
        if not run_until_killed(remote.crawl, after):
            break
        deaths += 1
    assert deaths > 5
    assert remote.crawl().error == ""
    remote.assert_true()
    older = {p: d.supersedes.partition(":")[2] for p, d in remote.documents().items()}
    assert older["README.md"] == "README.md"
    assert older["src/Velocity.cc"] == "src/Drift.cc"
    assert remote.hidden(HiddenState.SUSPECT) == set()


def test_a_token_is_told_to_nobody(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_TOKEN_X", "geheim-4711")
    kept.configure(token_env="GIT_TOKEN_X")
    seen: list[list[str]] = []
    run = subprocess.run

    def noted(command: list[str], **more: Any) -> Any:
        seen.append(command)
        return run(command, **more)

    monkeypatch.setattr(subprocess, "run", noted)
    assert kept.crawl().error == ""
    assert seen and "geheim" not in str(seen)
    kept.configure(token_env=None, token_file=str(tmp_path / "open"))
    (tmp_path / "open").write_text("geheim")
    (tmp_path / "open").chmod(0o644)
    with pytest.raises(ConfigError, match="Others may read"):
        kept.crawl()


def test_two_repositories_with_prefixes_of_their_own(
    kept: Kept, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "other")
    other.commit({"README.md": "Another.\n"})
    tables = {
        "larch": SourceSettings(**kept.table, id_prefix="code"),
        "other": SourceSettings(type="git", path=str(other.folder), access=["public"]),
    }
    settings = kept.settings.model_copy(update={"sources": tables})
    assert crawl("larch", settings).new == 3
    assert crawl("other", settings).new == 1
    assert crawl("larch", settings).unchanged == 3
    catalog = Catalog(settings.paths.catalog)
    starts = {d.id.partition("@")[0]: d.access for d in catalog.iter_documents()}
    catalog.close()
    assert starts == {"code": {"larch:member"}, "other": {"public"}}


def test_new_readers_are_taken_from_the_settings(kept: Kept) -> None:
    kept.crawl()
    kept.configure(access=["larch:board"])
    report = kept.crawl()
    assert (report.changed, report.fetched) == (3, 0)
    assert {d.access for d in kept.documents().values()} == {frozenset({"larch:board"})}
