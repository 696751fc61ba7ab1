"""Who may read what of an EDMS: public by proof only, else by an owner's word."""

from collections.abc import Iterator
from typing import Any

import pytest

from dunegpt.errors import ConfigError
from simulators.crawled_source import folder
from simulators.edms.site import GROUP, OTHER, ROOT, EdmsSite
from simulators.http_server import Reply

SUB = "CERN-0000200000"
PUBLIC, MEMBERS, NOBODY = frozenset({"public"}), frozenset({GROUP}), frozenset[str]()


@pytest.fixture
def site() -> Iterator[EdmsSite]:
    with folder() as path:
        yield EdmsSite(path)


def readers(site: EdmsSite, number: str, version: str = "1") -> frozenset[str]:
    return site.documents()[f"edms:{number}:{version}"].access


@pytest.mark.parametrize("refuses", ["page", "redirect", "forbidden"])
def test_a_visitor_is_refused(site: EdmsSite, refuses: str) -> None:
    """A status 200 proves nothing."""
    site.doors.refuses = refuses
    number = site.model.add("Closed", ROOT)
    assert site.crawl().error == ""
    assert readers(site, number) == MEMBERS
    assert site.file(f"edms:{number}:1").evidence.startswith("not public: ")


def test_a_visitor_has_no_login(site: EdmsSite) -> None:
    """Neither what is sent nor a cookie of the account reaches his requests."""
    for _ in range(3):
        site.model.add("Closed", ROOT)
    site.crawl()
    site.next_day(8, full=True)
    asked = [name for name in site.doors.asked if name.startswith("file ")]
    assert len(asked) >= 6
    assert site.doors.leaks == []


