"""Replays recorded responses of a real DocDB, and reports requests without one.

The recordings are not part of this project. If a response is missing, an equivalent one
is used and counted (another number of days, the latest version requested by its number,
or a file that another identity fetched); otherwise the request is listed and fails.
"""

import base64
import hashlib
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import httpx

from dunegpt.access import NOBODY, PUBLIC
from dunegpt.config import Settings, SourceSettings
from dunegpt.ingest.catalog.database import Catalog
from dunegpt.ingest.crawl import CrawlReport, crawl
from dunegpt.ingest.http import PoliteClient
from dunegpt.types import Document

EYE = "sso-crawler-allgroups"
GROUPS = {1: "DocDBAdm", 2: "DUNE", 3: "EB", 4: "IPO", 5: "ReadOnly", 6: "EDND"}
LISTED_IN_BOTH = ["DUNE", "EB", "IPO", "ReadOnly", "EDND"]
_INDUCED = ("DUNE", "EB", "DocDBAdm")
_A = {
    "1:1 1:2 1:3 4:2 5:1 9:1 10:1 11:1": (PUBLIC,),
    "2:1 8:0 12:1 12:2 12:3 13:1 14:1 15:1": _INDUCED,
    "3:1 4:1 5:2": ("EB", "DocDBAdm"),
    "6:1": ("IPO", "EB", "DocDBAdm"),
    "7:1": ("EDND", "DUNE"),
}
_B = {
    "1:2 1:3 4:2 5:1 9:1 10:1 13:1 17:1": (PUBLIC,),
    "1:1 8:0 8:1 12:1 12:3 14:1 15:1 16:1": _INDUCED,
    "2:1 3:1 4:1 5:2": ("EB", "DocDBAdm"),
    "6:1": ("IPO", "EB", "DocDBAdm"),
    "7:1": ("EDND", "DUNE", "EB"),
}
EXPECTED = {
    state: {
        f"docdb:{name}": frozenset(viewers)
        for names, viewers in table.items()
        for name in names.split()
    }
    for state, table in (("A", _A), ("B", _B))
}
"""The true viewers of each version, from the notes with the recordings."""


