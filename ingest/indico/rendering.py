"""Renders the pages that stand for Indico's objects: what each says of itself.

A page names nothing that an object holds, since its parts may have other readers. The
descriptions of events are HTML; those of talks and sessions are Markdown, and so is
what a break says. Makes no requests.
"""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from dunegpt.ingest.indico.times import format_span, localize

Roles = Sequence[tuple[str, Sequence[dict[str, Any]]]]
"""What people do (``Speakers``), and who does it."""

_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_KNOWN_TAG = re.compile(
    r"</?(a|abbr|b|blockquote|br|code|dd|div|dl|dt|em|h[1-6]|hr|i|li|ol|p|pre|s|span"
    r"|strike|strong|sub|sup|table|tbody|td|th|thead|tr|u|ul)"
    r"(?:\s+[a-z-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*/?>",
    re.IGNORECASE,
)
_CLOSING_TAG = re.compile(r"</([a-z][a-z0-9]*)\s*>", re.IGNORECASE)
_VOID_TAGS = {"br", "hr"}


def render_markdown(text: str) -> str:
    """Return a description in Markdown as HTML, with its marks and lines as written.

    Tags that are opened and closed remain, as in descriptions that were imported as
    HTML; all other text between angle brackets is text.

    >>> render_markdown("E <MeV> and `<b>`, <b>bold</b>")
    'E &lt;MeV&gt; and `&lt;b&gt;`, <b>bold</b>'
    """
    closed = {name.lower() for name in _CLOSING_TAG.findall(text)} | _VOID_TAGS
    done, parts = 0, []
    for span in _CODE_SPAN.finditer(text):
        code = html.escape(span[0], quote=False)
        parts += [_escape_text(text[done : span.start()], closed), code]
        done = span.end()
    parts.append(_escape_text(text[done:], closed))
    lines = "".join(parts).replace("\r\n", "\n").strip()
    return lines.replace("\n", "<br>\n")


def _escape_text(text: str, closed: set[str]) -> str:
    """Return text with all escaped but known tags that are closed somewhere."""
    done, parts = 0, []
    for tag in _KNOWN_TAG.finditer(text):
        if tag[1].lower() in closed:
            parts += [_escape_plain(text[done : tag.start()]), tag[0]]
            done = tag.end()
    return "".join([*parts, _escape_plain(text[done:])])


def _escape_plain(text: str) -> str:
    """Return text with its angle brackets escaped; entities stay what they are."""
    return text.replace("<", "&lt;").replace(">", "&gt;")


def render_about(
    item: dict[str, Any],
    kind: str,
    roles: Roles,
    event: dict[str, Any],
) -> str:
    """Return a page on an object: what its own page in Indico says.

    Args:
        item: The object as answered.
        kind: Its kind of document.
        roles: Who does what in it.
        event: The event that it is or lies in.
    """
    holder = None if item is event else event
    start, end = item.get("startDate"), item.get("endDate")
    if not start:
        start, end = event.get("startDate"), event.get("endDate")
    minutes = item.get("duration") if holder and not item.get("endDate") else None
    facts = [
        ("Type", kind),
        ("Label", format_label(event)),
        ("Date", format_span(start, end, event)),
        ("Duration", f"{minutes} minutes" if minutes else ""),
        (
            "Scheduled",
            "; ".join(_format_block(b, event) for b in item.get("blocks") or []),
        ),
        *((role, ", ".join(_format_people(people))) for role, people in roles),
        ("Organizer", item.get("organizer")),
        ("Event", holder["title"] if holder else ""),
        ("Session", item.get("session")),
        ("Track", item.get("track")),
        ("Kind of talk", item.get("type") if holder else ""),
        ("Board", item.get("board_number")),
        ("Code", item.get("code")),
        ("Category", event.get("category")),
        ("Place", format_place(event)),
        ("Address", event.get("address")),
        ("Keywords", ", ".join(item.get("keywords") or [])),
        ("References", _format_references(item)),
    ]
    lines = "".join(
        f"<p>{label}: {html.escape(str(value))}</p>" for label, value in facts if value
    )
    title = html.escape(str(item["title"]))
    told = str(item.get("description") or "")
    body = render_markdown(told) if holder else told
    return f"<h1>{title}</h1>{lines}<div>{body}</div>"


