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
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.query import parse_query
from dunegpt.index.search.reader_index import ReaderIndex
from dunegpt.index.search.run_table import DetectorRun, RunTable
from dunegpt.serve.answer.citations import collapse_whitespace, make_citation
from dunegpt.text.analyzer import tokenize
from dunegpt.text.english import MONTHS
from dunegpt.text.patterns import compile_re
from dunegpt.text.sentences import split_sentences
from dunegpt.types import (
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
    compile_re(pattern, re.I)
    for pattern in (
        rf"when (?:did|have|has) (?:{_WHO}) last (?:{_SEEN}|have|had|take|taken|get|run"
        r" (?:in|with)) (?P<what>.+)",
        r"when (?:was|were) (?P<what>.+?) last (?:seen|observed|taken|noticed)",
        r"when (?:was|were) (?:the )?(?P<thing>detector|beam) last (?P<what>.+)",
        r"(?:what|when|which) (?:was|is) the last run (?:with|in|having) (?P<what>.+)",
    )
]
_RUN = compile_re(
    r"(?:(?:what (?:was|is|happened (?:in|during))|what do we know (?:about|of)|tell me"
    r" about|show(?: me)?|when (?:was|did|were)|how long (?:was|did)|what (?:was|were)"
    r" the (?:status|state|beam|beam status|detector state|detector status|comment)"
    r" (?:of|in|during|for)) )?(?:the )?run (?:number |no\.? ?|# ?)?(?P<number>\d{1,9})"
    r"(?: (?:about|like|start|stop|end|begin|started|taken|last))?",
    re.I,
)
_STATUS = compile_re(
    r"what (?:was|were|is) the (?:(?:detector|beam)(?:[\u2019']s)? )?(?:status|states?)"
    r"(?: of the (?:detector|beam|experiment))? (?:in|on|during|for) (?P<when>.+)",
    re.I,
)
_COUNT = compile_re(r"how many runs\b(?P<rest>.*)", re.I)
_VERBS = compile_re(
    r"^(?:were there|are there|did we (?:have|take)|had|have|has|were|was|are|is|there)"
    r"\b\s*",
    re.I,
)
_WHEN = compile_re(r"\b(?:in|on|during|for)\s+(?=(.+)$)", re.I)
_FILLER = compile_re(
    r"^(?:the|a|an|any|state|detector state|detector|in|with|be|being)\s+|"
    r"\s+(?:states?|status|mode|there)$",
    re.I,
)
_MAX_STATES = 12
_TIME_IN_TITLE = compile_re(r"\((\d{4}-\d\d-\d\d \d\d:\d\d)\)$")


@dataclass(frozen=True, slots=True)
class _Statement:
    """One sentence of an answer, and the rows that it rests on."""

    text: str
    runs: tuple[DetectorRun, ...]


@dataclass(frozen=True, slots=True)
class DateRange:
    """Days that a question names, and how an answer calls them."""

    first: date
    last: date
    name: str


def answer_from_runs(
    question: str,
    index: ReaderIndex,
    filters: Filters | None,
    settings: Settings,
) -> list[AnswerEvent]:
    """Return the whole answer to a question about runs; nothing if it is none.

    Raises:
        UsageError: A filter in the question has a value that means nothing.
        IndexBrokenError: The store cannot be read.
    """
    query = parse_query(question)
    text = collapse_whitespace(query.text).rstrip(" ?.!")
    given = filters or Filters()
    sources = given.sources + query.filters.sources
    others = [replace(f, sources=()) for f in (given, query.filters)]
    if not _is_run_question(text) or others != [Filters(), Filters()]:
        return []
    runs = index.runs
    said = _answer(text, runs, sources) if runs.all_runs else []
    if said:
        return _make_events(said, runs, index, settings)
    what = _parse_last_seen(text)
    if what and not sources:
        return _answer_from_entry(what, index, settings)
    return []


def _is_run_question(text: str) -> bool:
    forms = [*_LAST, _RUN, _STATUS, _COUNT]
    return any(form.fullmatch(text) for form in forms)


