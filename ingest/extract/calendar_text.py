"""Events of calendar files and invitations (iCalendar, RFC 5545) as text.

One event is one block: what, when (with its time zone), where, who, and whether it is
cancelled. Alarms and the rules of time zones are left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dunegpt.ingest.extract.clean import clean_text

_LINE = re.compile(
    r"(?P<name>[A-Za-z0-9-]+)(?P<params>(?:;[^=;:]+=(?:\"[^\"]*\"|[^\";:]*))*):(?P<value>.*)"
)
_PARAMETER = re.compile(r";([^=;:]+)=(\"[^\"]*\"|[^\";:]*)")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z)?)?")
_EVENTS = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
_LEFT_OUT = frozenset({"VALARM", "VTIMEZONE"})
_FIELDS = {
    "DTSTART": "Start",
    "DTEND": "End",
    "DUE": "Due",
    "DURATION": "Duration",
    "RRULE": "Repeats",
    "RECURRENCE-ID": "Instead of",
    "EXDATE": "Except",
    "LOCATION": "Location",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "STATUS": "Status",
    "URL": "Address",
    "DESCRIPTION": "",
    "COMMENT": "Comment",
}
_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE"})
_MAX_ATTENDEES = 50


@dataclass(frozen=True, slots=True)
class Event:
    """An event as text.

    Attributes:
        text: Its fields, one on a line, the summary first.
        line: Its first line in the file, from 1.
    """

    summary: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class _Property:
    name: str
    parameters: dict[str, str]
    value: str
    line: int


def iter_events(text: str) -> Iterator[Event]:
    """Yield the events of a calendar, in file order."""
    method, event, skipped = "", list[_Property](), 0
    is_open = False
    for own in _iter_properties(text):
        kind = own.value.upper()
        if own.name in {"BEGIN", "END"} and kind in _LEFT_OUT:
            skipped += 1 if own.name == "BEGIN" else -1
        elif own.name == "BEGIN" and kind in _EVENTS:
            event, is_open = [own], True
        elif own.name == "END" and kind in _EVENTS and is_open:
            yield _build_event(event, method)
            is_open = False
        elif own.name == "METHOD":
            method = kind
        elif is_open and not skipped:
            event.append(own)
    if is_open:
        yield _build_event(event, method)


def _iter_properties(text: str) -> Iterator[_Property]:
    """Yield the properties, with folded lines joined."""
    lines = list[tuple[str, int]]()
    for number, line in enumerate(text.split("\n"), start=1):
        if line[:1] in {" ", "\t"} and lines:
            lines[-1] = lines[-1][0] + line[1:], lines[-1][1]
        else:
            lines.append((line, number))
    for line, number in lines:
        if match := _LINE.match(line.strip()):
            parameters = {
                name.upper(): value.strip('"')
                for name, value in _PARAMETER.findall(match["params"])
            }
            name = match["name"].upper()
            yield _Property(name, parameters, match["value"].strip(), number)


def _build_event(event: list[_Property], method: str) -> Event:
    own = [each for each in event if each.name == "SUMMARY"]
    summary = _unescape(own[0].value) if own else "Event"
    lines = [summary]
    if method == "CANCEL":
        lines.append("Status: cancelled")
    attendees = 0
    for name, label in _FIELDS.items():
        for each in (e for e in event if e.name == name and e.value):
            attendees += name == "ATTENDEE"
            if attendees > _MAX_ATTENDEES and name == "ATTENDEE":
                continue
            value = _format_value(each)
            line = f"{label}: {value}" if label else value
            if line not in lines:
                lines.append(line)
    text = clean_text("\n".join(filter(None, lines)))
    return Event(clean_text(summary), text, event[0].line)


def _format_value(own: _Property) -> str:
    if own.name in _TIMES:
        return ", ".join(_format_time(t, own) for t in own.value.split(","))
    if own.name in {"ORGANIZER", "ATTENDEE"}:
        address = re.sub(r"^mailto:", "", own.value, flags=re.I)
        name = own.parameters.get("CN", "")
        return f"{name} <{address}>" if name and name != address else address
    if own.name == "RRULE":
        return own.value.lower().replace(";", ", ").replace("=", " ")
    if own.name == "STATUS":
        return own.value.lower()
    return _unescape(own.value)


def _format_time(value: str, own: _Property) -> str:
    """Return a time as ``2024-05-12 14:00 UTC``, or with the name of its zone."""
    match = _TIME.fullmatch(value.strip())
    if not match:
        return value
    year, month, day, hour, minute, _, is_utc = match.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    zone = own.parameters.get("TZID", "").removeprefix("/")
    suffix = " UTC" if is_utc else (f" ({zone})" if zone else "")
    return f"{year}-{month}-{day} {hour}:{minute}{suffix}"


def _unescape(value: str) -> str:
    return re.sub(
        r"\\([nN,;\\])", lambda m: "\n" if m[1] in "nN" else m[1], value
    ).strip()
