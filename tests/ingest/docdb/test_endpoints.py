"""Each door by itself: who is let in, what is proven, where a file comes from."""

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.docdb.source import DocDBSource
from simulators.crawled_source import folder
from simulators.docdb.endpoints import Doors
from simulators.docdb.model import DocDBModel
from simulators.docdb.site import SECRET, Site, hashes
from simulators.http_server import FaultServer

ALL, BOARD, ADMIN = "docdb:All", "docdb:Board", "docdb:Admin"


@pytest.fixture
def site() -> Iterator[Site]:
    with folder() as path:
        made = Site(path)
        made.model.superiors = {("Board", "All")}
        yield made


def fill(model: DocDBModel) -> None:
    model.add("Open")  # 1
    model.add("For all", ["All"])  # 2
    model.add("For the board", ["Board"])  # 3
    mixed = model.add("Opened", ["Board"])  # 4
    model.add_version(mixed, "Opened", ["All"])
    model.add_version(mixed, "Opened", ["All"])


# ── poorer doors ──────────────────────────────────────────────────────────────────


def test_the_public_alone(site: Site) -> None:
    fill(site.model)
    site.configure(doors=[])
    report = site.crawl()
    assert (report.error, report.failed, report.warnings) == ("", 0, [])
    assert site.access() == {"docdb:1:1": {"public"}}
    assert site.recall("withheld")["documents closed to us"] == 3
    assert report.fetched == 1


def test_one_group_and_the_public(site: Site) -> None:
    """Only what this group was shown is for it; of others nothing is known."""
    fill(site.model)
    site.by_passwords("All")
    assert site.crawl().error == ""
    shown = {"docdb:2:1", "docdb:4:2", "docdb:4:3"}
    assert site.access() == {"docdb:1:1": {"public"}} | {key: {ALL} for key in shown}
    for name, own in site.documents().items():
        number, version = map(int, name.split(":")[1:])
        files = site.model.documents[number][version].files
        assert site.content(own) == hashes(files)


def test_a_superior_group_by_itself(site: Site) -> None:
    fill(site.model)
    site.by_passwords("Board")
    report = site.crawl()
    assert (report.error, report.warnings) == ("", [])
    closed = {"docdb:2:1", "docdb:3:1", "docdb:4:1", "docdb:4:2", "docdb:4:3"}
    assert site.access() == {"docdb:1:1": {"public"}} | {key: {BOARD} for key in closed}


def test_two_groups_each_with_versions_of_its_own(site: Site) -> None:
    site.model.superiors.clear()
    fill(site.model)
    site.by_passwords("All", "Board")
    assert site.crawl().error == ""
    site.assert_true()
    site.model.delete(4, 1)
    site.next_day()
    site.assert_true()


def test_without_a_public_door_nothing_is_public(site: Site) -> None:
    fill(site.model)
    site.configure(url="")
    site.crawl()
    assert site.access()["docdb:1:1"] == {ALL, BOARD, ADMIN}


def test_only_some_groups(site: Site) -> None:
    fill(site.model)
    site.model.groups[4] = "Near"
    site.model.superiors.add(("All", "Near"))
    site.model.add("Only by hierarchy", ["Near"])
    site.doors.sessions["service-session"].append("Near")
    site.configure(groups=["All"])
    site.crawl()
    assert site.access()["docdb:4:2"] == {ALL}
    assert site.access()["docdb:5:1"] == {ALL}
    assert all(f.sha256 for f in site.documents()["docdb:5:1"].files)
    assert "docdb:3:1" not in site.access()


# ── who is not let in ─────────────────────────────────────────────────────────────


def test_a_session_that_has_lapsed_is_no_empty_docdb(site: Site) -> None:
    fill(site.model)
    site.crawl()
    before = site.access()
    site.doors.sessions.clear()
    for how in ({}, {"full": True}):
        report = site.crawl(**how)
        assert report.error.startswith("SourceLoginError")
        assert "127.0.0.2:1" in report.error
        assert "SAMLRequest" not in report.error
        assert (report.removed, report.hidden) == (0, 0)
    assert site.access() == before