def _answer(text: str, runs: RunTable, sources: Sequence[str]) -> list[_Statement]:
    """Return what the tables say, log by log; nothing if none has what is asked."""
    said: list[_Statement] = []
    for source in dict.fromkeys(run.source for run in runs.select(sources=sources)):
        own = runs.select(sources=[source])
        if match := _RUN.fullmatch(text):
            found = runs.select(sources=[source], number=int(match["number"]))
            said += [_Statement(_describe_run(run), (run,)) for run in found]
        elif match := _STATUS.fullmatch(text):
            said += _answer_status(
                own, parse_date_range(match["when"], own[-1].start.date())
            )
        elif match := _COUNT.fullmatch(text):
            said += _answer_count(own, match["rest"].strip())
        else:
            said += _answer_last_seen(own, _parse_last_seen(text))
    return said


def _describe_run(run: DetectorRun) -> str:
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


def _parse_last_seen(text: str) -> str:
    """Return what was last seen, as a question names it, or nothing."""
    for form in _LAST:
        if match := form.fullmatch(text):
            thing = match.groupdict().get("thing") or ""
            beam = f"beam {match['what']}" if thing.casefold() == "beam" else ""
            return beam or match["what"]
    return ""


def _answer_last_seen(runs: list[DetectorRun], what: str) -> list[_Statement]:
    found = _select_matching(runs, what)
    if not found:
        return []
    last, newest = found[-1], runs[-1]
    named = _strip_filler(what)
    said = [_Statement(f"The last run with {named}: {_describe_run(last)}", (last,))]
    if newest is not last:
        told = f"The newest run in that table is {newest.number}, begun {newest.start}."
        said.append(_Statement(told, (newest,)))
    return said


def _strip_filler(what: str) -> str:
    """Return what is asked for without articles and the word state."""
    text, before = what.strip(" \"'“”"), ""
    while text != before:
        before, text = text, _FILLER.sub("", text).strip(" \"'“”")
    return text


def _select_matching(runs: list[DetectorRun], what: str) -> list[DetectorRun]:
    """Return the runs of a state or beam that is named exactly, the oldest first."""
    named = _strip_filler(what).casefold()
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


