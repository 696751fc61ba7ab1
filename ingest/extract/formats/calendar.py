"""Calendar files (iCalendar): one page per event."""

from collections.abc import Iterator

from dunegpt.ingest.extract.calendar_text import iter_events
from dunegpt.ingest.extract.encoding import decode
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the events of a calendar."""
    events = iter_events(decode(task.path.read_bytes()))
    for number, event in enumerate(events, start=1):
        label = f"line {event.line}"
        yield Page(number, event.summary, event.text, label, event.line)