def test_a_hook_renews_the_session(site: Site) -> None:
    fill(site.model)
    site.crawl()
    site.doors.sessions = {"another": list(site.model.groups.values())}
    renew = f"import pathlib; pathlib.Path({str(site.cookie)!r}).write_text({{}})"
    door = site.table["doors"][0]
    hook = [sys.executable, "-c", renew.format("'session=another'")]
    site.configure(doors=[door | {"login_command": hook}])
    assert site.crawl().error == ""
    hook[-1] = "raise SystemExit('session=another')"
    site.doors.sessions = {"third": []}
    report = site.crawl()
    assert report.error.startswith("SourceLoginError: The login hook")
    assert "another" not in report.error


def test_a_cookie_that_somebody_else_renewed(site: Site) -> None:
    """The file is read again by each run."""
    fill(site.model)
    site.crawl()
    site.doors.sessions = {"another": list(site.model.groups.values())}
    site.cookie.write_text("session=another")
    assert site.crawl().error == ""


@pytest.mark.slow
def test_a_wrong_password(site: Site) -> None:
    fill(site.model)
    site.by_passwords("All")
    site.doors.passwords["All"] = "changed"
    report = site.crawl()
    assert report.error.startswith("SourceLoginError")
    assert "401" in report.error


def test_no_secret_is_told(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    fill(site.model)
    with caplog.at_level(logging.DEBUG):
        site.crawl()
        site.doors.sessions.clear()
        site.crawl()
        site.by_passwords("All")
        site.crawl()
        site.doors.passwords.clear()
        report = site.crawl()
    secrets = (SECRET, "service-session", "QWxsOmdlaGVpbS00NzEx")
    whole = caplog.text + repr(report)
    whole += site.settings.paths.catalog.read_bytes().decode("latin-1")
    assert not [secret for secret in secrets if secret in whole]


@pytest.mark.slow
def test_an_account_that_lost_its_groups(site: Site) -> None:
    for number in range(30):
        site.model.add(f"Closed {number}", ["All"])
    site.model.add("Open")
    site.crawl()
    site.doors.sessions["service-session"] = []
    report = site.next_day()
    assert "documents are gone" in report.error
    assert (report.removed, report.hidden) == (0, 30)
    assert site.access() == {"docdb:31:1": {"public"}}
    site.doors.sessions["service-session"] = list(site.model.groups.values())
    asked = len(site.doors.asked)
    site.next_day()
    site.assert_true()
    assert len(site.doors.asked) - asked < 300


@pytest.mark.slow
def test_one_group_that_the_account_lost(site: Site) -> None:
    for number in range(30):
        site.model.add(f"Closed {number}", ["All"])
    site.crawl()
    assert len(site.access()) == 30
    site.doors.sessions["service-session"] = ["Admin", "Board"]
    report = site.next_day()
    assert report.error.startswith("All sees 30 documents fewer")
    assert all(ALL not in own for own in site.access().values())


# ── files ─────────────────────────────────────────────────────────────────────────


def test_files_that_are_pages_and_pages_that_are_none(site: Site) -> None:
    number = site.model.add("A", ["All"])
    page = b"<html><title>File Retrieve Results</title></html>"
    site.model.put_file(number, 1, "nota ñ & #1.html", page)
    site.model.put_file(number, 1, "lost.pdf", b"x")
    original = dict(site.model.documents[number][1].files)
    lost = site.model.documents[number][1].files
    del lost["lost.pdf"]
    site.doors.model.documents[number][1].rows["lost.pdf"] = 99
    site.model.documents[number][1].files = _Lacking(original, "lost.pdf")
    report = site.crawl()
    assert report.error == ""
    [failure] = set(report.failures)
    assert "it is missing" in failure.message
    stored = site.content(site.documents()["docdb:1:1"])
    assert stored == hashes(original) | {"lost.pdf": ""}


class _Lacking(dict[str, bytes]):
    """Files of which one is listed, and not there."""

    def __init__(self, files: dict[str, bytes], name: str) -> None:
        super().__init__(files)
        self._name = name

    def __contains__(self, name: object) -> bool:
        return name != self._name and super().__contains__(name)


def test_the_web_server_knows_older_groups(site: Site) -> None:
    """A file that the page shows and the web server refuses is a failure of its own."""
    fill(site.model)
    site.by_passwords("Board")
    site.model.stale_access = {2: frozenset({"Admin"})}
    report = site.crawl()
    assert report.error == ""
    [failure] = set(report.failures)
    assert "answers 401." in failure.message
    assert site.access()["docdb:2:1"] == {BOARD}


def test_a_file_replaced_in_its_place(site: Site) -> None:
    number = site.model.add("A", ["All"])
    site.crawl()
    site.model.put_file(number, 1, "note.txt", b"another")
    assert site.crawl().fetched == 1
    site.assert_true()
    # New rows with the same bytes: fetched, and the same.
    site.model.documents[number][1].rows["note.txt"] = 77
    before = site.content(site.documents()["docdb:1:1"])
    site.crawl()
    assert site.content(site.documents()["docdb:1:1"]) == before


# ── settings ──────────────────────────────────────────────────────────────────────

_URL = "https://docdb.test/cgi-bin"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "neither url nor doors"),
        ({"url": "docdb.test"}, "url"),
        ({"url": _URL, "door": []}, "door"),
        ({"doors": [{"kind": "basic", "url": _URL}]}, "user and group"),
        (
            {"doors": [{"kind": "basic", "url": _URL, "user": "a", "group": "A"}]},
            "password",
        ),
        ({"doors": [{"kind": "cookie", "url": _URL}]}, "cookie_env"),
        ({"doors": [{"kind": "certificate", "url": _URL}]}, "certificate and key"),
        ({"doors": [{"kind": "magic", "url": _URL}]}, "kind"),
        ({"url": _URL, "people": {"claim": "sub"}}, "people.issuer"),
    ],
)
def test_settings_that_cannot_be_used(
    tmp_path: Path, options: dict[str, object], told: str
) -> None:
    table = SourceSettings(type="docdb", **options)
    with pytest.raises(ConfigError, match=told):
        DocDBSource("docdb", table, Settings(data_dir=tmp_path))


