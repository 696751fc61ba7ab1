"""The polite client against a server that goes wrong in every way."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from dunegpt import __version__
from dunegpt.errors import (
    DuneGPTError,
    FetchError,
    SourceBusyError,
    SourceFormatError,
    SourceLoginError,
    SourceUnreachableError,
)
from dunegpt.ingest import http
from dunegpt.ingest.http import PoliteClient
from simulators.http_server import BODY, FaultServer, Reply, Request

TOKEN = "indp_secret"


class Site:
    """A faulty server and a client of it that never really sleeps."""

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.slept: list[float] = []
        self.clients: list[PoliteClient] = []

    def client(
        self,
        url: str = "",
        *,
        contact: str = "",
        delay_s: float = 0,
        timeout_s: float = 20,
        attempts: int = 3,
    ) -> PoliteClient:
        client = PoliteClient(
            url or self.server.url,
            contact=contact,
            delay_s=delay_s,
            timeout_s=timeout_s,
            attempts=attempts,
            sleep=self.slept.append,
        )
        self.clients.append(client)
        return client

    def read(self, path: str, max_bytes: int = 1 << 20) -> bytes:
        url = f"{self.server.url}{path}"
        return b"".join(self.client().stream(url, max_bytes=max_bytes, token=TOKEN))


@pytest.fixture
def site() -> Iterator[Site]:
    with FaultServer() as server:
        site = Site(server)
        yield site
        for client in site.clients:
            client.close()


def test_get(site: Site) -> None:
    answer = site.client(contact="mailto:ops@example.org").get(
        "/ok", {"a": "b c"}, token=TOKEN
    )
    assert (answer.status, answer.body, answer.is_html) == (200, BODY, False)
    [request] = site.server.requests
    assert request.query == {"a": "b c"}
    agent = request.headers["user-agent"]
    assert agent == f"dunegpt/{__version__} (mailto:ops@example.org)"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_anonymous_requests_carry_no_token(site: Site) -> None:
    client = site.client()
    client.get("/ok")
    client.get("/ok", token=TOKEN)
    assert "authorization" not in site.server.requests[0].headers


@pytest.mark.parametrize(
    ("path", "status"),
    [("/forbidden", 403), ("/unauthorized", 401), ("/nothing", 404), ("/html", 200)],
)
def test_other_statuses_are_answers(site: Site, path: str, status: int) -> None:
    answer = site.client().get(path)
    assert answer.status == status
    assert answer.is_html == (path in {"/forbidden", "/html"})
    assert len(site.server.requests) == 1


@pytest.mark.parametrize("path", ["/flaky", "/busy", "/drop-once"])
def test_retried_until_good(site: Site, path: str) -> None:
    assert site.client().get(path).body == BODY
    assert site.read(path) == BODY
    assert site.server.paths() == [path] * 3


@pytest.mark.parametrize("path", ["/error", "/drop", "/partial"])
def test_get_gives_up(site: Site, path: str) -> None:
    with pytest.raises(SourceUnreachableError, match="does not answer") as caught:
        site.client(attempts=3).get(path)
    assert caught.value.retryable
    assert len(site.server.requests) == 3
    assert len(site.slept) == 2
    assert site.slept[0] < site.slept[1]


def test_nobody_there(site: Site) -> None:
    client = site.client("http://127.0.0.1:1", attempts=1)
    with pytest.raises(SourceUnreachableError):
        client.get("/ok")
    with pytest.raises(FetchError):
        list(client.stream("http://127.0.0.1:1/file", max_bytes=10))


def test_times_out(site: Site) -> None:
    client = site.client(timeout_s=0.1, attempts=1)
    with pytest.raises(SourceUnreachableError):
        client.get("/slow")
    with pytest.raises(FetchError):
        list(client.stream(f"{site.server.url}/slow", max_bytes=10))


def test_a_drip_times_out(site: Site) -> None:
    """Each piece comes in time, but the whole never ends."""
    with pytest.raises(SourceFormatError, match="too slowly"):
        site.client(timeout_s=0.05, attempts=1).get("/drip")


@pytest.mark.parametrize(
    ("asked", "waited"),
    [("7", 7), ("300", 300), ("soon", 2), ("Mon, 23 Nov 2020 12:00:00 GMT", 2)],
)
def test_retry_after(asked: str, waited: float) -> None:
    replies = iter([Reply(429, headers={"Retry-After": asked}), Reply()])
    with FaultServer(lambda request: next(replies)) as server:
        site = Site(server)
        site.client(delay_s=1).get("/x")
        site.clients[0].close()
    assert waited in site.slept


@pytest.mark.parametrize("in_a_date", [False, True])
def test_a_long_retry_after_ends_it(in_a_date: bool) -> None:
    """A site that wants to be left alone for long is left alone."""
    moment = datetime.now(UTC) + timedelta(seconds=3000)
    asked = format_datetime(moment, usegmt=True) if in_a_date else "3000"
    with FaultServer(lambda r: Reply(429, headers={"Retry-After": asked})) as server:
        site = Site(server)
        with pytest.raises(SourceBusyError, match="retry in"):
            site.client().get("/x")
        site.clients[0].close()
        assert (len(server.requests), site.slept) == (1, [])


def test_the_budget_of_an_hour(site: Site) -> None:
    client = PoliteClient(
        site.server.url, delay_s=0, per_hour=3, sleep=site.slept.append
    )
    client.restore_request_times([time.time() - 3000, time.time() - 4000])
    for _ in range(2):
        client.get("/ok")
    assert site.slept == []
    client.get("/ok")
    [waited] = site.slept
    assert 590 < waited <= 600
    assert len(client.recent_request_times()) == 3
    client.close()


def test_an_odd_retry_after_is_a_busy_answer() -> None:
    """A superscript two is a digit to ``str.isdigit``, and no number to ``float``."""
    with FaultServer(lambda r: Reply(503, headers={"Retry-After": "\u00b2"})) as server:
        site = Site(server)
        with pytest.raises(SourceUnreachableError):
            site.client(attempts=2).get("/x")
        site.clients[0].close()


def test_pace(site: Site) -> None:
    client = site.client(delay_s=1000)
    client.get("/ok")
    assert site.slept == []
    client.get("/ok")
    list(client.stream(f"{site.server.url}/ok", max_bytes=100))
    assert len(site.slept) == 2
    assert all(900 < pause <= 1000 for pause in site.slept)
    assert client.requests == 3


@pytest.mark.parametrize(
    ("path", "leads"), [("/login", "/login/"), ("/away", "/stolen")]
)
def test_no_redirect_is_followed(site: Site, path: str, leads: str) -> None:
    answer = site.client().get(path)
    assert (answer.status, leads in answer.location) == (302, True)
    with pytest.raises(FetchError, match="leads elsewhere"):
        site.read(path)
    assert site.server.paths() == [path] * 2


def test_no_redirect_to_another_server_is_followed(site: Site) -> None:
    with FaultServer() as other:
        site.server.elsewhere = f"{other.url}/ok"
        with pytest.raises(FetchError):
            site.read("/away")
        assert other.requests == []


def test_the_token_stays_on_its_host(site: Site) -> None:
    with FaultServer() as other:
        with pytest.raises(FetchError, match="another host"):
            list(site.client().stream(f"{other.url}/ok", max_bytes=100))
        assert other.requests == []


def test_the_token_is_never_sent_in_the_clear(site: Site) -> None:
    """The site is spoken to over TLS; a file's address with http: is not its own."""
    client = site.client(site.server.url.replace("http:", "https:"), attempts=1)
    with pytest.raises(FetchError):
        list(client.stream(f"{site.server.url}/ok", max_bytes=100))
    assert site.server.requests == []


