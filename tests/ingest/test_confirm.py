"""Requests that confirm access: the record of them, the transport, the plans."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError, SourceFormatError, StorageError
from dunegpt.ingest.access_check import AccessRequest, Plan, Shown, Verdict
from dunegpt.ingest.confirm_store import ConfirmStore
from dunegpt.ingest.confirm_transport import ConfirmTransport, SourceStrainedError
from dunegpt.ingest.registry import open_access_checker, open_source
from simulators.http_server import FaultServer

YES, NO = Verdict(Shown.YES), Verdict(Shown.NO)


# ── the record ────────────────────────────────────────────────────────────────────


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ConfirmStore]:
    opened = ConfirmStore(tmp_path / "confirmations.db", cache_s=300)
    yield opened
    opened.close()


class Clock:
    """The time that the record goes by."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    own = Clock()
    monkeypatch.setattr("dunegpt.ingest.confirm_store.time", own)
    return own


def test_the_budget_is_per_source_and_hour(store: ConfirmStore, clock: Clock) -> None:
    assert [store.take_request("docdb", 2) for _ in range(3)] == [True, True, False]
    assert store.take_request("indico", 2)
    clock.now += 3599
    assert not store.take_request("docdb", 2)
    clock.now += 2
    assert store.take_request("docdb", 2)


def test_all_processes_share_one_budget(store: ConfirmStore, tmp_path: Path) -> None:
    other = ConfirmStore(tmp_path / "confirmations.db", cache_s=300)
    assert store.take_request("docdb", 2)
    assert other.take_request("docdb", 2)
    assert not store.take_request("docdb", 2)
    other.close()


def test_what_was_shown_is_remembered_for_minutes(
    store: ConfirmStore, clock: Clock
) -> None:
    listed = Verdict(Shown.YES, frozenset({"a1", "a2"}))
    store.put_shown("docdb", "docdb:1:1", "public", YES)
    store.put_shown("indico", "indico:1", "public", listed)
    clock.now += 299
    assert store.get_shown("docdb", "docdb:1:1", "public") == YES
    assert store.get_shown("indico", "indico:1", "public") == listed
    for other in (
        ("docdb", "docdb:1:1", "docdb:A"),
        ("docdb", "docdb:1:2", "public"),
        ("other", "docdb:1:1", "public"),
    ):
        assert store.get_shown(*other) is None
    clock.now += 2
    assert store.get_shown("docdb", "docdb:1:1", "public") is None


def test_a_confirmation_of_the_future_does_not_count(
    store: ConfirmStore, clock: Clock
) -> None:
    """The clock was wrong then, or is wrong now."""
    store.put_shown("docdb", "docdb:1:1", "public", YES)
    clock.now -= 3600
    assert store.get_shown("docdb", "docdb:1:1", "public") is None


def test_a_pause_ends(store: ConfirmStore, clock: Clock) -> None:
    assert not store.is_paused("docdb")
    store.pause("docdb", 30)
    assert store.is_paused("docdb")
    assert not store.is_paused("indico")
    clock.now += 31
    assert not store.is_paused("docdb")


def test_what_was_learned_holds_for_a_day(store: ConfirmStore, clock: Clock) -> None:
    assert store.get_learned("docdb") is None
    store.put_learned("docdb", {"door": {"All": 2}})
    assert store.get_learned("docdb") == {"door": {"All": 2}}
    clock.now += 24 * 3600 + 1
    assert store.get_learned("docdb") is None


def test_the_record_names_no_document(store: ConfirmStore, tmp_path: Path) -> None:
    store.put_shown("docdb", "docdb:424242:7", "docdb:Secret", YES)
    for file in tmp_path.glob("confirmations.db*"):
        assert b"424242" not in file.read_bytes()
        assert b"Secret" not in file.read_bytes()


def test_a_damaged_record_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "confirmations.db"
    path.write_bytes(b"not a database, and long enough to be seen as such" * 30)
    with pytest.raises(StorageError, match="cannot be used") as caught:
        ConfirmStore(path, cache_s=300).close()
    assert "move it away" in caught.value.hint


# ── the transport ─────────────────────────────────────────────────────────────────


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as opened:
        yield opened


@pytest.fixture
def transport() -> Iterator[ConfirmTransport]:
    opened = ConfirmTransport("somebody@example.org")
    yield opened
    opened.close()


def request(url: str, **headers: str) -> AccessRequest:
    return AccessRequest(url, lambda *answer: YES, headers)


def test_an_answer_comes_as_it_is(
    server: FaultServer, transport: ConfirmTransport
) -> None:
    status, _, body = transport.get(request(f"{server.url}/ok", Cookie="session=1"))
    assert (status, body) == (200, b"all is well\n")
    [sent] = server.requests
    assert sent.headers["cookie"] == "session=1"
    assert "somebody@example.org" in sent.headers["user-agent"]


