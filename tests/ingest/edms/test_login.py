"""Logins, recordings and what is played back: no secret is anywhere."""

import logging
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dunegpt.config import read_example
from dunegpt.errors import ConfigError, SourceFormatError, SourceLoginError
from dunegpt.ingest.edms import source
from dunegpt.ingest.edms.soap_client import (
    BasicLogin,
    HttpSoapClient,
    ReplaySoapClient,
    TokenLogin,
)
from dunegpt.ingest.http import PoliteClient
from simulators.crawled_source import folder
from simulators.edms.model import EdmsModel
from simulators.edms.site import GROUP, ROOT, SECRET, EdmsSite, recorded
from simulators.edms.soap_server import EdmsDoors, fault
from simulators.http_server import FaultServer, Reply, Request

CREDENTIALS = {
    "client_id": "crawler",
    "client_secret": "client-geheim",
    "audience": "edms",
}


@pytest.fixture
def site() -> Iterator[EdmsSite]:
    with folder() as path:
        yield EdmsSite(path)


def by_token(site: EdmsSite) -> None:
    """Log in by client credentials instead of a password."""
    secret = site.folder / "client"
    secret.touch(mode=0o600)
    secret.write_text("client-geheim", encoding="utf-8")
    token: dict[str, Any] = {"client_id": "crawler", "audience": "edms"}
    token |= {"client_secret_file": str(secret), "token_url": "https://auth.test/token"}
    site.configure(password_file=None, **token)


# ── passwords ─────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_wrong_password(site: EdmsSite) -> None:
    site.model.add("A", ROOT)
    site.crawl()
    before = site.access()
    site.doors.users["svc"] = "another one"
    report = site.next_day()
    assert report.error.startswith("SourceLoginError")
    assert site.access() == before


def test_a_password_that_others_may_read(site: EdmsSite) -> None:
    Path(site.table["password_file"]).chmod(0o644)
    with pytest.raises(ConfigError, match="Others may read"):
        site.crawl()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"user": None}, "needs user"),
        ({"password_file": None}, "needs user"),
        ({"transport": "file_url"}, "documents"),
        ({"transport": "file_url", "documents": ["1/2/a.pdf"]}, "public alone"),
        ({"transport": "export"}, "list and files"),
        ({"transport": "replay"}, "answers"),
        ({"transport": "rest"}, "transport"),
        ({"password": SECRET}, "password"),
        ({"documents": ["not a number"]}, "documents"),
        ({"nodes": ["no node!"]}, "names no node"),
    ],
)
def test_settings(site: EdmsSite, options: dict[str, Any], why: str) -> None:
    site.configure(**options)
    with pytest.raises(ConfigError, match=why) as caught:
        site.crawl()
    assert SECRET not in str(caught.value)


def test_the_example_names_every_setting() -> None:
    text = read_example()
    own = text[text.index("# [sources.edms]") :].partition("\n\n")[0]
    lines = [line.removeprefix("# ") for line in own.splitlines() if " = " in line]
    options = set(source._Options.model_fields) - {"id_prefix", "confirm"}
    assert set(tomllib.loads("\n".join(lines))) == options