def test_other_bytes_prove_nothing(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.model.open(number, "1", "note.txt")
    site.model.others[number, "1", "note.txt"] = b"See the new version."
    site.crawl()
    assert readers(site, number) == MEMBERS
    assert "other bytes" in site.file(f"edms:{number}:1").evidence


def test_a_page_that_everybody_is_given_proves_nothing(site: EdmsSite) -> None:
    """Whatever its type is said to be, and even if our own bytes are the same."""
    number = site.model.add("A", ROOT)
    site.model.put_file(number, "1", "x.html", b"\n<!doctype html><p>Hi", shown=True)
    site.crawl()
    assert readers(site, number) == MEMBERS


def test_one_public_file_makes_the_document_public(site: EdmsSite) -> None:
    """The other file keeps its readers."""
    number = site.model.add("A", ROOT)
    site.model.put_file(number, "1", "open.txt", b"For everybody.", shown=True)
    site.crawl()
    own = site.documents()[f"edms:{number}:1"]
    access = {file.name: file.access for file in own.files}
    assert own.access == PUBLIC
    assert access == {"record.html": PUBLIC, "open.txt": PUBLIC, "note.txt": MEMBERS}
    assert own.evidence.startswith("a visitor was given these bytes on ")


def test_a_public_record_says_nothing_of_the_tree(site: EdmsSite) -> None:
    """Nor of files that are not proven to be public."""
    number, closed = site.model.add("A", ROOT), site.model.add("B", ROOT)
    site.model.put_file(number, "1", "layoffs.txt", b"A secret.")
    site.model.put_file(number, "1", "layoffs.stp", b"ISO-10303-21;")
    site.model.open(number, "1", "note.txt")
    site.crawl()
    blobs = site.settings.paths.blobs
    text = {}
    for own in (number, closed):
        sha256 = site.file(f"edms:{own}:1", "record.html").sha256
        text[own] = (blobs / sha256[:2] / sha256).read_text()
    assert ROOT not in text[number]
    assert "layoffs" not in text[number]
    assert "note.txt" in text[number]
    assert f"{ROOT} Cold electronics" in text[closed]


def test_versions_differ(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.model.add_version(number, "2")
    site.model.open(number, "1", "note.txt")
    site.crawl()
    assert readers(site, number, "1") == PUBLIC
    assert readers(site, number, "2") == MEMBERS


def test_without_an_owner_it_is_for_nobody(site: EdmsSite) -> None:
    number, cited = site.model.add("A", ROOT), site.model.add("B", OTHER)
    site.cited = {f"edms:{cited}"}
    site.crawl()
    assert readers(site, number) == MEMBERS
    assert readers(site, cited) == NOBODY  # nobody vouches for what is only cited
    site.configure(principals=[])
    site.next_day()
    assert readers(site, number) == NOBODY
    assert site.documents()[f"edms:{number}:1"].files[0].access == NOBODY


def test_nodes_with_readers_of_their_own(site: EdmsSite) -> None:
    """Where several hold a document, the stricter one counts."""
    site.model.node(SUB, "Below", OTHER)
    one, two = site.model.add("A", ROOT), site.model.add("B", SUB)
    both, board = site.model.add("C", ROOT, SUB), site.model.add("D", OTHER)
    nodes = [ROOT, {"node": OTHER, "principals": ["edms:board", GROUP]}]
    site.configure(nodes=nodes)
    site.crawl()
    wide = frozenset({"edms:board", GROUP})
    assert readers(site, one) == MEMBERS
    assert readers(site, two) == readers(site, board) == wide
    assert readers(site, both) == MEMBERS
    site.configure(nodes=[ROOT, {"node": OTHER, "principals": ["edms:board"]}])
    site.next_day()
    assert readers(site, both) == NOBODY


@pytest.mark.parametrize("where", ["principals", "nodes"])
def test_public_cannot_be_claimed(site: EdmsSite, where: str) -> None:
    claims: dict[str, Any] = {
        "principals": [GROUP, "public"],
        "nodes": [{"node": ROOT, "principals": ["public"]}],
    }
    site.configure(**{where: claims[where]})
    with pytest.raises(ConfigError, match="public cannot be claimed"):
        site.crawl()


def test_no_address_for_everybody(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.model.open(number, "1", "note.txt")
    site.configure(public_url="")
    site.crawl()
    assert readers(site, number) == MEMBERS
    assert not [name for name in site.doors.asked if name.startswith("file ")]


# ── in time ───────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_public_is_looked_at_again_after_a_week(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.model.open(number, "1", "note.txt")
    site.crawl()
    site.model.documents[number]["1"].shown.clear()  # nothing tells of it
    site.next_day(3)
    assert readers(site, number) == PUBLIC
    site.next_day(4)
    assert readers(site, number) == MEMBERS


def test_what_was_closed_is_looked_at_again_too(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT)
    site.crawl()
    site.model.documents[number]["1"].shown.add("note.txt")
    site.next_day(7)
    assert readers(site, number) == PUBLIC


def test_a_changed_file_is_looked_at_at_once(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT, status="In Work")
    site.model.open(number, "1", "note.txt")
    site.crawl()
    site.model.put_file(number, "1", "note.txt", b"Now it is a secret.")
    site.model.documents[number]["1"].shown.clear()
    site.crawl()
    assert readers(site, number) == MEMBERS
    site.assert_true()


def test_without_stamps_a_file_is_looked_at_each_time(site: EdmsSite) -> None:
    """It may be another one at any time, so an old proof says nothing."""
    site.model.tells_stamps = False
    number = site.model.add("A", ROOT, status="In Work")
    site.model.open(number, "1", "note.txt")
    site.crawl()
    assert readers(site, number) == PUBLIC
    own = site.model.documents[number]["1"]
    own.files["note.txt"] = b"Now it is a secret."
    own.shown.clear()
    site.next_day()
    assert readers(site, number) == MEMBERS
    site.assert_true()


def test_a_file_that_changes_between_proof_and_fetch(site: EdmsSite) -> None:
    """What is kept as public is what was proven, byte for byte."""
    number = site.model.add("A", ROOT)
    site.model.open(number, "1", "note.txt")
    site.crawl()
    proven = site.file(f"edms:{number}:1").sha256
    path = site.settings.paths.blobs / proven[:2] / proven
    path.unlink()  # so it must be fetched again, by an old proof
    own = site.model.documents[number]["1"]
    secret = b"secret".ljust(len(own.files["note.txt"]))  # nothing tells of it
    own.files["note.txt"] = secret
    site.crawl()
    site.next_day()
    assert not path.exists()
    told = [why for name, why in site.failures().items() if number in name]
    assert any("bytes differ from those that were checked" in why for why in told)
    assert secret.decode() not in site.all_text()


def test_a_visitor_who_gets_no_answer(site: EdmsSite) -> None:
    """The last good look holds for two weeks, then no more."""
    number = site.model.add("A", ROOT)
    site.model.open(number, "1", "note.txt")
    site.crawl()
    answer = site.doors.answer

    def down(request: Any) -> Any:
        is_file = request.path.startswith("/file/")
        return Reply(503, b"") if is_file else answer(request)

    site.doors.answer = down  # type: ignore[method-assign]
    site.next_day(8)
    assert readers(site, number) == PUBLIC
    assert any("/public" in name for name in site.failures())
    site.next_day(7)
    assert readers(site, number) == MEMBERS
    site.doors.answer = answer  # type: ignore[method-assign]
    site.next_day()
    assert readers(site, number) == PUBLIC
    assert site.failures() == {}


def test_unlinked_is_not_deleted(site: EdmsSite) -> None:
    """It stays, and nobody vouches for it any more; what is public stays so."""
    site.model.node(SUB, "Below", ROOT)
    both, one = site.model.add("A", ROOT, SUB), site.model.add("B", ROOT)
    shown = site.model.add("C", ROOT)
    site.model.open(shown, "1", "note.txt")
    site.model.add("Stays", ROOT)
    site.crawl()
    site.model.nodes[ROOT].documents -= {both, one, shown}
    report = site.next_day()
    assert (report.error, report.removed) == ("", 0)
    assert readers(site, both) == MEMBERS
    assert readers(site, one) == NOBODY
    assert readers(site, shown) == PUBLIC


def test_unlinked_is_closed_even_if_it_cannot_be_read(site: EdmsSite) -> None:
    one = site.model.add("B", ROOT)
    site.model.add("Stays", ROOT)
    site.crawl()
    site.model.nodes[ROOT].documents -= {one}
    site.doors.broken[f"getDocument svc {one}"] = "fault"
    site.next_day()
    assert readers(site, one) == NOBODY


def test_a_closed_node(site: EdmsSite) -> None:
    site.model.node(SUB, "Below", ROOT)
    one = site.model.add("A", SUB)
    site.model.add("Stays", ROOT)
    site.crawl()
    site.model.nodes[SUB].closed = True
    site.next_day()
    assert readers(site, one) == NOBODY
    assert f"edms:{SUB}" in site.failures()
    site.model.nodes[SUB].closed = False
    site.next_day()
    assert readers(site, one) == MEMBERS
    assert site.failures() == {}


def test_forbidden_is_revoked_at_once(site: EdmsSite) -> None:
    number = site.model.add("A", ROOT, status="In Work")
    site.model.add("Stays", ROOT)
    site.crawl()
    site.model.edit(number, "1", closed=True)
    report = site.crawl()
    assert (report.error, report.removed) == ("", 1)
    assert f"edms:{number}:1" not in site.documents()
    assert site.recall("withheld")["documents closed to us"] == 1
    site.model.edit(number, "1", closed=False)
    site.next_day()
    assert readers(site, number) == MEMBERS


@pytest.mark.parametrize("status", ["In Work", "Under Approval", "Released", "Odd"])
def test_the_status_is_kept_as_it_is(site: EdmsSite, status: str) -> None:
    number = site.model.add("A", ROOT, status=status, kind="Technical Drawing")
    site.crawl()
    own = site.documents()[f"edms:{number}:1"]
    assert (own.status, own.kind) == (status, "technical drawing")