def parse_date_range(text: str, newest: date) -> DateRange | None:
    """Return the days that a text names: a month, a day, a year; None if it names none.

    Args:
        text: ``October``, ``October 2026``, ``2026-10``, ``3 October 2026``, ``2026``.
        newest: Day of the newest run: a month without a year is the last of that name
            that had begun by then.
    """
    parts = re.findall(r"[a-z]+|\d+", text.casefold().replace("the ", ""))
    names = [MONTHS[part] for part in parts if part in MONTHS]
    if len(names) == 1:
        numbers = [int(p) for p in parts if p.isdigit()]
        years = [n for n in numbers if n > 31]
        days = [n for n in numbers if n <= 31]
        known = {"st", "nd", "rd", "th", "of", "month"}
        others = [p for p in parts if p not in MONTHS and not p.isdigit()]
        if len(years) > 1 or len(days) > 1 or set(others) - known:
            return None
        year = years[0] if years else newest.year - (names[0] > newest.month)
        return _make_date_range(year, names[0], days[0] if days else 0)
    match = re.fullmatch(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", text.strip())
    return _make_date_range(*(int(g or 0) for g in match.groups())) if match else None


def _make_date_range(year: int, month: int = 0, day: int = 0) -> DateRange | None:
    try:
        first = date(year, month or 1, day or 1)
        if day:
            return DateRange(first, first, first.isoformat())
        after = date(year + (month in {0, 12}), 1 if month in {0, 12} else month + 1, 1)
    except ValueError:
        return None
    name = f"{calendar.month_name[month]} {year}" if month else str(year)
    return DateRange(first, after - timedelta(days=1), name)


def _select_within(runs: list[DetectorRun], span: DateRange) -> list[DetectorRun]:
    return [run for run in runs if span.first <= run.start.date() <= span.last]


def _answer_status(runs: list[DetectorRun], span: DateRange | None) -> list[_Statement]:
    """Return a sentence on all runs of some days, and one for each state and beam."""
    found = _select_within(runs, span) if span else []
    if not found or span is None:
        return []
    ends = (found[0], found[-1])
    text = (
        f"In {span.name}, {found[0].source} has {_format_count(len(found))}, from"
        f" {ends[0].number} ({ends[0].start}) to {ends[1].number} ({ends[1].start})."
    )
    said = [_Statement(text, ends)]
    for what, name in (("state", "Detector state"), ("beam", "Beam")):
        values: dict[str, list[DetectorRun]] = {}
        for run in found:
            values.setdefault(getattr(run, what) or "not told", []).append(run)
        if values.keys() == {"not told"}:
            continue
        for value, own in list(values.items())[:_MAX_STATES]:
            told = (
                f"{name} {value}: {_format_count(len(own))}, the first {own[0].number}"
                f" ({own[0].start}), the last {own[-1].number} ({own[-1].start})."
            )
            said.append(_Statement(told, (own[0], own[-1])))
        if len(values) > _MAX_STATES:
            others = len(values) - _MAX_STATES
            said.append(_Statement(f"{name}: {others} more values.", ends))
    return said


def _answer_count(runs: list[DetectorRun], rest: str) -> list[_Statement]:
    """Return how many runs of some days have what is asked for."""
    what, span = _split_count_question(rest, runs[-1].start.date())
    among = _select_within(runs, span) if span else runs
    of_that = _select_matching(runs, what) if what else runs
    if not (among and of_that):
        return []
    own = set(among)
    found = [run for run in of_that if run in own]
    days = f" in {span.name}" if span else ""
    if not what:
        text = f"{among[0].source} has {_format_count(len(among))}{days}."
    elif found:
        text = (
            f"{len(found)} of the {_format_count(len(among))} of"
            f" {among[0].source}{days}"
            f" were with {_strip_filler(what)}: the first is {found[0].number}"
            f" ({found[0].start}), the last {found[-1].number} ({found[-1].start})."
        )
    else:
        text = (
            f"None of the {_format_count(len(among))} of {among[0].source}{days}"
            " was with"
            f" {_strip_filler(what)}."
        )
    ends = found or among
    return [_Statement(text, (ends[0], ends[-1]))]


def _split_count_question(rest: str, newest: date) -> tuple[str, DateRange | None]:
    """Return what is counted, and in which days, of a question's rest."""
    span, text = None, rest
    for match in _WHEN.finditer(rest):
        if found := parse_date_range(match[1], newest):
            span, text = found, rest[: match.start()]
            break
    before = ""
    while before != text:
        before, text = text, _VERBS.sub("", text.strip())
    return text.strip(), span


# ── events ────────────────────────────────────────────────────────────────────────


def _make_events(
    said: list[_Statement], runs: RunTable, index: ReaderIndex, settings: Settings
) -> list[AnswerEvent]:
    """Return an answer whose references are rows, in the order of the sentences."""
    numbers: dict[DetectorRun, int] = {}
    citations: list[Citation] = []
    told: list[AnswerEvent] = []
    for each in said:
        for run in each.runs:
            if run not in numbers:
                numbers[run] = len(numbers) + 1
                hit = runs.make_hit(run, numbers[run])
                made = make_citation(hit, run.row, index, settings)
                citations.append(replace(made, cited=True))
        marks = tuple(dict.fromkeys(numbers[run] for run in each.runs))
        told.append(Sentence(each.text, marks))
    return [*_begin_events(citations, index), *told, _make_finished(citations)]


def _begin_events(
    citations: list[Citation], index: ReaderIndex
) -> Iterator[AnswerEvent]:
    yield References(tuple(replace(c, cited=False) for c in citations))
    if index.revocations.notice:
        yield Notice(index.revocations.notice)


def _make_finished(citations: list[Citation]) -> Finished:
    return Finished(Outcome.ANSWERED, Mode.EXTRACTIVE, tuple(citations))


def _answer_from_entry(
    what: str, index: ReaderIndex, settings: Settings
) -> list[AnswerEvent]:
    """Return the newest entry of a log that has all words, as an answer."""
    hit = index.find_newest(_strip_filler(what), "entry")
    if hit is None:
        return []
    wanted = set(tokenize(what))
    said = list(split_sentences(hit.passage.text))
    quote = max(said, key=lambda text: len(wanted & set(tokenize(text))))
    time = _TIME_IN_TITLE.search(hit.document.title)
    moment = time[1] if time else str(hit.document.date)
    people = f" by {', '.join(hit.document.authors)}" if hit.document.authors else ""
    text = (
        f"The newest log entry with all of these words is {hit.document.id} of"
        f" {moment}{people}: “{collapse_whitespace(quote)}”"
    )
    citations = [replace(make_citation(hit, quote, index, settings), cited=True)]
    return [
        *_begin_events(citations, index),
        Sentence(text, (1,)),
        _make_finished(citations),
    ]


def _format_count(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