@pytest.mark.parametrize(
    "path",
    ["/error", "/partial", "/drop", "/forbidden", "/nothing", "/not-gzip"],
)
def test_one_file_cannot_be_had(site: Site, path: str) -> None:
    with pytest.raises(FetchError) as caught:
        site.read(path)
    assert site.server.url in str(caught.value)
    assert path not in str(caught.value)


@pytest.mark.parametrize("rest", ["/a\x01b", "/" + "a" * 70_000])
def test_an_address_that_is_none(site: Site, rest: str) -> None:
    """It comes from the site's answer: one bad item, never the end of the run."""
    with pytest.raises(FetchError):
        site.read(rest)


def test_an_address_that_cannot_be_split(site: Site) -> None:
    with pytest.raises(FetchError):
        list(site.client().stream("http://[half/file", max_bytes=10))


def test_a_refused_token_ends_it(site: Site) -> None:
    with pytest.raises(SourceLoginError, match="token"):
        site.read("/unauthorized")


@pytest.mark.parametrize("path", ["/challenge", "/mitigated"])
def test_a_challenge_is_not_worked_around(site: Site, path: str) -> None:
    with pytest.raises(SourceLoginError, match="Cloudflare") as caught:
        site.client().get(path)
    assert "allow this host" in caught.value.hint
    with pytest.raises(SourceLoginError, match="Cloudflare"):
        site.read(path)
    assert len(site.server.requests) == 2