def format_label(event: dict[str, Any]) -> str:
    """Return what the label of an event says: that it is cancelled, for example."""
    label = event.get("label") or {}
    if not label.get("title"):
        return ""
    text = str(label["title"])
    if label.get("is_event_not_happening"):
        text += " (the event does not take place)"
    return f"{text}: {label['message']}" if label.get("message") else text


def render_attachment(attachment: dict[str, Any], folder: dict[str, Any]) -> str:
    """Return what is said of a file besides its name; empty if nothing is."""
    title = attachment.get("title") or ""
    lines = [
        title if title != attachment.get("filename") else "",
        attachment.get("description"),
        f"Folder: {folder['title']}" if folder.get("title") else "",
        folder.get("description"),
    ]
    return "\n".join(str(line).strip() for line in lines if line)


def render_timetable(
    event: dict[str, Any],
    blocks: Sequence[dict[str, Any]],
    breaks: Sequence[dict[str, Any]],
) -> str:
    """Return the programme as a page: days, and what is when; empty if nothing is.

    It names talks and sessions, so it is as closed as the most closed of them: whoever
    is shown another programme is shown another timetable.
    """
    entries: list[tuple[str, str, str, str]] = []
    for talk in event.get("contributions") or []:
        names = ", ".join(_format_people(talk.get("speakers") or []))
        words = [talk["title"], names, talk.get("session") or ""]
        entries += _render_entry(talk, words, event)
    for block in blocks:
        words = [f"Session: {block['title']}", format_place(block)]
        entries += _render_entry(block, words, event)
    for pause in breaks:
        about = " ".join(str(pause.get("description") or "").split())
        words = [f"Break: {pause['title']}", about, format_place(pause)]
        entries += _render_entry(pause, words, event)
    if len(entries) < 2:
        return ""
    lines = [f"<h1>Timetable: {html.escape(str(event['title']))}</h1>"]
    if label := format_label(event):
        lines.append(f"<p>{html.escape(label)}</p>")
    day = ""
    for own_day, time, zone, text in sorted(entries):
        if own_day != day:
            lines.append(f"<h2>{own_day} ({zone})</h2>")
            day = own_day
        lines.append(f"<p>{time} {text}</p>")
    return "".join(lines)


def _render_entry(
    item: dict[str, Any], words: list[str], event: dict[str, Any]
) -> list[tuple[str, str, str, str]]:
    """Return day, time, zone and text of something scheduled; nothing if it is not."""
    start, end = (localize(item.get(key), event) for key in ("startDate", "endDate"))
    if start is None:
        return []
    time = f"{start:%H:%M}"
    if end and end > start and end.date() == start.date():
        time += f"-{end:%H:%M}"
    text = html.escape(", ".join(" ".join(str(w).split()) for w in words if w))
    return [(f"{start:%Y-%m-%d}", time, str(start.tzinfo), text)]


def _format_block(block: dict[str, Any], event: dict[str, Any]) -> str:
    """Return when a block of a session is, what it is called, and where it is."""
    facts = [
        format_span(block.get("startDate"), block.get("endDate"), event),
        block.get("slotTitle"),
        format_place(block),
    ]
    return ", ".join(str(fact) for fact in facts if fact)


def format_place(item: dict[str, Any]) -> str:
    """Return room and building."""
    parts = [item.get("roomFullname") or item.get("room"), item.get("location")]
    return ", ".join(str(part) for part in parts if part)


def _format_references(item: dict[str, Any]) -> str:
    found = item.get("references") or []
    return ", ".join(f"{r['type']} {r['value']} {r.get('url') or ''}" for r in found)


def format_name(person: dict[str, Any]) -> str:
    """Return ``First Last``; the field ``fullName`` comes in either order."""
    parts = (person.get("first_name"), person.get("last_name"))
    return " ".join(part.strip() for part in parts if part)


def _format_people(people: Iterable[dict[str, Any]]) -> list[str]:
    """Return names with affiliations, each person once."""
    found = []
    for person in people:
        where = " ".join(str(person.get("affiliation") or "").split())
        if name := format_name(person):
            found.append(f"{name} ({where})" if where else name)
    return list(dict.fromkeys(found))
