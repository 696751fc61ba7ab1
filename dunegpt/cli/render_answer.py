"""Prints answers, hits, documents and beam runs for people."""

import logging
import textwrap

from dunegpt.cli.console import err, escape, format_count, out, print_message
from dunegpt.document_status import format_status
from dunegpt.schemas.reading import (
    AskResponse,
    ChipResponse,
    DifferenceResponse,
    DocumentResponse,
    HitResponse,
    ReferenceResponse,
    RunsResponse,
    SearchResponse,
    SentenceResponse,
    ShownResponse,
)
from dunegpt.types import (
    AnswerEvent,
    Difference,
    Notice,
    Outcome,
    QuestionEvent,
    References,
    Sentence,
    Withdrawn,
)

log = logging.getLogger(__name__)

_RELATED = 20


def print_event(event: AnswerEvent, *, numbered: bool = False) -> None:
    """Print an event of an answer as it comes; references are printed at the end.

    Args:
        event: Of an answer.
        numbered: Filters in words can be removed by their numbers.
    """
    match event:
        case QuestionEvent():
            asked = event.question if event.was_rewritten else ""
            chips = [ChipResponse.from_chip(chip) for chip in event.chips]
            print_question(asked, chips, numbered=numbered)
        case Sentence():
            print_sentence(SentenceResponse.from_sentence(event))
        case Difference():
            print_difference(DifferenceResponse.from_difference(event))
        case Notice(text):
            print_message(text, "yellow")
        case Withdrawn(numbers):
            marks = "".join(f"[{n}]" for n in sorted(numbers))
            print_message(f"Withdrawn: {marks}, and what is said above from it.", "red")
        case References():
            log.info("%d passages found", len(event.citations))


def print_question(
    asked: str, chips: list[ChipResponse], *, numbered: bool = False
) -> None:
    """Print how a question was understood, if that differs from what was typed.

    Args:
        asked: The standalone question; empty if it is as typed.
        chips: Filters that were found in its words.
        numbered: Whether they can be removed by their numbers.
    """
    if asked:
        out.print(f"Asked as: {escape(asked)}", style="cyan")
    for number, (text, filters) in enumerate(group_by_words(chips).items(), 1):
        label = f"{text}: {' '.join(chip.filter for chip in filters)}"
        quoted = f'"{text}"' if '"' not in text else f"'{text}'"
        how = f"/without {number}" if numbered else f"--without {quoted}"
        how = f"remove with {how}" if filters[0].applied else "not applied"
        out.print(f"{escape(f'[{label}]')} {escape(how)}", style="cyan")


def group_by_words(chips: list[ChipResponse]) -> dict[str, list[ChipResponse]]:
    """Return filters by the words that they were found in, in order."""
    found: dict[str, list[ChipResponse]] = {}
    for chip in chips:
        found.setdefault(chip.text, []).append(chip)
    return found


def print_sentence(sentence: SentenceResponse) -> None:
    """Print one sentence of an answer with its citations."""
    marks = "".join(f"[{n}]" for n in sentence.citations)
    text = escape(f"{sentence.text} {marks}".strip())
    if sentence.supported:
        out.print(text)
    else:
        out.print(f"[dim]{text} (not supported: {escape(sentence.reason)})[/dim]")


def print_difference(found: DifferenceResponse) -> None:
    """Print two different amounts that documents give for the same quantity."""
    newer, older = (
        f"{p.text} [{p.citation}] ({p.date or 'undated'})"
        for p in (found.newer, found.older)
    )
    out.print(f"[yellow]The documents differ:[/yellow] {escape(f'{newer}, {older}')}")


def print_outcome(answer: AskResponse) -> None:
    """Print the outcome, if the question was not answered, then the references."""
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
    left_out = f"{format_count(answer.dropped, 'sentence')} not supported"
    facts = [f"Receipt {answer.receipt}" if answer.receipt else ""]
    facts.append(left_out if answer.dropped else "")
    if any(facts):
        out.print(f"\n[dim]{', '.join(filter(None, facts))}[/dim]")


def print_reference(reference: ReferenceResponse) -> None:
    """Print a reference: number, title, authors, date, id, page, link and quote."""
    head = _format_heading(reference.document)
    older = _format_newer_version(reference)
    out.print(f"[bold][{reference.number}][/bold] {head}, {reference.place}{older}")
    out.print(f"    {escape(reference.url)}", style="blue")
    quote = escape(" ".join(reference.quote.split()))
    out.print(textwrap.indent(f"“{quote}”", "    "), style="dim")


def _format_newer_version(found: ReferenceResponse | HitResponse) -> str:
    """Return which version is newer, and of which day, if any is."""
    newest = [found.superseded_by, str(found.superseded_on or "")]
    if not found.superseded_by:
        return ""
    told = escape(", ".join(filter(None, newest)))
    return f" [yellow](superseded by {told})[/yellow]"


def _format_heading(document: DocumentResponse) -> str:
    people = ", ".join(document.authors[:3])
    people += " et al." if len(document.authors) > 3 else ""
    facts = [
        people,
        str(document.date or ""),
        format_status(document.status),
        document.id,
    ]
    return escape(", ".join([document.title, *filter(None, facts)]))


def print_search(found: SearchResponse) -> None:
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
        if hit.figure:
            pages = f"{pages}, {hit.figure}"
        out.print(
            f"[bold]{hit.rank}.[/bold] {_format_heading(hit.document)}, {pages}"
            f"  [dim]{hit.score:.3f} {hit.found_by}[/dim]{_format_newer_version(hit)}"
        )
        text = escape(textwrap.shorten(hit.text, 240, placeholder=" ..."))
        out.print(textwrap.indent(text, "   "), style="dim")
        if hit.machine_description:
            said = textwrap.shorten(hit.machine_description, 240, placeholder=" ...")
            line = f"Machine description of {hit.figure}: {said}"
            out.print(textwrap.indent(escape(line), "   "), style="dim italic")
        if hit.also_in:
            others = escape(", ".join(hit.also_in))
            out.print(f"   also in {others}", style="dim")


def print_show(shown: ShownResponse) -> None:
    """Print a document: what it is, its versions, files, readers and asked pages."""
    document = shown.document
    out.print(f"[bold]{escape(document.title)}[/bold]")
    facts = {
        "id": document.id,
        "authors": ", ".join(document.authors),
        "date": str(document.date or ""),
        "status": format_status(document.status),
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
            f" {format_count(file.pages, 'page')}, readers: {escape(readers)})"
        )
    _print_related(shown)
    for page in shown.pages:
        out.rule(escape(f"{page.file}, page {page.number}: {page.heading}"))
        out.print(escape(page.text))


def _print_related(shown: ShownResponse) -> None:
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


def print_runs(found: RunsResponse) -> None:
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