def test_a_secret_that_others_may_read(site: Site) -> None:
    site.cookie.chmod(0o644)
    with pytest.raises(ConfigError, match="Others may read"):
        site.crawl()


# ── the certificate door, over TLS ────────────────────────────────────────────────


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with an authority, a server's and a person's certificate."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "tls"
    folder.mkdir()

    def run(*arguments: str) -> None:
        command = [program, *arguments]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    own = ("-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    run("req", *key, *own, "-subj", "/CN=Test CA")
    for name, subject in (("server", "/CN=127.0.0.1"), ("person", "/CN=Crawler")):
        out = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        more = ("-addext", "subjectAltName=IP:127.0.0.1")
        run("req", *key, *out, "-subj", subject, *more)
        ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        files = ("-in", f"{name}.csr", "-out", f"{name}.pem")
        run("x509", "-req", *files, *ca, "-copy_extensions", "copy")
    yield folder


@pytest.mark.slow
def test_a_certificate(tmp_path: Path, authority: Path) -> None:
    import ssl  # noqa: PLC0415 - of this test only

    model = DocDBModel()
    doors = Doors(model)
    fill(model)
    server = FaultServer(doors.answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    context.load_verify_locations(authority / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    http = server._http
    http.socket = context.wrap_socket(http.socket, server_side=True)
    url = server.url.replace("http:", "https:")
    doors.url, doors.certified = url, ["All"]
    door = {
        "kind": "certificate",
        "url": f"{url}/cgi-bin/cert",
        "certificate": str(authority / "person.pem"),
        "key": str(authority / "person.key"),
    }
    table = {
        "type": "docdb",
        "doors": [door],
        "authorities": str(authority / "ca.pem"),
        "delay_s": 0,
    }
    settings = Settings(
        data_dir=tmp_path / "data", sources={"docdb": SourceSettings(**table)}
    )
    with server:
        report = crawl("docdb", settings)
        assert (report.error, report.failed) == ("", 0)
        assert report.new == 4
        assert report.fetched == 4
