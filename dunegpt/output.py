"""Prints what the commands found, for people; JSON is printed by the command line."""

import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from dunegpt.operating_schemas import (
    CrawlShape,
    DiffShape,
    ExtractShape,
    ForgetShape,
    IndexRunShape,
    LLMServerShape,
    PersonShape,
    ReadersShape,
    SnapshotShape,
    SourceShape,
    StatusShape,
    VerifyShape,
)
from dunegpt.schemas import (
    AskShape,
    ChipShape,
    DifferenceShape,
    DocumentShape,
    HitShape,
    ReferenceShape,
    RunsShape,
    SearchShape,
    SentenceShape,
    ShownShape,
)
from dunegpt.statuses import told
from dunegpt.types import Box, Outcome

out = Console(highlight=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_RELATED = 20
_STAGES = {
    "read": "Reading files",
    "embed": "Embedding",
    "pack": "Packing",
    "export": "Exporting",
    "measure": "Measuring",
    "verify": "Verifying",
}


def plain(text: str) -> str:
    """Return a text that cannot steer a terminal: control and bidi characters out."""
    return _UNSEEN.sub("", text)


def escape(text: str) -> str:
    """Return a text that neither a terminal nor our own markup takes for a command."""
    return escape_markup(plain(text))


def plural(count: int, noun: str) -> str:
    """Return a count of things in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def complain(message: str, style: str = "") -> None:
    """Print a message on standard error, as it is but for control characters."""
    err.print(plain(message), style=style, markup=False)


@contextmanager
def stage_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows how far each stage is, on a terminal only."""
    with _progress() as bars:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(_STAGES.get(stage, stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


@contextmanager
def count_bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows a count, of about how many if that is known."""
    with _progress() as bars:
        task = bars.add_task(f"Crawling {escape(name)}", total=None)

        def show(seen: int, known: int) -> None:
            bars.update(task, completed=seen, total=max(seen, known) or None)

        yield show


def _progress() -> Progress:
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    return Progress(
        *columns, TimeElapsedColumn(), console=err, disable=not err.is_terminal
    )


def print_asked(asked: str, chips: list[ChipShape], *, numbered: bool = False) -> None:
    """Print a question as it was understood, if that differs from what was typed.

    Args:
        asked: As one that stands alone; empty if it is as typed.
        chips: Filters that were found in its words.
        numbered: Whether they can be taken out by their numbers.
    """
    if asked:
        out.print(f"Asked as: {escape(asked)}", style="cyan")
    for number, (text, own) in enumerate(by_words(chips).items(), 1):
        told = f"{text}: {' '.join(chip.filter for chip in own)}"
        quoted = f'"{text}"' if '"' not in text else f"'{text}'"
        how = f"/without {number}" if numbered else f"--without {quoted}"
        how = f"remove with {how}" if own[0].applied else "not applied"
        out.print(f"{escape(f'[{told}]')} {escape(how)}", style="cyan")


def by_words(chips: list[ChipShape]) -> dict[str, list[ChipShape]]:
    """Return filters by the words that they were found in, in order."""
    found: dict[str, list[ChipShape]] = {}
    for chip in chips:
        found.setdefault(chip.text, []).append(chip)
    return found


def print_sentence(sentence: SentenceShape) -> None:
    """Print one sentence of an answer with its marks, as soon as it is there."""
    marks = "".join(f"[{n}]" for n in sentence.citations)
    text = escape(f"{sentence.text} {marks}".strip())
    if sentence.supported:
        out.print(text)
    else:
        out.print(f"[dim]{text} (not supported: {escape(sentence.reason)})[/dim]")


def print_difference(found: DifferenceShape) -> None:
    """Print two amounts that documents give for what reads like one quantity."""
    newer, older = (
        f"{p.text} [{p.citation}] ({p.date or 'undated'})"
        for p in (found.newer, found.older)
    )
    out.print(f"[yellow]The documents differ:[/yellow] {escape(f'{newer}, {older}')}")


def print_outcome(answer: AskShape) -> None:
    """Print how an answer ended, if it did not answer, and what was retrieved."""
    if answer.outcome is Outcome.NOT_IN_DOCUMENTS:
        out.print("[bold]Not in the documents[/bold] that you may read.")
    elif answer.outcome is Outcome.SEARCH_UNAVAILABLE:
        out.print("[bold red]The search is unavailable.[/bold red]")
    elif answer.outcome is Outcome.MODEL_UNAVAILABLE:
        out.print("[yellow]The language model is unavailable.[/yellow]")
    cited = [r for r in answer.references if r.cited]
    if cited:
        out.print("\n[bold]References[/bold]")
    elif answer.references:
        out.print("\n[bold]Nearest in the documents[/bold]")
    for reference in cited or answer.references[:3]:
        print_reference(reference)
    left_out = f"{plural(answer.dropped, 'sentence')} not supported"
    facts = [f"Receipt {answer.receipt}" if answer.receipt else ""]
    facts.append(left_out if answer.dropped else "")
    if any(facts):
        out.print(f"\n[dim]{', '.join(filter(None, facts))}[/dim]")


def print_reference(reference: ReferenceShape) -> None:
    """Print a reference: number, title, authors, date, id, page, link and quote."""
    head = _head(reference.document)
    older = _older(reference)
    out.print(f"[bold][{reference.number}][/bold] {head}, {reference.place}{older}")
    out.print(f"    {escape(reference.url)}", style="blue")
    quote = escape(" ".join(reference.quote.split()))
    out.print(textwrap.indent(f"“{quote}”", "    "), style="dim")


def _older(found: ReferenceShape | HitShape) -> str:
    """Return which version is newer, and of which day, if any is."""
    newest = [found.superseded_by, str(found.superseded_on or "")]
    if not found.superseded_by:
        return ""
    told = escape(", ".join(filter(None, newest)))
    return f" [yellow](superseded by {told})[/yellow]"


def _head(document: DocumentShape) -> str:
    people = ", ".join(document.authors[:3])
    people += " et al." if len(document.authors) > 3 else ""
    facts = [people, str(document.date or ""), told(document.status), document.id]
    return escape(", ".join([document.title, *filter(None, facts)]))


def print_search(found: SearchShape) -> None:
    """Print hits with score, place and the beginning of their text."""
    for note in found.notes:
        err.print(escape(note), style="yellow")
    if not found.hits:
        out.print("No passage found that you may read.")
    for hit in found.hits:
        pages = (
            f"p. {hit.first_page}"
            if hit.first_page == hit.last_page
            else f"pp. {hit.first_page}-{hit.last_page}"
        )
        out.print(
            f"[bold]{hit.rank}.[/bold] {_head(hit.document)}, {pages}"
            f"  [dim]{hit.score:.3f} {hit.found_by}[/dim]{_older(hit)}"
        )
        text = escape(textwrap.shorten(hit.text, 240, placeholder=" ..."))
        out.print(textwrap.indent(text, "   "), style="dim")
        if hit.also_in:
            others = escape(", ".join(hit.also_in))
            out.print(f"   also in {others}", style="dim")


def print_show(shown: ShownShape) -> None:
    """Print a document: what it is, its versions, files, readers and asked pages."""
    document = shown.document
    out.print(f"[bold]{escape(document.title)}[/bold]")
    facts = {
        "id": document.id,
        "authors": ", ".join(document.authors),
        "date": str(document.date or ""),
        "status": told(document.status),
        "link": document.url,
        "supersedes": shown.supersedes,
        "superseded by": shown.superseded_by,
        "part of": shown.parent,
        "readers": ", ".join(shown.principals),
    }
    for name, value in facts.items():
        if value:
            out.print(f"  {name:<14}{escape(value)}")
    for file in shown.files:
        readers = ", ".join(file.principals)
        out.print(
            f"  file          {escape(file.name)} ({file.media_type},"
            f" {file.pages} pages, readers: {escape(readers)})"
        )
    _print_related(shown)
    for page in shown.pages:
        out.rule(escape(f"{page.file}, page {page.number}: {page.heading}"))
        out.print(escape(page.text))


def _print_related(shown: ShownShape) -> None:
    """Print what a document cites and what cites it, the first of many."""
    for cited in shown.cites[:_RELATED]:
        what = (
            "another experiment's" if cited.system == "foreign" else "not in the index"
        )
        if cited.document:
            what = f"{cited.document.title} ({cited.document.id})"
        where = f"p. {cited.page}"
        out.print(f"  cites         {escape(f'{cited.identifier}, {where}: {what}')}")
    if (more := len(shown.cites) - _RELATED) > 0:
        out.print(f"  cites         {more} more: --json lists all")
    for citing in shown.cited_by[:_RELATED]:
        where = f"{citing.document.id}, p. {citing.page}"
        out.print(f"  cited by      {escape(f'{citing.document.title} ({where})')}")
    if (more := len(shown.cited_by) - _RELATED) > 0:
        out.print(f"  cited by      {more} more: --json lists all")


def print_runs(found: RunsShape) -> None:
    """Print a line for each run: number, times, beam, state, comment, document."""
    for note in found.notes:
        err.print(escape(note), style="yellow")
    if not found.runs:
        out.print("No run found that you may see.")
    for run in found.runs:
        ended = str(run.stop) if run.stop else "(no end)"
        facts = [f"beam {run.beam}" if run.beam else "", run.state, run.comment]
        about = "; ".join(filter(None, facts))
        line = f"{run.run}  {run.start} - {ended}  {about}"
        out.print(f"{escape(line)}  [dim]{escape(run.document)} p. {run.page}[/dim]")


def print_access(rows: list[ReadersShape]) -> None:
    """Print one line for each document and file: its readers and the evidence."""
    for row in rows:
        name = f"  {row.file}" if row.file is not None else row.id
        who = ", ".join(row.principals) or "nobody"
        out.print(escape(f"{name}: {who} ({row.evidence}, {row.observed_at})"))


def print_crawl(report: CrawlShape) -> None:
    """Print the one line that a run over a source ends with, and its failures."""
    how = "would be " if report.dry_run else ""
    counts = [
        f"{report.seen} seen, {report.new} {how}new, {report.changed} {how}changed",
        f"{report.unchanged} unchanged, {report.removed} {how}removed",
        f"{report.hidden} suspiciously gone" if report.hidden else "",
        f"{report.kept} withdrawn" if report.kept else "",
        f"{report.failed} failed",
    ]
    told = ", ".join(filter(None, counts))
    stopped = ", stopped at the limit" if report.partial else ""
    out.print(
        f"{escape(report.source)} ({report.mode}): {told}; {report.fetched} files"
        f" fetched ({report.fetched_bytes:,} bytes), {report.requests} requests"
        f" in {report.seconds:.1f} s{stopped}"
    )
    for failure in report.failures:
        err.print(escape(f"  {failure.id}: {failure.message}"), style="yellow")
    for warning in report.warnings:
        err.print(escape(f"  {warning}"), style="bold yellow")
    if report.error:
        err.print(escape(f"  {report.error}"), style="bold red")
        err.print(escape(f"  {report.hint}"), style="red")


def print_forget(shape: ForgetShape, *, prove: bool) -> None:
    """Print what was forgotten, and each place with what was removed and is left."""
    left = sum(place.left for place in shape.places)
    state = f"[bold red]{left} left[/bold red]" if left else "nothing left"
    out.print(f"{escape(shape.id)}: {len(shape.documents)} ids forgotten, {state}.")
    for place in shape.places if prove or left else ():
        out.print(f"  {place.place:<10}{place.removed:>6} removed{place.left:>6} left")


def print_person(shape: PersonShape) -> None:
    """Print the principals of a person, and the rules that give them."""
    out.print(escape(", ".join(shape.principals)) or "none (only what is public)")
    for rule in shape.rules:
        out.print(escape(f"  {rule}"), style="dim")


def print_index(report: IndexRunShape) -> None:
    """Print the one line that an index run ends with, and the unreadable files."""
    state = "published" if report.published else "already up to date"
    out.print(
        f"index: {report.documents} documents, {report.passages} passages,"
        f" {report.embedded} embedded, {len(report.failures)} files unreadable;"
        f" snapshot {report.snapshot} {state} in {report.seconds:.1f} s"
    )
    if report.recall:
        told = ", ".join(f"{value:.3f} ({of})" for of, value in report.recall.items())
        out.print(f"recall@10 against looking at every row: {told}")
    elif report.published:
        out.print("recall@10 1.000: every row is looked at")
    for failure in report.failures:
        err.print(escape(f"  {failure.id}: {failure.message}"), style="yellow")


def print_snapshots(snapshots: list[SnapshotShape]) -> None:
    """Print a line for each snapshot, the current one marked."""
    for each in snapshots:
        mark = "*" if each.is_current else " "
        told = escape(f"cannot be used: {each.error}")
        if not each.error:
            told = (
                f"{each.created_at[:19]}  {each.documents:,} documents,"
                f" {each.passages:,} passages, {each.parts} parts,"
                f" {each.size_bytes / 1e6:.1f} MB, {each.own_bytes / 1e6:.1f} its own"
            )
        out.print(f"{mark} {each.id}  {told}")


def print_verified(found: VerifyShape) -> None:
    """Print whether a snapshot is what it claims to be."""
    for error in found.errors:
        err.print(escape(f"  {error}"), style="red")
    state = f"{len(found.errors)} errors" if found.errors else "as it was packed"
    out.print(f"snapshot {found.id}: {found.files} files, {state}")


def print_diff(found: DiffShape) -> None:
    """Print the ids that differ: + added, - removed, ~ changed."""
    for mark, ids in (("+", found.added), ("-", found.removed), ("~", found.changed)):
        for each in ids:
            out.print(escape(f"{mark} {each}"))
    out.print(
        f"{len(found.added)} added, {len(found.removed)} removed,"
        f" {len(found.changed)} changed"
    )


def print_status(state: StatusShape) -> None:
    """Print sources, the published index, and the ledger of failures."""
    out.print(f"data folder: {escape(state.data_dir)}")
    for source in state.sources:
        _print_source(source)
    index = state.index
    if index.error:
        out.print(f"index: {escape(index.error)}", style="yellow")
    else:
        out.print(
            f"index: snapshot {index.snapshot} of {index.created_at},"
            f" {index.documents} documents, {index.passages} passages,"
            f" encoder {index.encoder}"
        )
    if state.failures:
        out.print("[bold]Failures[/bold]")
    for failure in state.failures:
        out.print(escape(f"  {failure.stage:<8}{failure.id}: {failure.message}"))


def _print_source(source: SourceShape) -> None:
    """Print what is there of a source, and what an operator should know of it."""
    age = f" ({source.age_h:.1f} h ago)" if source.age_h is not None else ""
    kinds = ", ".join(f"{n} {kind}" for kind, n in source.failures.items())
    errors = ", ".join(f"{n} {error}" for error, n in source.errors.items())
    withheld = ", ".join(f"{n} {kind}" for kind, n in source.withheld.items() if n)
    lines = {
        "documents": f"{source.documents} in {source.versions} versions,"
        f" {source.hidden} hidden, {source.nobody} for nobody",
        "files": f"{source.files}, {source.fetched} fetched,"
        f" {source.bytes / 1e6:.1f} MB",
        "failures": f"{kinds} ({errors})" if kinds else "none",
        "last good run": f"{source.last_good_run or 'never'}{age}",
        "last error": source.last_error,
        "warnings": "; ".join(source.warnings),
        "not shown to us": withheld,
        "notices": f"{source.notices} wait" if source.notices else "",
        "untried": source.untried,
    }
    out.print(f"[bold]{escape(source.name)}[/bold]")
    for name, text in lines.items():
        if text:
            out.print(f"  {name:<16}{escape(text)}")


def print_extracted(found: ExtractShape) -> None:
    """Print the pages of one file, then what is missing from them."""
    for page in found.pages:
        place = page.label or f"page {page.number}"
        heading = f" · {escape(page.heading)}" if page.heading else ""
        out.print(f"[bold]{escape(found.name)}, {escape(place)}[/bold]{heading}")
        out.print(f"{escape(page.text)}\n")
    for remark in found.remarks:
        complain(f"{found.name}: {remark}", "yellow")
    if found.error:
        complain(f"{found.name}: {found.error}", "red")


def print_boxes(name: str, boxes: list[Box]) -> None:
    """Print rectangles in parts of the page's width and height."""
    if not boxes:
        complain(f"{name}: the quote is not on that page, or has no place there.")
    for box in boxes:
        out.print(
            f"{escape(name)}, page {box.page}: left {box.left:.4f} top {box.top:.4f}"
            f" right {box.right:.4f} bottom {box.bottom:.4f}"
        )


def print_llm(server: LLMServerShape) -> None:
    """Print what a model server did, a line for each thing that was tried."""
    out.print(escape(f"{server.name} ({server.model})"))
    for checked in server.checks:
        word = "[green]ok[/]" if checked.ok else "[red]failed[/]"
        out.print(f"  {checked.name:<10} {word}  {escape(checked.detail)}")
