"""Crawls a real Indico and compares with what Indico itself says of its objects."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings, SourceTable
from dunegpt.index.build import build
from dunegpt.ingest.blobs import Blobs
from dunegpt.ingest.catalog import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.serve.answer import answer
from dunegpt.types import (
    NOBODY,
    PUBLIC,
    Access,
    Document,
    Finished,
    Outcome,
    Sentence,
    narrow,
)
from tests.servers.indico import IndicoServer

pytestmark = pytest.mark.indico
MEMBER = "larch:member"


@dataclass(frozen=True)
class Site:
    """One configured Indico, and what lies in its catalog."""

    settings: Settings

    def crawl(self) -> CrawlReport:
        return crawl("larch", self.settings)

    def documents(self) -> dict[str, Document]:
        catalog = Catalog(self.settings.data / "catalog.db")
        found = {d.id.partition(":")[2]: d for d in catalog.documents()}
        catalog.close()
        return found

    def ask(self, question: str, reader: Access) -> tuple[Outcome, str, set[str]]:
        """Return the outcome, the sentences, and the ids of the cited documents."""
        events = list(answer(question, self.settings, reader=reader))
        end = events[-1]
        assert isinstance(end, Finished)
        text = " ".join(e.text for e in events if isinstance(e, Sentence))
        cited = {c.hit.document.id for c in end.references if c.cited}
        return end.outcome, text, cited


def site(
    server: IndicoServer,
    folder: Path,
    encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str = "member",
) -> Site:
    options: dict[str, Any] = {"principals": [MEMBER]} if token else {}
    if token:
        monkeypatch.setenv("LARCH_TOKEN", server.seed["tokens"].get(token, token))
        options["token_env"] = "LARCH_TOKEN"
    table = SourceTable(
        type="indico",
        url=server.url,
        categories=[server.seed["category"]],
        delay_s=0,
        **options,
    )
    settings = Settings(
        data_dir=folder / "data",
        sources={"larch": table},
        embed={"model": str(encoder)},
    )
    return Site(settings)


def readers(names: list[str]) -> Access:
    """Return whom Indico's truth means, in our principals."""
    if PUBLIC in names:
        return frozenset({PUBLIC})
    return frozenset({MEMBER}) if "member" in names else NOBODY


def assert_equal_to_truth(
    documents: dict[str, Document], truth: list[dict[str, Any]], blobs: Blobs
) -> None:
    """Compare object by object and file by file: no leak, nothing missing."""
    visible = {o["key"]: o for o in truth if readers(o["readers"])}
    assert set(documents) == set(visible)
    for key, wanted in visible.items():
        document = documents[key]
        assert document.title == wanted["title"], key
        assert document.access == readers(wanted["readers"]), key
        assert document.evidence.startswith("shown to"), key
        files = {f.key: f for f in document.files}
        assert ("minutes" in files) == wanted["minutes"], key
        expected = [*wanted["files"], *wanted.get("links", [])]
        expected = [f for f in expected if readers(f["readers"])]
        attached = {k for k in files if k.startswith("a") and k != "about"}
        assert attached == {f"a{f['id']}" for f in expected}, key
        for file in expected:
            found = files[f"a{file['id']}"]
            access = narrow(document.access, found.access)
            assert access == readers(file["readers"]), (key, file)
            assert found.sha256 in blobs
            if "size" in file:
                assert blobs.path(found.sha256).stat().st_size == file["size"]


def test_member_and_anonymous_views_are_those_of_indico(
    indico: IndicoServer,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    member = site(indico, tmp_path, tiny_encoder, monkeypatch)
    first = member.crawl()
    assert (first.error, first.failed) == ("", 0)
    truth = indico.run_script("objects")["objects"]
    blobs = Blobs(member.settings.data / "blobs")
    assert_equal_to_truth(member.documents(), truth, blobs)
    second = member.crawl()
    assert (second.new, second.changed, second.fetched) == (0, 0, 0)
    assert second.unchanged == first.seen

    nobody = site(indico, tmp_path / "anonymous", tiny_encoder, monkeypatch, token="")
    assert nobody.crawl().error == ""
    public = [
        {
            **o,
            "files": [f for f in o["files"] if PUBLIC in f["readers"]],
            "links": [f for f in o.get("links", []) if PUBLIC in f["readers"]],
        }
        for o in truth
        if PUBLIC in o["readers"]
    ]
    blobs = Blobs(nobody.settings.data / "blobs")
    assert_equal_to_truth(nobody.documents(), public, blobs)


def test_every_fact_can_be_asked_for_by_its_readers_only(
    indico: IndicoServer,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    larch = site(indico, tmp_path, tiny_encoder, monkeypatch)
    larch.crawl()
    report = build(larch.settings)
    reasons = {f.id: f.message for f in report.failures}
    assert len(reasons) == 2
    assert any("damaged" in reason for reason in reasons.values())
    documents = larch.documents()
    for fact in indico.seed["facts"]:
        outcome, text, cited = larch.ask(fact["question"], frozenset({MEMBER}))
        assert outcome is Outcome.ANSWERED, fact
        assert fact["answer"].casefold() in text.casefold()
        assert f"larch:{fact['key']}" in cited
        _, public_text, public_cited = larch.ask(fact["question"], NOBODY)
        if PUBLIC not in documents[fact["key"]].access:
            assert fact["answer"].casefold() not in public_text.casefold()
            assert not public_cited & {
                d.id for d in documents.values() if PUBLIC not in d.access
            }
    for key, document in documents.items():
        outcome, text, _ = larch.ask(document.id, frozenset({MEMBER}))
        assert outcome is Outcome.ANSWERED, key
        assert document.title in text


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("indp_" + "x" * 42, "wrong, expired or revoked"),
        ("member_legacy_only", "lacks the scope read:everything"),
        ("member_everything_only", "lacks the scope read:legacy_api"),
    ],
)
def test_a_refused_token_says_why_and_changes_nothing(
    indico: IndicoServer,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    reason: str,
) -> None:
    good = site(indico, tmp_path, tiny_encoder, monkeypatch)
    good.crawl()
    before = good.documents()
    bad = site(indico, tmp_path, tiny_encoder, monkeypatch, token=token)
    report = bad.crawl()
    assert "SourceLoginError" in report.error
    assert reason in report.error
    assert bad.documents() == before


def test_changes_are_followed(
    indico: IndicoServer,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Edits, deletions, restrictions: after the next crawl we say what Indico says."""
    larch = site(indico, tmp_path, tiny_encoder, monkeypatch)
    larch.crawl()
    done = indico.run_script("mutate")
    assert done["done"], json.dumps(done)
    report = larch.crawl()
    assert report.error == ""
    assert report.removed > 0
    assert report.changed > 0
    truth = indico.run_script("objects")["objects"]
    blobs = Blobs(larch.settings.data / "blobs")
    assert_equal_to_truth(larch.documents(), truth, blobs)