def test_an_answer_has_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_MAX_RESPONSE_BYTES", 100_000)
    with pytest.raises(SourceFormatError, match="longer than 100,000"):
        site.client().get("/endless")
    with pytest.raises(FetchError, match="longer than 5,000"):
        site.read("/endless", max_bytes=5_000)


def test_an_answer_that_cannot_be_unpacked(site: Site) -> None:
    with pytest.raises(DuneGPTError):
        site.client().get("/not-gzip")


def test_a_file_cut_short_while_it_is_read(site: Site) -> None:
    """What came before stays with the caller; a retry would repeat it."""
    pieces = site.client().stream(f"{site.server.url}/partial", max_bytes=5_000)
    came = b""
    with pytest.raises(FetchError, match="did not come whole"):
        for piece in pieces:
            came += piece
    assert came == b"x" * 100
    assert len(site.server.requests) == 1


def test_a_file_shorter_than_its_content(site: Site) -> None:
    """Nothing in the protocol shows it; size and checksum do, in the blob store."""
    assert site.read("/wrong-length") == b"x" * 50


def test_exact_bound(site: Site) -> None:
    assert site.read("/ok", max_bytes=len(BODY)) == BODY
    with pytest.raises(FetchError):
        site.read("/ok", max_bytes=len(BODY) - 1)


def test_own_answers() -> None:
    def answer(request: Request) -> Reply | None:
        return Reply(body=b"mine") if request.path == "/own" else None

    with FaultServer(answer) as server:
        site = Site(server)
        assert (site.read("/own"), site.read("/ok")) == (b"mine", BODY)
        for client in site.clients:
            client.close()


# ── questions with a body ─────────────────────────────────────────────────────────────


def test_post(site: Site) -> None:
    answer = site.client().post("/ok", b"<x/>", headers={"Content-Type": "text/xml"})
    assert (answer.status, answer.body) == (200, BODY)
    [request] = site.server.requests
    assert request.body == b"<x/>"
    assert request.headers["content-type"] == "text/xml"


@pytest.mark.parametrize("path", ["/flaky", "/busy", "/drop-once"])
def test_post_again(site: Site, path: str) -> None:
    """What is sent only asks, so it may be sent again, whole."""
    assert site.client().post(path, b"<x/>", headers={}).status == 200
    assert [request.body for request in site.server.requests] == [b"<x/>"] * 2


@pytest.mark.parametrize("path", ["/drop", "/error"])
def test_post_in_vain(site: Site, path: str) -> None:
    with pytest.raises(SourceUnreachableError):
        site.client().post(path, b"<x/>", headers={})
    assert len(site.server.requests) == 3


@pytest.mark.parametrize(
    ("kind", "is_answer"),
    [("text/xml", True), ("application/soap+xml", True), ("application/xhtml+xml", 0)],
)
def test_a_fault_is_an_answer(kind: str, is_answer: bool) -> None:
    """A web service tells faults with status 500; asking again tells no more."""
    if kind == "application/xhtml+xml":
        kind += "; text/html"
    reply = Reply(500, b"<Fault/>", {"Content-Type": kind})
    with FaultServer(lambda request: reply) as server:
        site = Site(server)
        client = site.client()
        if is_answer:
            assert client.post("/ws", b"", headers={}).status == 500
            assert len(server.requests) == 1
        else:
            with pytest.raises(SourceUnreachableError):
                client.post("/ws", b"", headers={})
        with pytest.raises(SourceUnreachableError):
            client.get("/ws")
        client.close()


def test_two_clients_are_one_guest(site: Site) -> None:
    """They share pace and budget, and neither a cookie nor a connection."""
    first = PoliteClient(site.server.url, delay_s=50, sleep=site.slept.append)
    second = PoliteClient(site.server.url, delay_s=50, sleep=site.slept.append)
    second.share_rate_limit(first)
    site.clients += [first, second]
    first.get("/ok")
    second.get("/ok")
    assert len(site.slept) == 1
    assert site.slept[0] > 40
    assert first.recent_request_times() == second.recent_request_times()
    assert len(first.recent_request_times()) == 2
    assert (first.requests, second.requests) == (1, 1)