@dataclass
class Recordings:
    """Recorded responses by state, identity and URL.

    Attributes:
        state: The state to replay, ``A`` or ``B``.
        nearest: Requests served from an equivalent recording, with its name.
        missing: Requests without any recording.
        bodies: Contents of the served files.
    """

    folder: Path
    state: str = "A"
    exact: int = 0
    nearest: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    _index: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lines = (self.folder / "index.jsonl").read_text(encoding="utf-8").splitlines()
        for line in lines:
            entry = json.loads(line)
            if not entry["extra"] or "groupids" in str(entry["extra"]):
                key = entry["state"], entry["who"], _canonical(entry["url"])
                self._index.setdefault(key, entry)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response to a request, or 404."""
        who, place = _identity(request), _canonical(str(request.url))
        if found := self._index.get((self.state, who, place)):
            self.exact += 1
            return self._response(found)
        if found := self._near(who, place):
            self.nearest.append(f"{self.state} {who} {place} <- {found['file']}")
            return self._response(found)
        self.missing.append(f"{self.state} {who} {place}")
        return httpx.Response(404, text="not recorded")

    def _near(self, who: str, place: str) -> dict[str, Any] | None:
        others = [(who, place)]
        if match := re.search(r"days=\d+", place):
            others += [(who, place.replace(match[0], f"days={n}")) for n in (7, 1, 30)]
        if who == "sso-crawler-as-DocDBAdm":
            others.append(("basic-DocDBAdm", place.replace("/sso/", "/private/")))
        if "RetrieveFile" in place:
            return self._same_file(place)
        for identity, other in others:
            if found := self._index.get((self.state, identity, other)):
                return found
        latest = re.sub(r"&version=(\d+)", "", place)
        found = self._index.get((self.state, who, latest))
        version = re.search(r"version=(\d+)", place)
        if found and version and "outformat=xml" in place:
            body = (self.folder / found["file"]).read_bytes().decode("latin-1")
            if re.search(rf'<docrevision [^>]*version="{version[1]}">', body):
                return found
        return self._twin(place) if who == EYE else None

    def _twin(self, place: str) -> dict[str, Any] | None:
        """Return the response to another identity, if it shows the document."""
        others = (
            ("public", "/"),
            ("basic-EB", "/private/"),
            ("basic-DUNE", "/private/"),
        )
        for who, door in others:
            twin = self._index.get((self.state, who, place.replace("/sso/", door)))
            if twin and twin["bytes"] > 1000:
                body = (self.folder / twin["file"]).read_bytes()
                if b"Not authorized</title>" not in body:
                    return twin
        return None

    def _same_file(self, place: str) -> dict[str, Any] | None:
        """Return the response with a file that any identity fetched in this state."""
        wanted = dict(parse_qsl(urlsplit(place).query, encoding="latin-1"))
        number, version = int(wanted["docid"]), int(wanted.get("version", "0"))
        raw = f"/DocDB/{number // 1000:04}/{number:06}/{version:03}/"
        for (state, _, other), entry in self._index.items():
            query = dict(parse_qsl(urlsplit(other).query, encoding="latin-1"))
            same = "RetrieveFile" in other and query == wanted
            is_raw = other == f"{raw}{wanted.get('filename')}"
            good = entry["status"] == "200" and "html" not in entry["content_type"]
            if state == self.state and good:
                if same or is_raw or self._is_named(entry, query, wanted):
                    return entry
        return None

    def _is_named(
        self, entry: Mapping[str, Any], query: dict[str, str], wanted: dict[str, str]
    ) -> bool:
        """Return whether the headers of a response name the requested file."""
        mine = (query.get("docid"), query.get("version"))
        if mine != (wanted["docid"], wanted.get("version")):
            return False
        headers = self.folder / entry["file"]
        text = headers.with_suffix(".headers").read_text(encoding="latin-1")
        return f'filename="{wanted.get("filename")}"' in text

    def _response(self, entry: Mapping[str, Any]) -> httpx.Response:
        file = self.folder / entry["file"]
        body = file.read_bytes() if file.is_file() else b""
        lines = file.with_suffix(".headers").read_bytes().split(b"\r\n")
        if len(lines) == 1:
            lines = lines[0].split(b"\n")
        headers = [tuple(line.split(b": ", 1)) for line in lines[1:] if b": " in line]
        ignored = {b"transfer-encoding", b"content-length"}
        kept = [(k, v) for k, v in headers if k.lower() not in ignored]
        if entry["status"] == "200" and "html" not in (entry["content_type"] or ""):
            self.bodies.append(body)
        return httpx.Response(int(entry["status"]), headers=kept, content=body)


def _canonical(url: str) -> str:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True, encoding="latin-1")
    order = {"docid": 0, "filename": 1, "version": 2}
    query.sort(key=lambda item: (order.get(item[0], 9), item))
    path = parts.path.replace("//", "/")
    arguments = "&".join(f"{name}={value}" for name, value in query)
    return f"{path}?{arguments}" if arguments else path


def _identity(request: httpx.Request) -> str:
    cookie = request.headers.get("cookie", "")
    group = re.search(r"groupids=(\d+)", cookie)
    if "/cgi-bin/sso" in request.url.path:
        return f"sso-crawler-as-{GROUPS[int(group[1])]}" if group else EYE
    login = request.headers.get("authorization", "")
    if login.startswith("Basic "):
        user = base64.b64decode(login[6:]).decode().partition(":")[0]
        return f"basic-{user}"
    return "public"


@contextmanager
def opened(source: Path) -> Iterator[Path]:
    """Provide the folder of the recordings, unpacked if necessary."""
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="dunegpt-replay-") as folder:
        with tarfile.open(source) as tar:
            tar.extractall(folder, filter="data")
        yield next(Path(folder).rglob("index.jsonl")).parent


class Replay:
    """A catalog that is crawled from recordings."""

    def __init__(self, recordings: Recordings, data: Path, groups: list[str]) -> None:
        self.recordings, self.groups = recordings, groups
        cookie = data.parent / f"{data.name}.cookie"
        cookie.touch(mode=0o600)
        cookie.write_text("session=recorded", encoding="utf-8")
        host = "http://127.0.0.1:8300/cgi-bin"
        door = {"kind": "cookie", "url": f"{host}/sso", "cookie_file": str(cookie)}
        table = SourceSettings(
            type="docdb",
            url=host,
            doors=[door],
            groups=groups,
            delay_s=0,
            requests_per_hour=0,
        )
        self.settings = Settings(data_dir=data, sources={"docdb": table})

    def crawl(self, state: str) -> CrawlReport:
        """Crawl one state, as if a day after the previous crawl."""
        self.recordings.state = state
        recordings = self.recordings

        class Client(PoliteClient):
            def __init__(self, *args: Any, **how: Any) -> None:
                super().__init__(*args, **how)
                self._http.close()
                transport = httpx.MockTransport(recordings.answer)
                self._http = httpx.Client(transport=transport)

        age(self.settings)
        with patch("dunegpt.ingest.sync.PoliteClient", Client):
            return crawl("docdb", self.settings)

    def documents(self) -> dict[str, Document]:
        """Return the documents of the catalog that are not hidden, by id."""
        catalog = Catalog(self.settings.paths.catalog)
        documents = {d.id: d for d in catalog.iter_documents()}
        catalog.close()
        return documents

    def right_hashes(self) -> int:
        """Return the number of files with the hash of recorded bytes."""
        right = {_hash(body) for body in self.recordings.bodies}
        return sum(
            file.sha256 in right
            for document in self.documents().values()
            for file in document.files
            if file.key != "about" and file.sha256
        )

    def compared(self, state: str) -> tuple[int, list[str], list[str]]:
        """Return the number of matching cells, the leaks, and the missing cells."""
        documents, asked = self.documents(), [*self.groups, PUBLIC]
        agreed, leaked, missing = 0, [], []
        for name in sorted(EXPECTED["A"] | EXPECTED["B"] | documents):
            expected = EXPECTED[state].get(name, NOBODY)
            found = documents[name].access if name in documents else NOBODY
            for viewer in asked:
                may = viewer in expected or PUBLIC in expected
                does = PUBLIC in found or f"docdb:{viewer}" in found
                agreed += may == does
                if does and not may:
                    leaked.append(f"{name} to {viewer}")
                if may and not does:
                    missing.append(f"{name} to {viewer}")
        return agreed, leaked, missing


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def age(settings: Settings, days: float = 1.0) -> None:
    """Make the crawl state in a catalog look this many days older."""
    path = settings.paths.catalog
    if not path.is_file():
        return
    catalog = Catalog(path)
    before = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    for name in settings.sources:
        for key in ("daily", "since"):
            if catalog.get_state(name, key):
                catalog.put_state(name, key, before)
        if catalog.get_state(name, "rolled"):
            catalog.put_state(name, "rolled", before[:10])
    catalog.close()
