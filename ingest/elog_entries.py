"""What an export of an electronic logbook says: XML as ECL sends it, or JSON.

Known from public clients of Fermilab's ECL: the root ``entry_list``, the attributes of
``entry`` (id, author, category, timestamp, form, subject, html, images, files), the
elements ``text``, ``text-html``, ``text-cdata``, and ``attachment`` with its addresses.
How fields of forms, tags, comments and related entries come is a guess; each is read in
the forms that the writers of entries use. Does not ask anything.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml import etree

from dunegpt.errors import SourceFormatError

_ROOTS = frozenset({"entry_list", "entries", "entry", "ecl", "elog", "logbook"})
_COUNTS = ("count", "total", "number_of_entries")
_TIMES = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%Y/%m/%d %H:%M:%S")
_HTML = re.compile(r"<(?:p|br|pre|div|span|table|ul|ol|li|a|b|i|h[1-6])\b[^>]*>", re.I)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file or picture of an entry; its address may be relative to the log's."""

    name: str
    url: str
    is_image: bool = False
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as a list or a question for it alone gave it.

    Attributes:
        time: As the log shows it, without a zone.
        is_html: Whether ``text`` is HTML.
        comments: Author, time and text of each, as they came.
        related: Numbers of the entries that it names as related.
        promised: How many files and pictures it has, where only that was told.
    """

    number: int
    time: datetime
    author: str = ""
    category: str = ""
    form: str = ""
    subject: str = ""
    text: str = ""
    is_html: bool = False
    tags: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    comments: tuple[tuple[str, str, str], ...] = ()
    related: tuple[int, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    promised: int = 0


@dataclass(slots=True)
class Listed:
    """What a list holds.

    Attributes:
        problems: Number (or place in the list) and reason of what could not be read.
    """

    entries: list[Entry] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def read_export(content: bytes, place: str) -> Listed:
    """Return the entries of an export, XML or JSON.

    Args:
        content: Of a file or an answer.
        place: Where it comes from, for messages.

    Raises:
        SourceFormatError: It is a page for people, cut short, something else, or has
            not as many entries as it says.
    """
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise SourceFormatError(
            f"{place} is a page for people, likely a login, not an export."
        )
    if start.startswith((b"{", b"[")):
        rows, promised = _json_rows(content, place)
    elif start.startswith(b"<"):
        rows, promised = _xml_rows(content, place)
    else:
        raise SourceFormatError(f"{place} is neither XML nor JSON.")
    if promised is not None and promised != len(rows):
        raise SourceFormatError(
            f"{place} has {len(rows)} entries where {promised} are promised."
        )
    listed = Listed()
    for position, row in enumerate(rows, start=1):
        try:
            listed.entries.append(_entry(row))
        except (ValueError, TypeError) as error:
            name = _text(row, "id", "number") or f"entry-{position}-of-list"
            listed.problems.append((name, f"The entry cannot be read: {error}."))
    numbers = [entry.number for entry in listed.entries]
    if len(set(numbers)) < len(numbers):
        raise SourceFormatError(f"{place} has a number twice.")
    return listed


def _json_rows(content: bytes, place: str) -> tuple[list[dict[str, Any]], int | None]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise SourceFormatError(f"{place} is cut short or no JSON: {error}.") from error
    promised = None
    if isinstance(found, dict) and ("id" in found or "number" in found):
        found = [found]
    if isinstance(found, dict):
        promised = next((found[k] for k in _COUNTS if k in found), None)
        found = found.get("entries")
    if not isinstance(found, list) or not all(isinstance(r, dict) for r in found):
        raise SourceFormatError(f"{place} is no list of entries.")
    if promised is not None and not isinstance(promised, int):
        raise SourceFormatError(f"{place} promises no number of entries.")
    return found, promised


def _xml_rows(content: bytes, place: str) -> tuple[list[dict[str, Any]], int | None]:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SourceFormatError(f"{place} is cut short or no XML: {error}.") from error
    if root.tag not in _ROOTS:
        raise SourceFormatError(f"{place} is no list of entries, but <{root.tag}>.")
    found = [root] if root.tag == "entry" else list(root.iter("entry"))
    told = next((root.get(name) for name in _COUNTS if root.get(name)), None)
    if told is not None and not told.isdigit():
        raise SourceFormatError(f"{place} promises no number of entries.")
    return [_of_element(each) for each in found], int(told) if told else None


def _of_element(entry: Any) -> dict[str, Any]:
    """Return an XML entry in the shape of a JSON one."""
    row: dict[str, Any] = dict(entry.attrib)
    for child in entry:
        if not isinstance(child.tag, str):
            continue  # a comment of XML
        if child.tag == "form":
            row["form"] = child.get("name") or (child.text or "").strip()
            row.setdefault("fields", []).extend(map(_named, child.iter("field")))
        elif child.tag in {"field", "tag", "comment", "attachment", "related"}:
            row.setdefault(f"{child.tag}s", []).append(_named(child))
        elif child.tag in {"fields", "tags", "comments", "attachments"}:
            row.setdefault(child.tag, []).extend(map(_named, child))
        else:
            row[child.tag] = "".join(child.itertext())
    if "relateds" in row:
        row["related"] = row.pop("relateds")
    return row


def _named(element: Any) -> dict[str, Any]:
    text = "".join(element.itertext())
    return {**dict(element.attrib), "value": text, "text": text}


def _entry(row: dict[str, Any]) -> Entry:
    """Return the entry of a row.

    Raises:
        ValueError: It has no number, or no time.
    """
    number = _text(row, "id", "number")
    if not number.isdigit():
        raise ValueError("it has no number")
    html = _text(row, "text-html", "text_html", "text-cdata", "text_cdata")
    text = html or _text(row, "text", "body")
    claims = _text(row, "html").lower() in {"yes", "true", "1"}
    attachments = tuple(_attachments(_list(row, "attachments")))
    return Entry(
        number=int(number),
        time=read_time(_text(row, "timestamp", "time", "date")),
        author=_text(row, "author", "user"),
        category=_text(row, "category"),
        form=_text(row, "form"),
        subject=_text(row, "subject", "title"),
        text=text,
        is_html=bool(text) and (bool(html) or (claims and bool(_HTML.search(text)))),
        tags=tuple(filter(None, (_value(t, "name") for t in _list(row, "tags")))),
        fields=tuple(_fields(row)),
        comments=tuple(_comments(_list(row, "comments"))),
        related=tuple(_numbers(_list(row, "related"))),
        attachments=attachments,
        promised=max(len(attachments), _count(row, "images") + _count(row, "files"), 0),
    )


def read_time(text: str) -> datetime:
    """Return a time as a log writes it, without a zone.

    Raises:
        ValueError: It is none.
    """
    text = text.strip()
    if text.isdigit() and len(text) in {9, 10}:
        raise ValueError("a time in seconds has no zone")
    for form in _TIMES:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time") from error


def _text(row: dict[str, Any], *names: str) -> str:
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            if str(value).strip():
                return str(value).strip()
        elif isinstance(value, bool):
            return "yes" if value else "no"
    return ""


def _list(row: dict[str, Any], name: str) -> list[Any]:
    value = row.get(name) or []
    return value if isinstance(value, list) else [value]


def _value(item: Any, *names: str) -> str:
    if isinstance(item, dict):
        return _text(item, *names, "value", "text")
    return str(item).strip()


def _count(row: dict[str, Any], name: str) -> int:
    value = row.get(name)
    if isinstance(value, list):
        return len(value)
    text = str(value or 0)
    return int(text) if text.isdigit() else 0


def _fields(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields of a form."""
    given = row.get("fields")
    if isinstance(given, dict):
        yield from ((str(name), str(value)) for name, value in given.items())
        return
    for item in _list(row, "fields"):
        if isinstance(item, dict) and (name := _text(item, "name", "label")):
            yield name, _text(item, "value", "text")


def _comments(items: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    for item in items:
        if isinstance(item, dict):
            author = _text(item, "author", "user")
            time = _text(item, "timestamp", "time", "date")
            yield author, time, _text(item, "text", "value", "body")
        else:
            yield "", "", str(item)


def _numbers(items: Iterable[Any]) -> Iterator[int]:
    for item in items:
        number = _value(item, "id", "number", "entry")
        if number.isdigit():
            yield int(number)


def _attachments(items: Iterable[Any]) -> Iterator[Attachment]:
    for position, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise ValueError("an attachment has no address")
        url = _text(item, "full_url", "url", "href")
        if not url:
            raise ValueError("an attachment has no address")
        size = _text(item, "size", "size_bytes")
        yield Attachment(
            name=_text(item, "filename", "name") or f"attachment {position}",
            url=url,
            is_image=_text(item, "type").lower() == "image",
            size_bytes=int(size) if size.isdigit() else None,
        )
