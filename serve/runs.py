"""Questions that a table of runs answers exactly, from the rows that a reader may see.

"When did we last see beam?", "What was the detector status in October?", "What was run
28871?", "How many runs had beam on in 2026-10?": recognised by their form, and only if
the state or beam that is asked for stands in a table that this reader may see. All else
goes the usual way, as if there were no table. "When did we last see" something else is
answered by the newest entry of a log that has all of its words, if there is one.
"""

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from dunegpt.config import Settings
from dunegpt.index.query import parsed
from dunegpt.index.runs import Run, Runs
from dunegpt.index.search import Searcher
from dunegpt.index.view import Filters
from dunegpt.index.words import words
from dunegpt.serve.citing import citation, flat
from dunegpt.serve.sentences import sentences
from dunegpt.types import (
    Access,
    AnswerEvent,
    Citation,
    Finished,
    Mode,
    Notice,
    Outcome,
    References,
    Sentence,
)

_SEEN = "see|seen|saw|observe|observed|notice|noticed"
_WHO = "we|you|they|anyone|anybody|somebody|someone|the detector|the experiment|i"
_LAST = [
    re.compile(pattern, re.I)
    for pattern in (
        rf"when (?:did|have|has) (?:{_WHO}) last (?:{_SEEN}|have|had|take|taken|get|run"
        r" (?:in|with)) (?P<what>.+)",
        r"when (?:was|were) (?P<what>.+?) last (?:seen|observed|taken|noticed)",
        r"when (?:was|were) (?:the )?(?P<thing>detector|beam) last (?P<what>.+)",
        r"(?:what|when|which) (?:was|is) the last run (?:with|in|having) (?P<what>.+)",
    )
]
_RUN = re.compile(
    r"(?:(?:what (?:was|is|happened (?:in|during))|what do we know (?:about|of)|tell me"
    r" about|show(?: me)?|when (?:was|did|were)|how long (?:was|did)|what (?:was|were)"
    r" the (?:status|state|beam|beam status|detector state|detector status|comment)"
    r" (?:of|in|during|for)) )?(?:the )?run (?:number |no\.? ?|# ?)?(?P<number>\d{1,9})"
    r"(?: (?:about|like|start|stop|end|begin|started|taken|last))?",
    re.I,
)
_STATUS = re.compile(
    r"what (?:was|were|is) the (?:(?:detector|beam)(?:[\u2019']s)? )?(?:status|states?)"
    r"(?: of the (?:detector|beam|experiment))? (?:in|on|during|for) (?P<when>.+)",
    re.I,
)
_COUNT = re.compile(r"how many runs\b(?P<rest>.*)", re.I)
_VERBS = re.compile(
    r"^(?:were there|are there|did we (?:have|take)|had|have|has|were|was|are|is|there)"
    r"\b\s*",
    re.I,
)
_WHEN = re.compile(r"\b(?:in|on|during|for)\s+(?=(.+)$)", re.I)
_DROPPED = re.compile(
    r"^(?:the|a|an|any|state|detector state|detector|in|with|be|being)\s+|"
    r"\s+(?:states?|status|mode|there)$",
    re.I,
)
_MONTHS = {
    name.casefold(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
}
_MOST_STATES = 12
_TIME_IN_TITLE = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d)\)$")