def test_no_redirect_is_followed(
    server: FaultServer, transport: ConfirmTransport
) -> None:
    status, _, _ = transport.get(request(f"{server.url}/away"))
    assert status == 302
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "pause_s"),
    [
        ("busy", 7),
        ("mitigated", 30),
        ("drop", None),
        ("partial", None),
        ("endless", None),
    ],
)
def test_a_strained_source_is_left_alone(
    server: FaultServer,
    transport: ConfirmTransport,
    fault: str,
    pause_s: float | None,
) -> None:
    with pytest.raises(SourceStrainedError) as caught:
        transport.get(request(f"{server.url}/{fault}"))
    assert caught.value.pause_s == pause_s
    assert len(server.requests) == 1, "it was tried again"


def test_nothing_is_sent_after_closing(server: FaultServer) -> None:
    transport = ConfirmTransport()
    transport.get(request(f"{server.url}/ok"))
    transport.close()
    started = time.monotonic()
    with pytest.raises(SourceStrainedError):
        transport.get(request(f"{server.url}/ok"))
    assert time.monotonic() - started < 1
    assert len(server.requests) == 1


# ── plans ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MIA", "MO", "OTTO", "PASSWORD"):
        monkeypatch.setenv(f"OWN_{name}", f"secret-{name.lower()}")


def make_settings(tmp_path: Path, **table: Any) -> Settings:
    source = SourceSettings(**{"confirm": True, **table})
    return Settings(data_dir=tmp_path, sources={"home": source})


def make_docdb(tmp_path: Path, **more: Any) -> Settings:
    url = "https://docdb.example.org/cgi-bin"
    basic = {"kind": "basic", "url": f"{url}/private", "password_env": "OWN_PASSWORD"}
    cookie = {"kind": "cookie", "url": f"{url}/sso", "cookie_env": "OWN_COOKIE"}
    doors = [basic | {"group": "Board", "user": "board"}, cookie]
    return make_settings(tmp_path, type="docdb", url=url, doors=doors, **more)


def make_indico(tmp_path: Path, **more: Any) -> Settings:
    return make_settings(
        tmp_path,
        type="indico",
        url="https://indico.example.org",
        categories=[7],
        token_env=["OWN_MIA", "OWN_MO"],
        principals=["home:member"],
        audiences=[{"principals": ["home:board"], "token_env": "OWN_OTTO"}],
        **more,
    )


def list_urls(plan: Plan) -> list[list[str]]:
    return [[request.url.partition("//")[2] for request in way] for way in plan]


def test_docdb_is_asked_for_the_version(
    tmp_path: Path, secrets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_COOKIE", "session=1")
    checker = open_access_checker("home", make_docdb(tmp_path))
    shown = "ShowDocument?docid=12"
    public = checker.plan("home:12:3", "public")
    host = "docdb.example.org/cgi-bin"
    assert list_urls(public) == [[f"{host}/{shown}&version=3&outformat=xml"]]
    assert dict(public[0][0].headers) == {}
    board = checker.plan("home:12:3", "home:Board")
    assert list_urls(board) == [[f"{host}/private/{shown}&version=3&outformat=xml"]]
    assert board[0][0].headers["Authorization"].startswith("Basic ")
    reserved = checker.plan("home:12:0", "public")
    assert list_urls(reserved) == [[f"{host}/{shown}&outformat=xml"]]
    checker.close()


def test_a_login_of_several_groups_is_narrowed_to_one(
    tmp_path: Path, secrets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_COOKIE", "session=1")
    checker = open_access_checker("home", make_docdb(tmp_path))
    assert checker.plan("home:12:3", "home:All") == ()
    [groups] = checker.preparation()
    assert groups.url.endswith("/sso/SelectGroups")
    page = (
        b'<html><a class="DocDBNavBar"></a><select name="groups">'
        b'<option value="4">All</option></select></html>'
    )
    assert groups.judge(200, {}, page) == YES
    assert checker.preparation() == []
    [[asked]] = checker.plan("home:12:3", "home:All")
    assert asked.headers["Cookie"] == "session=1; groupids=4"
    assert "/sso/" in asked.url
    later = open_access_checker("home", make_docdb(tmp_path))
    later.load(checker.learned())
    assert list_urls(later.plan("home:12:3", "home:All")) == [
        [asked.url.partition("//")[2]]
    ]
    for each in (checker, later):
        each.close()


def test_groups_that_are_not_configured_confirm_nothing(
    tmp_path: Path, secrets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_COOKIE", "session=1")
    checker = open_access_checker("home", make_docdb(tmp_path, groups=["Board"]))
    checker.load({"the door cookie at /cgi-bin/sso": {"All": 4}})
    assert checker.plan("home:12:3", "home:All") == ()
    assert checker.plan("home:12:3", "other:Board") == ()
    assert checker.plan("other:12:3", "home:Board") == ()
    checker.close()


def test_docdb_says_what_it_shows(tmp_path: Path, secrets: None) -> None:
    url = "https://docdb.example.org/cgi-bin"
    settings = make_settings(tmp_path, type="docdb", url=url)
    checker = open_access_checker("home", settings)
    [[asked]] = checker.plan("home:12:3", "public")
    xml = {"content-type": "text/xml"}
    empty = b'<?xml version="1.0"?>\n<docdb href="x" version="8.9.0"/>'
    assert asked.judge(200, xml, empty) == NO
    for status, headers in (
        (302, xml),
        (401, xml),
        (200, {"content-type": "text/html"}),
    ):
        assert asked.judge(status, headers, empty).shown is Shown.UNKNOWN
    with pytest.raises(SourceFormatError):
        asked.judge(200, xml, empty[:-2])
    checker.close()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("home:22661", "22661"),
        ("home:22661/c68849", "22661/contribution/68849"),
        ("home:22661/c68849/s12", "22661/contribution/68849/12"),
        ("home:22661/sess7", "22661/session/7"),
    ],
)
def test_indico_is_asked_by_each_account_of_the_audience(
    tmp_path: Path, secrets: None, document: str, path: str
) -> None:
    checker = open_access_checker("home", make_indico(tmp_path))
    start = f"indico.example.org/export/attachments/{path}.json?nc=yes"
    [members] = checker.plan(document, "home:member")
    assert [r.headers["Authorization"] for r in members] == [
        "Bearer secret-mia",
        "Bearer secret-mo",
    ]
    assert all("onlyauthed=yes" in r.url and start in r.url for r in members)
    [[anonymous]] = checker.plan(document, "public")
    assert dict(anonymous.headers) == {}
    assert "onlyauthed" not in anonymous.url
    [[board]] = checker.plan(document, "home:board")
    assert board.headers["Authorization"] == "Bearer secret-otto"
    for other in ("other:22661", "home:22661/x1", "home:", "home:22661/c"):
        assert checker.plan(other, "public") == ()
    assert checker.plan(document, "home:nobody") == ()
    checker.close()


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, b'{"message": "Access to this resource is restricted."}', NO),
        (404, b'{"message": "No such event"}', Verdict(Shown.DELETED)),
        (403, b'{"error": "insufficient_scope"}', Verdict(Shown.UNKNOWN)),
        (401, b'{"error": "invalid_token"}', Verdict(Shown.UNKNOWN)),
        (400, b'{"message": "OAuth error"}', Verdict(Shown.UNKNOWN)),
        (302, b"", Verdict(Shown.UNKNOWN)),
        (200, b"[]", Verdict(Shown.UNKNOWN)),
    ],
)
def test_indico_says_what_it_shows(
    tmp_path: Path, secrets: None, status: int, body: bytes, expected: Verdict
) -> None:
    checker = open_access_checker("home", make_indico(tmp_path))
    [[asked]] = checker.plan("home:1", "public")
    assert asked.judge(status, JSON, body) == expected
    page = {"content-type": "text/html; charset=utf-8"}
    assert asked.judge(status, page, body).shown is Shown.UNKNOWN
    assert checker.is_protected("a7")
    assert not checker.is_protected("about")
    assert not checker.is_protected("minutes")
    checker.close()


