"""A simulated logbook with the API of ECL, with late, edited and deleted entries.

Responses have the format that public ECL clients read. Has no access rules: the readers
of a logbook are configured in the settings.
"""

import csv
import hashlib
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

from simulators.http_server import Reply, Request

_XML = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass
class LogEntry:
    """A logbook entry; ``images`` and ``files`` hold bytes by name."""

    number: int
    time: datetime
    text: str
    subject: str = ""
    author: str = "mia"
    category: str = "Shift"
    form: str = "default"
    html: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    comments: list[tuple[str, str]] = field(default_factory=list)
    related: list[int] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class LogRun:
    """A row of the run table."""

    number: int
    start: datetime
    stop: datetime | None
    beam: str = "on"
    state: str = "LArTPC running"
    comment: str = ""


class LogModel:
    """A logbook and its faults.

    Attributes:
        secret: Secret of the user ``reader``; empty if no login is required.
        faults: Fault names by a part of the URL that triggers them.
        claims: Number of entries that a list announces in excess of its contents.
        asked: Requested paths with their parameters.
    """

    def __init__(self) -> None:
        self.entries: dict[int, LogEntry] = {}
        self.runs: list[LogRun] = []
        self.secret = ""
        self.faults: dict[str, str] = {}
        self.claims: int | None = None
        self.ignores_days = False
        self.cuts_answers = False
        self.asked: list[str] = []
        self.last = 8000

    def add(self, day: str, text: str = "Quiet shift.", **more: object) -> LogEntry:
        """Add an entry with the next number at this day or time; return it."""
        self.last += 1
        time = datetime.fromisoformat(day if " " in day else f"{day} 10:00:00")
        entry = LogEntry(self.last, time, text, **more)  # type: ignore[arg-type]
        self.entries[entry.number] = entry
        return entry

    def recent(self, days: int = 0, text: str = "Quiet shift.") -> LogEntry:
        """Add an entry of this many days ago (UTC); return it."""
        today = datetime.now(UTC).date()
        return self.add(str(today - timedelta(days=days)), text)

    def answer(self, request: Request) -> Reply | None:
        """Return the reply to a request; None for a fault of `FaultServer`."""
        address = (
            request.path
            + "?"
            + "&".join(f"{k}={v}" for k, v in request.query.items() if k != "salt")
        )
        self.asked.append(address)
        for part, fault in self.faults.items():
            if part in address:
                return self._fault(fault)
        if not self._may_ask(request):
            return Reply(401, b"<h1>Who are you?</h1>", {"Content-Type": "text/html"})
        if request.path.endswith("/E/xml_search"):
            return Reply(200, self._list(request.query), _XML)
        if request.path.endswith("/E/xml_get"):
            return self._one(int(request.query["e"]))
        if request.path.endswith("/A/file"):
            return self._file(request.query)
        if request.path.endswith("/runs.csv"):
            return Reply(200, self.table(), {"Content-Type": "text/csv"})
        if request.path.endswith("/export.xml"):
            return Reply(200, self.export(), _XML)
        return Reply(404, b"nothing")

    @staticmethod
    def _fault(fault: str) -> Reply | None:
        html = {"Content-Type": "text/html"}
        return {
            "login": Reply(302, b"", {"Location": "/U/login"}),
            "page": Reply(200, b"<!doctype html><p>Log in", html),
            "page as xml": Reply(200, b"<!doctype html><p>Log in", _XML),
            "error": Reply(500, b"no", html),
            "gone": Reply(404, b"no", html),
            "json of another": Reply(200, b'{"answer": 42}', _XML),
            "xml of another": Reply(200, b"<rss><channel/></rss>", _XML),
            "text": Reply(200, b"all is well", _XML),
            "empty": Reply(200, b"", _XML),
            "bomb": Reply(200, _BOMB, _XML),
            "challenge": Reply(403, b"wait", html | {"Server": "cloudflare"}),
        }[fault]

    def _may_ask(self, request: Request) -> bool:
        if not self.secret:
            return True
        query = "&".join(f"{k}={_coded(v)}" for k, v in request.query.items())
        signed = hashlib.md5(f"{query}:{self.secret}:".encode()).hexdigest()
        headers = request.headers
        return (
            headers.get("x-user") == "reader" and headers.get("x-signature") == signed
        )

    def _list(self, query: dict[str, str]) -> bytes:
        first, end = (datetime.fromisoformat(query[name]) for name in "ab")
        entries = [
            entry
            for entry in sorted(self.entries.values(), key=lambda e: e.time)
            if self.ignores_days or first <= entry.time < end
        ]
        return self._xml(entries[: int(query["l"])])

    def _xml(self, entries: list[LogEntry]) -> bytes:
        count = "" if self.claims is None else f' count="{len(entries) + self.claims}"'
        body = "".join(self.element(entry, whole=False) for entry in entries)
        head = f'<?xml version="1.0" encoding="UTF-8"?><entry_list{count}>'
        content = f"{head}{body}</entry_list>".encode()
        return content[: len(content) // 2] if self.cuts_answers else content

    def _one(self, number: int) -> Reply:
        if number not in self.entries:
            return Reply(404, b"no such entry")
        return Reply(200, self.element(self.entries[number], whole=True).encode(), _XML)

    def element(self, entry: LogEntry, *, whole: bool, base: str = "A/file") -> str:
        """Return an entry as XML; lists contain only the number of attachments."""
        attributes = {
            "id": entry.number,
            "author": entry.author,
            "category": entry.category,
            "timestamp": f"{entry.time:%m/%d/%Y %H:%M:%S}",
            "form": entry.form,
            "subject": entry.subject,
            "html": "yes" if entry.html else "no",
            "images": len(entry.images),
            "files": len(entry.files),
        }
        head = " ".join(f"{k}={quoteattr(str(v))}" for k, v in attributes.items())
        parts = [f"<text>{escape(entry.text)}</text>"]
        if entry.html:
            parts.append(f"<text-html><![CDATA[{entry.text}]]></text-html>")
        for name, value in entry.fields.items():
            parts.append(f"<field name={quoteattr(name)}>{escape(value)}</field>")
        for author, text in entry.comments:
            parts.append(
                f"<comment author={quoteattr(author)}>{escape(text)}</comment>"
            )
        parts += [f'<related id="{number}"/>' for number in entry.related]
        attachments = [("image", n) for n in entry.images] + [
            ("file", n) for n in entry.files
        ]
        for kind, name in attachments if whole else ():
            url = f"{base}?e={entry.number}&n={name}"
            parts.append(
                f"<attachment type={quoteattr(kind)} url={quoteattr(url)}"
                f" filename={quoteattr(name)}/>"
            )
        return f"<entry {head}>{''.join(parts)}</entry>"

    def _file(self, query: dict[str, str]) -> Reply:
        entry = self.entries.get(int(query["e"]))
        files = {**entry.images, **entry.files} if entry else {}
        if query["n"] not in files:
            return Reply(404, b"no such file")
        kind = {"Content-Type": "application/octet-stream"}
        return Reply(200, files[query["n"]], kind)

    def export(self) -> bytes:
        """Return all entries as one XML export."""
        body = "".join(
            self.element(self.entries[n], whole=True) for n in sorted(self.entries)
        )
        return f'<entry_list count="{len(self.entries)}">{body}</entry_list>'.encode()

    def table(self) -> bytes:
        """Return the run table as CSV."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["Run Number", "Start", "End", "Beam", "Status", "Remarks"])
        for run in self.runs:
            stop = run.stop or ""
            row = [run.number, run.start, stop, run.beam, run.state, run.comment]
            writer.writerow(row)
        return out.getvalue().encode()

    def take_runs(self, first: str, count: int, states: list[str]) -> None:
        """Add runs, four per day, with beam in two of three."""
        start = datetime.fromisoformat(f"{first} 00:00:00")
        begin = len(self.runs)
        for number in range(begin, begin + count):
            time = start + timedelta(hours=6 * (number - begin))
            beam = "off" if number % 3 == 2 else "on"
            state = states[number % len(states)]
            stop = time + timedelta(hours=5)
            self.runs.append(LogRun(28000 + number, time, stop, beam, state))


_BOMB = b'<!DOCTYPE e [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + (
    b'<entry_list><entry id="1" timestamp="10/01/2026 10:00:00"><text>&b;</text>'
    b"</entry></entry_list>"
)


def _coded(value: str) -> str:
    return value.replace(":", "%3A").replace(" ", "+")