@dataclass(frozen=True, slots=True)
class _Said:
    """One sentence of an answer, and the rows that it rests on."""

    text: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Days that a question names, and how an answer calls them."""

    first: date
    last: date
    name: str


def answer_from_runs(
    question: str,
    searcher: Searcher,
    reader: Access,
    filters: Filters | None,
    settings: Settings,
) -> list[AnswerEvent]:
    """Return the whole answer to a question about runs; nothing if it is none.

    Raises:
        UsageError: A filter in the question has a value that means nothing.
        IndexBrokenError: The store cannot be read.
    """
    query = parsed(question)
    text = flat(query.text).rstrip(" ?.!")
    given = filters or Filters()
    sources = given.sources + query.filters.sources
    others = [replace(f, sources=()) for f in (given, query.filters)]
    if not _may_be(text) or others != [Filters(), Filters()]:
        return []
    runs = Runs(searcher.snapshot, searcher.narrowing, reader)
    said = _answered(text, runs, sources) if runs.every else []
    if said:
        return _events(said, runs, searcher, settings)
    what = _asked_last(text)
    if what and not sources:
        return _from_entry(what, searcher, reader, settings)
    return []


def _may_be(text: str) -> bool:
    forms = [*_LAST, _RUN, _STATUS, _COUNT]
    return any(form.fullmatch(text) for form in forms)


def _answered(text: str, runs: Runs, sources: Sequence[str]) -> list[_Said]:
    """Return what the tables say, log by log; nothing if none has what is asked."""
    said: list[_Said] = []
    for source in dict.fromkeys(run.source for run in runs.select(sources=sources)):
        own = runs.select(sources=[source])
        if match := _RUN.fullmatch(text):
            found = runs.select(sources=[source], number=int(match["number"]))
            said += [_Said(_told(run), (run,)) for run in found]
        elif match := _STATUS.fullmatch(text):
            said += _statuses(own, span_of(match["when"], own[-1].start.date()))
        elif match := _COUNT.fullmatch(text):
            said += _counted(own, match["rest"].strip())
        else:
            said += _last(own, _asked_last(text))
    return said


def _told(run: Run) -> str:
    """Return a sentence on one run, in the words of its row."""
    ended = f"ended {run.stop}" if run.stop else "has no end in the table"
    facts = [f"beam {run.beam}" if run.beam else "", run.comment]
    facts.insert(1, f"detector state {run.state}" if run.state else "")
    about = "; ".join(filter(None, facts))
    return (
        f"Run {run.number} of {run.source} began {run.start} and {ended}"
        f"{': ' + about if about else ''}."
    )


# ── when last ─────────────────────────────────────────────────────────────────────


def _asked_last(text: str) -> str:
    """Return what was last seen, as a question names it, or nothing."""
    for form in _LAST:
        if match := form.fullmatch(text):
            thing = match.groupdict().get("thing") or ""
            beam = f"beam {match['what']}" if thing.casefold() == "beam" else ""
            return beam or match["what"]
    return ""


def _last(runs: list[Run], what: str) -> list[_Said]:
    found = _matching(runs, what)
    if not found:
        return []
    last, newest = found[-1], runs[-1]
    named = _plain(what)
    said = [_Said(f"The last run with {named}: {_told(last)}", (last,))]
    if newest is not last:
        told = f"The newest run in that table is {newest.number}, begun {newest.start}."
        said.append(_Said(told, (newest,)))
    return said


def _plain(what: str) -> str:
    """Return what is asked for without articles and the word state."""
    text, before = what.strip(" \"'“”"), ""
    while text != before:
        before, text = text, _DROPPED.sub("", text).strip(" \"'“”")
    return text


def _matching(runs: list[Run], what: str) -> list[Run]:
    """Return the runs of a state or beam that is named exactly, the oldest first."""
    named = _plain(what).casefold()
    by_state = [run for run in runs if run.state and run.state.casefold() == named]
    if by_state:
        return by_state
    if not any(run.beam for run in runs):
        return []
    if named in {"beam", "beam on", "with beam"}:
        return [run for run in runs if run.has_beam]
    if named in {"beam off", "no beam", "without beam"}:
        return [run for run in runs if not run.has_beam]
    own = named.removeprefix("beam ")
    return [run for run in runs if run.beam and run.beam.casefold() in {own, named}]


# ── in a month, on a day ──────────────────────────────────────────────────────────


def span_of(text: str, newest: date) -> Span | None:
    """Return the days that a text names: a month, a day, a year; None if it names none.

    Args:
        text: ``October``, ``October 2026``, ``2026-10``, ``3 October 2026``, ``2026``.
        newest: Day of the newest run: a month without a year is the last of that name
            that had begun by then.
    """
    parts = re.findall(r"[a-z]+|\d+", text.casefold().replace("the ", ""))
    names = [_MONTHS[part] for part in parts if part in _MONTHS]
    if len(names) == 1:
        numbers = [int(p) for p in parts if p.isdigit()]
        years = [n for n in numbers if n > 31]
        days = [n for n in numbers if n <= 31]
        known = {"st", "nd", "rd", "th", "of", "month"}
        others = [p for p in parts if p not in _MONTHS and not p.isdigit()]
        if len(years) > 1 or len(days) > 1 or set(others) - known:
            return None
        year = years[0] if years else newest.year - (names[0] > newest.month)
        return _days(year, names[0], days[0] if days else 0)
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", text.strip())
    return _days(*(int(g or 0) for g in match.groups())) if match else None


def _days(year: int, month: int = 0, day: int = 0) -> Span | None:
    try:
        first = date(year, month or 1, day or 1)
        if day:
            return Span(first, first, first.isoformat())
        after = date(year + (month in {0, 12}), 1 if month in {0, 12} else month + 1, 1)
    except ValueError:
        return None
    name = f"{calendar.month_name[month]} {year}" if month else str(year)
    return Span(first, after - timedelta(days=1), name)


def _within(runs: list[Run], span: Span) -> list[Run]:
    return [run for run in runs if span.first <= run.start.date() <= span.last]


def _statuses(runs: list[Run], span: Span | None) -> list[_Said]:
    """Return a sentence on all runs of some days, and one for each state and beam."""
    found = _within(runs, span) if span else []
    if not found or span is None:
        return []
    ends = (found[0], found[-1])
    text = (
        f"In {span.name}, {found[0].source} has {_runs(len(found))}, from"
        f" {ends[0].number} ({ends[0].start}) to {ends[1].number} ({ends[1].start})."
    )
    said = [_Said(text, ends)]
    for what, name in (("state", "Detector state"), ("beam", "Beam")):
        values: dict[str, list[Run]] = {}
        for run in found:
            values.setdefault(getattr(run, what) or "not told", []).append(run)
        if values.keys() == {"not told"}:
            continue
        for value, own in list(values.items())[:_MOST_STATES]:
            told = (
                f"{name} {value}: {_runs(len(own))}, the first {own[0].number}"
                f" ({own[0].start}), the last {own[-1].number} ({own[-1].start})."
            )
            said.append(_Said(told, (own[0], own[-1])))
        if len(values) > _MOST_STATES:
            others = len(values) - _MOST_STATES
            said.append(_Said(f"{name}: {others} more values.", ends))
    return said


def _counted(runs: list[Run], rest: str) -> list[_Said]:
    """Return how many runs of some days have what is asked for."""
    what, span = _taken_apart(rest, runs[-1].start.date())
    among = _within(runs, span) if span else runs
    of_that = _matching(runs, what) if what else runs
    if not (among and of_that):
        return []
    own = set(among)
    found = [run for run in of_that if run in own]
    days = f" in {span.name}" if span else ""
    if not what:
        text = f"{among[0].source} has {_runs(len(among))}{days}."
    elif found:
        text = (
            f"{len(found)} of the {_runs(len(among))} of {among[0].source}{days}"
            f" were with {_plain(what)}: the first is {found[0].number}"
            f" ({found[0].start}), the last {found[-1].number} ({found[-1].start})."
        )
    else:
        text = (
            f"None of the {_runs(len(among))} of {among[0].source}{days} was with"
            f" {_plain(what)}."
        )
    ends = found or among
    return [_Said(text, (ends[0], ends[-1]))]


def _taken_apart(rest: str, newest: date) -> tuple[str, Span | None]:
    """Return what is counted, and in which days, of a question's rest."""
    span, text = None, rest
    for match in _WHEN.finditer(rest):
        if found := span_of(match[1], newest):
            span, text = found, rest[: match.start()]
            break
    before = ""
    while before != text:
        before, text = text, _VERBS.sub("", text.strip())
    return text.strip(), span