def test_indico_lists_the_files_that_it_shows(tmp_path: Path, secrets: None) -> None:
    checker = open_access_checker("home", make_indico(tmp_path))
    [[asked]] = checker.plan("home:1", "public")
    body = b'{"results": {"folders": [{"attachments": [{"id": 7}]}]}}'
    verdict = asked.judge(200, JSON, body)
    assert verdict.shown is Shown.YES
    shown = {k: verdict.lists(k, checker.is_protected) for k in ("a7", "a8", "about")}
    assert shown == {"a7": True, "a8": False, "about": True}
    checker.close()


def test_secrets_are_in_no_message(tmp_path: Path, secrets: None) -> None:
    checker = open_access_checker("home", make_indico(tmp_path))
    assert "secret-" not in repr(checker.plan("home:1", "home:member"))
    checker.close()


# ── settings ──────────────────────────────────────────────────────────────────────


def test_the_crawl_leaves_the_budget_of_confirmations_alone(
    tmp_path: Path, secrets: None
) -> None:
    for more, crawled in (
        ({"confirm": True}, 2400),
        ({"confirm": False}, 3000),
        ({"confirm_per_hour": 1000}, 2000),
        ({"requests_per_hour": 0}, 0),
    ):
        source: Any = open_source("home", make_indico(tmp_path, **more))
        client = source.open_access_checker()._client
        assert client._requests_per_hour == crawled
        source.close()


def test_a_budget_that_leaves_the_crawl_nothing_is_refused(
    tmp_path: Path, secrets: None
) -> None:
    settings = make_indico(tmp_path, requests_per_hour=600, confirm_per_hour=600)
    with pytest.raises(ConfigError, match="leaves the crawl none"):
        open_source("home", settings)


def test_sources_that_cannot_be_asked_have_no_budget_for_it(tmp_path: Path) -> None:
    table = {"type": "elog", "url": "https://log.example.org", "access": ["public"]}
    more = {"confirm": False, "confirm_per_hour": 5}
    with pytest.raises(ConfigError, match="confirm_per_hour: Extra inputs"):
        open_source("home", make_settings(tmp_path, **table, **more))


@pytest.mark.parametrize("kind", ["edms", "elog", "folder", "git"])
def test_a_crawl_refuses_the_option_too(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigError, match="cannot have confirm") as caught:
        open_source("home", make_settings(tmp_path, type=kind))
    assert "Remove confirm" in caught.value.hint
