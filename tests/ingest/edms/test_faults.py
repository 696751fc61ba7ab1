"""An EDMS that goes wrong by name: nothing is lost, and the ledger says what it was."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.edms.public_files import (
    AnonymousClient,
    FileUrlTransport,
    NotPublicError,
    parse_file_url,
)
from dunegpt.ingest.http import PoliteClient
from simulators.crawled_source import folder
from simulators.edms.site import GROUP, ROOT, EdmsSite
from simulators.edms.soap_server import FAULTS
from simulators.http_server import FaultServer, Reply, Request

LASTING = ["slow", "drop", "partial", "error", "endless", "drip", "not-gzip"]
PASSING = ["flaky", "busy", "drop-once"]
LOGIN = ["login", "away", "html", "unauthorized", "forbidden", "challenge", "mitigated"]
MEMBERS, PUBLIC = frozenset({GROUP}), frozenset({"public"})


class Served(EdmsSite):
    """An EDMS behind a real socket."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = FaultServer(self._answer)
        self.broken: dict[str, str] = {}
        self.configure(url=self.server.url, timeout_s=1.0)

    def crawl(self, **how: Any) -> CrawlReport:
        return crawl("edms", self.settings, **how)

    def _answer(self, request: Request) -> Reply | None:
        told = request.path + " " + request.body.decode()
        for part, fault in self.broken.items():
            if all(word in told for word in part.split()):
                if fault in PASSING and f"/{fault}" in self.server.paths():
                    break
                # A resource that fails once counts its own requests: by its own path.
                self.server.requests[-1] = Request(f"/{fault}", {}, {})
                return self.server._fault(fault)
        return self.doors.answer(request)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    client = partial(PoliteClient, attempts=2, sleep=lambda seconds: None)
    monkeypatch.setattr("dunegpt.ingest.sync.PoliteClient", client)
    with folder() as path:
        made = Served(path)
        made.model.lacks = {"getModifiedDocuments"}
        for number in range(3):
            made.model.add(f"A {number}", ROOT, status="In Work")
        with made.server:
            yield made


def test_all_is_well(site: Served) -> None:
    number = site.model.add("Open", ROOT)
    site.model.put_file(number, "1", "a (1) & b.txt", b"For everybody.", shown=True)
    assert site.crawl().error == ""
    site.assert_true()
    assert site.doors.leaks == []
    agents = {r.headers["user-agent"].partition("/")[0] for r in site.server.requests}
    assert agents == {"dunegpt"}


@pytest.mark.parametrize("fault", PASSING)
def test_faults_that_pass(site: Served, fault: str) -> None:
    site.broken["getChildren"] = fault
    assert site.crawl().error == ""
    site.broken.clear()
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*LASTING, *LOGIN])
def test_the_services(site: Served, fault: str) -> None:
    """Whatever comes where an answer was due, nothing is taken for gone."""
    assert site.crawl().error == ""
    before = site.access()
    site.broken["/ws/"] = fault
    report = site.crawl(full=True)
    assert report.error
    assert report.hint
    assert (report.removed, report.hidden, report.kept) == (0, 0, 0)
    assert site.access() == before
    site.broken.clear()
    assert site.crawl(full=True).error == ""
    site.assert_true()
    assert site.failures() == {}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["getDocument<", "getDocumentVersions", "getFiles"])
@pytest.mark.parametrize("fault", [*LASTING, *LOGIN])
def test_one_document(site: Served, what: str, fault: str) -> None:
    """One that fails is a failure; a login that is asked for is an error."""
    assert site.crawl().error == ""
    before = site.access()
    number = sorted(site.model.documents)[1]
    site.broken[f"{what.strip('<')} {number}"] = fault
    report = site.crawl(full=True)
    assert bool(report.error) == (fault in LOGIN)
    assert (report.removed, report.hidden, report.kept) == (0, 0, 0)
    assert site.access() == before
    if not report.error:
        assert any(number in name for name in site.failures())
    site.broken.clear()
    assert site.crawl(full=True).error == ""
    assert site.failures() == {}
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(FAULTS.keys() - {"gone", "forbidden"}))
def test_answers_of_one_document(site: Served, kind: str) -> None:
    assert site.crawl().error == ""
    before = site.access()
    number = sorted(site.model.documents)[1]
    site.doors.broken[f"getDocument svc {number}"] = kind
    report = site.crawl()
    logins = {"login-page", "away", "unauthorized", "denied", "challenge"}
    assert bool(report.error) == (kind in logins)
    assert site.access() == before
    site.doors.broken.clear()
    assert site.crawl().error == ""
    site.assert_true()
    assert site.failures() == {}


def test_document_after_document_fails(site: Served) -> None:
    """Then the service is down, and the run says so."""
    for number in range(4):
        site.model.add(f"More {number}", ROOT)
    site.doors.broken["getDocument svc"] = "fault"
    report = site.crawl()
    assert report.error.startswith("SourceFormatError")
    assert report.failed == 4
    site.doors.broken.clear()
    assert site.crawl().error == ""
    site.assert_true()