# ── events ────────────────────────────────────────────────────────────────────────


def _events(
    said: list[_Said], runs: Runs, searcher: Searcher, settings: Settings
) -> list[AnswerEvent]:
    """Return an answer whose references are rows, in the order of the sentences."""
    numbers: dict[Run, int] = {}
    citations: list[Citation] = []
    told: list[AnswerEvent] = []
    for each in said:
        for run in each.runs:
            if run not in numbers:
                numbers[run] = len(numbers) + 1
                hit = runs.hit(run, numbers[run])
                made = citation(hit, run.row, searcher, settings)
                citations.append(replace(made, cited=True))
        marks = tuple(dict.fromkeys(numbers[run] for run in each.runs))
        told.append(Sentence(each.text, marks))
    return [*_opened(citations, searcher), *told, _ended(citations)]


def _opened(citations: list[Citation], searcher: Searcher) -> Iterator[AnswerEvent]:
    yield References(tuple(replace(c, cited=False) for c in citations))
    if searcher.narrowing.notice:
        yield Notice(searcher.narrowing.notice)


def _ended(citations: list[Citation]) -> Finished:
    return Finished(Outcome.ANSWERED, Mode.EXTRACTIVE, tuple(citations))


def _from_entry(
    what: str, searcher: Searcher, reader: Access, settings: Settings
) -> list[AnswerEvent]:
    """Return the newest entry of a log that has all words, as an answer."""
    hit = searcher.newest_with_all(_plain(what), reader, "entry")
    if hit is None:
        return []
    wanted = set(words(what))
    said = list(sentences(hit.passage.text))
    quote = max(said, key=lambda text: len(wanted & set(words(text))))
    time = _TIME_IN_TITLE.search(hit.document.title)
    moment = time[1] if time else str(hit.document.date)
    people = f" by {', '.join(hit.document.authors)}" if hit.document.authors else ""
    text = (
        f"The newest log entry with all of these words is {hit.document.id} of"
        f" {moment}{people}: “{flat(quote)}”"
    )
    citations = [replace(citation(hit, quote, searcher, settings), cited=True)]
    return [*_opened(citations, searcher), Sentence(text, (1,)), _ended(citations)]


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