def test_no_secret_anywhere(site: EdmsSite, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the log, nor in the catalog, nor in a recording, nor in an error."""
    caplog.set_level(logging.DEBUG)
    number = site.model.add("A", ROOT)
    site.configure(answers=str(site.folder / "answers"))
    site.crawl()
    site.doors.broken[f"getDocument svc {number}"] = "fault"
    report = site.next_day(full=True)
    encoded = BasicLogin("svc", SECRET).header().split()[1]
    kept = "".join(p.read_text() for p in (site.folder / "answers").iterdir())
    for secret in (SECRET, encoded):
        for text in (caplog.text, site.all_text(), kept, str(report)):
            assert secret not in text


# ── tokens ────────────────────────────────────────────────────────────────────────────


def test_client_credentials(site: EdmsSite) -> None:
    by_token(site)
    site.model.add("A", ROOT)
    assert site.crawl().error == ""
    site.assert_true()
    assert site.doors.minted == 1


def test_a_token_that_is_refused_is_taken_anew_once(site: EdmsSite) -> None:
    by_token(site)
    site.model.add("A", ROOT)
    answer = site.doors.answer

    def forgetful(request: Request) -> Reply:
        if site.doors.minted == 1 and len(site.doors.asked) == 2:
            site.doors.tokens.clear()
        return answer(request)

    site.doors.answer = forgetful  # type: ignore[method-assign]
    assert site.crawl().error == ""
    assert site.doors.minted == 2
    site.doors.clients.clear()
    site.doors.tokens.clear()
    report = site.next_day()
    assert "auth.test refused to issue a token (401)" in report.error


@pytest.mark.parametrize("lasts_s", [600, 61])
def test_a_token_is_taken_anew_before_it_ends(lasts_s: int) -> None:
    doors, now = EdmsDoors(EdmsModel()), [0.0]

    def answer(request: Request) -> Reply:
        reply = doors.answer(request)
        assert isinstance(reply.body, bytes)
        body = reply.body.replace(b"600", str(lasts_s).encode())
        return Reply(reply.status, body, reply.headers)

    with FaultServer(answer) as server:
        client = PoliteClient(server.url, delay_s=0)
        login = TokenLogin(client, "/token", CREDENTIALS, clock=lambda: now[0])
        first = login.header()
        now[0] = lasts_s - 61.0
        assert login.header() == first or lasts_s == 61
        now[0] = lasts_s - 59.0
        assert login.header() != first
        client.close()


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"access_token": 3}', b"null"]
)
def test_no_token_comes(body: bytes) -> None:
    with FaultServer(lambda request: Reply(200, body)) as server:
        client = PoliteClient(server.url, delay_s=0)
        with pytest.raises(SourceLoginError, match="without a token"):
            TokenLogin(client, "/token", CREDENTIALS).header()
        client.close()


# ── recordings ────────────────────────────────────────────────────────────────────────


def test_played_back(site: EdmsSite, tmp_path: Path) -> None:
    """What was recorded becomes the same documents, for members only."""
    answers = tmp_path / "answers"
    site.configure(answers=str(answers))
    site.model.lacks = {"getModifiedDocuments"}
    number = site.model.add("A", ROOT, version="0.1")
    site.model.add_version(number, "1.0", status="In Work")
    site.model.open(number, "0.1", "note.txt")
    site.crawl()
    again = EdmsSite(tmp_path / "again")
    options: dict[str, Any] = {"user": None, "password_file": None}
    again.configure(transport="replay", answers=str(answers), **options)
    report = again.crawl()
    assert (report.error, report.failed, report.requests) == ("", 0, 0)
    first, second = site.documents(), again.documents()
    assert first.keys() == second.keys()
    assert all(own.access == {GROUP} for own in second.values())
    for name, own in first.items():
        assert own.files[1].sha256 == second[name].files[1].sha256
    # With an address for everybody, what is public is proven again.
    again.configure(public_url="https://edms.test")
    again.model.documents = site.model.documents
    again.crawl()
    assert again.documents()[f"edms:{number}:0.1"].access == {"public"}


def test_a_recording_leaves_the_user_out(site: EdmsSite, tmp_path: Path) -> None:
    site.configure(answers=str(tmp_path / "answers"))
    site.model.add("A", ROOT)
    site.crawl()
    kept = recorded(tmp_path / "answers")
    assert {each["operation"] for each in kept} >= {"getDocument", "getFile"}
    assert not any("username" in each["parameters"] for each in kept)
    assert all(set(each["headers"]) == {"content-type"} for each in kept)
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "answers").iterdir()}
    assert modes == {0o600}


def test_an_answer_that_echoes_a_secret(tmp_path: Path) -> None:
    """A fault may tell what was sent."""
    login = BasicLogin("svc", SECRET)
    echo = f"I got {SECRET} and {login.header()}"
    with FaultServer(lambda request: fault(echo)) as server:
        client = PoliteClient(server.url, delay_s=0)
        wire = HttpSoapClient(client, login, tmp_path)
        wire.call("DocumentServiceT", "getDocument", {"edmsId": "1"}, b"<x/>")
        client.close()
    [kept] = recorded(tmp_path)
    assert "(left out)" in kept["body"]
    assert SECRET not in str(kept)
    assert login.header().split()[1] not in str(kept)


def test_what_was_not_recorded(tmp_path: Path) -> None:
    wire = ReplaySoapClient(tmp_path)
    with pytest.raises(SourceFormatError, match="no recordings"):
        wire.open()
    (tmp_path / "getDocument-0.json").write_text("{}")
    wire.open()
    with pytest.raises(SourceFormatError, match="getDocument of 7 was not recorded"):
        wire.call("DocumentServiceT", "getDocument", {"edmsId": "7"}, b"")
    with pytest.raises(SourceFormatError, match="damaged"):
        wire.recorded_values("getDocument", "edmsId")