def test_a_secret_is_sent_nowhere_else(site: Served) -> None:
    with FaultServer() as other:
        site.server.elsewhere = other.url
        site.broken["/ws/"] = "away"
        report = site.crawl()
        assert report.error.startswith("SourceLoginError")
        assert other.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*LASTING, "unauthorized", "forbidden", "html"])
def test_a_file_as_the_account_sees_it(site: Served, fault: str) -> None:
    """The document is there; the ledger says which file is not."""
    number = sorted(site.model.documents)[1]
    site.broken[f"getFile {number} fileName"] = fault
    report = site.crawl()
    is_login = fault in LOGIN
    assert bool(report.error) == is_login
    if not is_login:
        assert any(f"edms:{number}:1#" in name for name in site.failures())
    site.broken.clear()
    assert site.crawl().error == ""
    site.assert_true()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*LASTING, "login", "away", "html", "unauthorized"])
def test_a_file_as_a_visitor_sees_it(site: Served, fault: str) -> None:
    """Nothing but the bytes makes it public; nothing that comes stops the run."""
    number = site.model.add("Open", ROOT)
    site.model.open(number, "1", "note.txt")
    site.broken[f"/file/{number}"] = fault
    assert site.crawl().error == ""
    assert site.documents()[f"edms:{number}:1"].access == MEMBERS
    site.broken.clear()
    site.crawl(full=True)
    assert site.documents()[f"edms:{number}:1"].access == PUBLIC
    assert site.failures() == {}
    site.assert_true()


@pytest.mark.parametrize("fault", ["challenge", "mitigated"])
def test_a_challenge_for_a_visitor(site: Served, fault: str) -> None:
    """It stops the source with a message."""
    site.broken["/file/"] = fault
    report = site.crawl()
    assert "challenge" in report.error


# ── files by their addresses ──────────────────────────────────────────────────────────


def test_places() -> None:
    assert parse_file_url("2173180/6/x.pdf") == ("2173180", "6", "x.pdf")
    address = "https://edms.cern.ch/ui/file/2411710/2.6/a%20(b)%20%26%20c.pdf"
    assert parse_file_url(address) == ("2411710", "2.6", "a (b) & c.pdf")
    for wrong in ("", "2173180", "x/1/a.pdf", "1/2/3/a.pdf", "https://x.org/1/2/a"):
        with pytest.raises(ValueError, match="NUMBER/VERSION/NAME"):
            parse_file_url(wrong)


def test_public_files_alone(site: Served) -> None:
    """No login is needed, and none is sent; what is not public is for nobody."""
    one, two = sorted(site.model.documents)[:2]
    site.model.add_version(one, "0.1")
    site.model.open(one, "1", "note.txt")
    site.model.open(one, "0.1", "note.txt")
    site.configure(
        transport="file_url",
        documents=[
            f"{one}/1/note.txt",
            f"https://edms.cern.ch/file/{one}/0.1/note.txt",
            f"{two}/1/note.txt",
            "99/1/none.txt",
        ],
        **dict.fromkeys(["user", "password_file", "nodes", "principals"]),
    )
    assert site.crawl().error == ""
    assert site.access() == dict.fromkeys([f"edms:{one}:1", f"edms:{one}:0.1"], PUBLIC)
    assert len(site.documents()) == 4
    assert site.file(f"edms:{one}:1").sha256
    assert site.documents()[f"edms:{one}:1"].supersedes == f"edms:{one}:0.1"
    site.model.documents[one]["1"].files["note.txt"] = b"Another text."
    site.crawl()
    own = site.documents()[f"edms:{one}:1"]
    assert own.access == PUBLIC
    assert own.files[1].size_bytes == len(b"Another text.")
    site.model.open(one, "1")
    site.crawl()
    assert site.access() == {f"edms:{one}:0.1": PUBLIC}
    assert all("authorization" not in r.headers for r in site.server.requests)


@pytest.mark.parametrize(
    ("to", "is_given"),
    [
        ("/ui/file/7/1/a%20b.txt", True),
        ("{server}/ui/file/7/1/a%20b.txt", True),
        ("http://127.0.0.2:1/file/7/1/a%20b.txt", False),
        ("/login?next=/file/7/1/a%20b.txt", False),
        ("/file/7/1/another.txt", False),
    ],
)
def test_redirects_of_a_file(to: str, is_given: bool) -> None:
    """Only to the newer form of the same address, on the same host."""

    def answer(request: Request) -> Reply:
        if request.path.startswith("/ui/"):
            return Reply(200, b"the file", {"Content-Type": "text/plain"})
        return Reply(302, b"", {"Location": to.format(server=server.url)})

    with FaultServer(answer) as server:
        client = PoliteClient(server.url, delay_s=0, attempts=1)
        found = FileUrlTransport(AnonymousClient(client, ""), ["7/1/a b.txt"])
        pieces = found.fetch_file("7", "1", "a b.txt", 100)
        if is_given:
            assert b"".join(pieces) == b"the file"
        else:
            with pytest.raises(NotPublicError):
                list(pieces)
        client.close()
