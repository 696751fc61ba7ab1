"""Crawls a real Indico and compares with what Indico itself says of its objects."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dunegpt.access import NOBODY, PUBLIC, Access
from dunegpt.index.build import build
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.open import open_searcher
from dunegpt.ingest import change_notices
from dunegpt.types import Document, Outcome
from simulators.indico.commands import Clerk
from simulators.indico.compare import may, tallies, true_access
from simulators.indico.server import IndicoServer
from simulators.indico.site import (
    ACCOUNTS,
    BOARD,
    EVERYBODY,
    MEMBER,
    PRINCIPALS,
    Site,
    alone,
    site,
)

pytestmark = pytest.mark.indico


@pytest.mark.smoke
def test_every_view_is_that_of_indico(
    larch: Site, indico: IndicoServer, clerk: Clerk
) -> None:
    first = larch.crawl()
    assert (first.error, first.failed, first.mode) == ("", 0, "full")
    truth = clerk.objects()
    larch.assert_equal(truth)
    assert larch.closed_bytes() == []
    documents = larch.documents()
    counts = tallies(documents.values(), truth, ACCOUNTS, EVERYBODY)
    assert all(t.leaked == t.missing == 0 for t in counts.values())
    assert counts["member"].own > counts["public"].own == 0
    assert counts["member2"].own > 0
    assert counts["board1"].shown > counts["outsider"].shown == counts["public"].shown
    made = indico.seed["made"]
    for stranger in ("outside", "guest", "unlisted", "sealed", "keyed"):
        assert made[stranger] not in documents
    larch.age(days=1.1)
    second = larch.crawl()
    assert (second.error, second.new, second.changed, second.fetched) == ("", 0, 0, 0)
    assert second.seen == second.unchanged == first.seen
    assert larch.documents() == documents


def test_without_an_account_only_what_is_public(
    indico: IndicoServer,
    clerk: Clerk,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = site(indico, tmp_path, tiny_encoder, monkeypatch, **alone())
    assert nobody.crawl().error == ""
    Site(nobody.settings, {}).assert_equal(clerk.objects())
    assert all(d.access == {PUBLIC} for d in nobody.documents().values())


@pytest.mark.parametrize("account", ["member", "member2", "outsider", "board1"])
def test_one_account_shows_what_it_is_shown_and_does_not_manage(
    indico: IndicoServer,
    clerk: Clerk,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
    account: str,
) -> None:
    variable = f"LARCH_{account.upper()}"
    one = site(indico, tmp_path, tiny_encoder, monkeypatch, **alone(variable))
    assert one.crawl().error == ""
    Site(one.settings, {MEMBER: (account,)}).assert_equal(clerk.objects())


def test_a_stranger_is_not_admitted_by_name(
    larch: Site, indico: IndicoServer, clerk: Clerk
) -> None:
    """A notice of an event outside of the categories, of none, or that is closed."""
    larch.crawl()
    before, made = larch.documents(), indico.seed["made"]
    strangers = ["outside", "unlisted", "sealed", "keyed", "annex-talk"]
    ids = [f"larch:{made[name]}" for name in strangers]
    change_notices.write_notice(
        larch.settings.data, "larch", [*ids, "999999", "larch:0"]
    )
    report = larch.crawl()
    assert (report.error, report.failed, report.new) == ("", 0, 0)
    assert larch.documents() == before
    assert not change_notices.list_pending(larch.settings.data, "larch")
    larch.assert_equal(clerk.objects())


def test_a_dry_run_and_a_limit(larch: Site, clerk: Clerk) -> None:
    assert larch.crawl(dry_run=True).new > 90
    data = larch.settings.data
    assert not data.exists() or not list(data.iterdir())
    limited = larch.crawl(limit=7)
    assert (limited.partial, limited.seen) == (True, 7)
    assert len(larch.documents()) == 7
    whole = larch.crawl()
    assert (whole.error, whole.partial, whole.mode) == ("", False, "full")
    larch.assert_equal(clerk.objects())
    held = larch.documents()  # opens the catalog for writing, and so comes first
    stored = contents(data)
    assert larch.crawl(dry_run=True, full=True).changed == 0
    assert contents(data) == stored
    assert larch.documents() == held


def contents(data: Path) -> dict[Path, bytes]:
    """Return the bytes of all files but those that SQLite keeps while it reads."""
    files = (p for p in data.rglob("*") if p.is_file())
    return {p: p.read_bytes() for p in files if not p.name.endswith(("-wal", "-shm"))}


def test_every_fact_can_be_asked_for_by_its_readers_only(
    larch: Site, indico: IndicoServer
) -> None:
    larch.crawl()
    report = build(larch.settings)
    reasons = {f.message for f in report.failures if "tesseract" not in f.message}
    assert len(reasons) == 2
    assert any("damaged" in reason for reason in reasons)
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


def test_no_reader_finds_what_is_closed_to_him(larch: Site, clerk: Clerk) -> None:
    """The title of each object, and the names of its files, asked by each account."""
    larch.crawl()
    build(larch.settings)
    truth = clerk.objects()
    theirs = true_access(truth, ACCOUNTS)
    searcher = open_searcher(larch.settings)
    readers: dict[str, Access] = {n: frozenset(PRINCIPALS[n]) for n in EVERYBODY}
    readers["both"] = frozenset({MEMBER, BOARD})
    for item in truth:
        name = f"larch:{item['key']}"
        for account, reader in readers.items():
            found = searcher.as_reader(reader).find_documents(name)
            due = may(theirs.get(item["key"], NOBODY), *reader)
            assert bool(found) == due, (account, name)
            for question in (item["title"], item["minutes_text"], name):
                if not question:
                    continue
                for hit in (
                    searcher.as_reader(reader).search(question, Filters(), k=40).hits
                ):
                    _assert_may_read(
                        hit.document.id, hit.passage.file_key, reader, theirs
                    )
    searcher.close()


def _assert_may_read(
    name: str, file_key: str, reader: Access, theirs: dict[str, Access]
) -> None:
    key = name.partition(":")[2]
    assert may(theirs.get(key, NOBODY), *reader), (name, reader)
    if file_key == "minutes" or file_key[1:].isdecimal():
        where = f"{key}#{file_key}"
        assert may(theirs.get(where, NOBODY), *reader), (where, reader)


def readable(larch: Site) -> dict[str, Document]:
    """Return the documents without the evidence: that says who could not look."""
    return {
        name: replace(
            document,
            evidence="",
            files=tuple(replace(file, evidence="") for file in document.files),
        )
        for name, document in larch.documents().items()
    }


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("indp_" + "x" * 42, "wrong, expired or revoked"),
        ("member_legacy_only", "lacks the scope read:everything"),
        ("member_everything_only", "lacks the scope read:legacy_api"),
    ],
)
def test_a_refused_token_says_why_and_changes_nothing(
    larch: Site,
    indico: IndicoServer,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    reason: str,
) -> None:
    larch.crawl()
    before, told = readable(larch), larch.overlay()
    for variable in ("LARCH_MEMBER", "LARCH_MEMBER2", "LARCH_BOARD2"):
        with monkeypatch.context() as other:
            other.setenv(variable, indico.seed["tokens"].get(token, token))
            report = larch.crawl()
        assert report.error == ""
        assert reason in report.warnings[0]
        assert variable in report.warnings[0]
        assert readable(larch) == before
        assert larch.overlay() == told
    assert token not in json.dumps([report.error, report.hint, report.warnings])
