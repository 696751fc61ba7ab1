"""Prints the results of operators' commands for people."""

from dunegpt.cli.console import err, escape, format_count, out, print_message
from dunegpt.schemas.operations import (
    CrawlResponse,
    DiffResponse,
    ExtractResponse,
    ForgetResponse,
    IndexRunResponse,
    LLMServerResponse,
    PersonResponse,
    ReadersResponse,
    SnapshotResponse,
    SourceResponse,
    StatusResponse,
    VerifyResponse,
)
from dunegpt.schemas.reading import BoxResponse
from dunegpt.types import Box


def print_access(rows: list[ReadersResponse]) -> None:
    """Print one line for each document and file: its readers and the evidence."""
    for row in rows:
        name = f"  {row.file}" if row.file is not None else row.id
        who = ", ".join(row.principals) or "nobody"
        out.print(escape(f"{name}: {who} ({row.evidence}, {row.observed_at})"))


def print_crawl(report: CrawlResponse) -> None:
    """Print one line about the crawl of a source, then its failures and warnings."""
    how = "would be " if report.dry_run else ""
    counts = [
        f"{report.seen} seen, {report.new} {how}new, {report.changed} {how}changed",
        f"{report.unchanged} unchanged, {report.removed} {how}removed",
        f"{report.hidden} missing (held back)" if report.hidden else "",
        f"{report.kept} withdrawn" if report.kept else "",
        f"{report.held} not opened (held back)" if report.held else "",
        f"{report.failed} failed",
    ]
    summary = ", ".join(filter(None, counts))
    stopped = ", stopped at the limit" if report.partial else ""
    files = format_count(report.fetched, "file")
    out.print(
        f"{escape(report.source)} ({report.mode}): {summary}; {files} fetched"
        f" ({report.fetched_bytes:,} bytes), {format_count(report.requests, 'request')}"
        f" in {report.seconds:.1f} s{stopped}"
    )
    for failure in report.failures:
        err.print(escape(f"  {failure.id}: {failure.message}"), style="yellow")
    for warning in report.warnings:
        err.print(escape(f"  {warning}"), style="bold yellow")
    if report.error:
        err.print(escape(f"  {report.error}"), style="bold red")
        err.print(escape(f"  {report.hint}"), style="red")


def print_forget(shape: ForgetResponse, *, prove: bool) -> None:
    """Print what was forgotten, and what was removed and is left in each place."""
    left = sum(place.left for place in shape.places)
    state = f"[bold red]{left} left[/bold red]" if left else "nothing left"
    ids = format_count(len(shape.documents), "id")
    out.print(f"{escape(shape.id)}: {ids} forgotten, {state}.")
    for place in shape.places if prove or left else ():
        out.print(f"  {place.place:<10}{place.removed:>6} removed{place.left:>6} left")


def print_person(shape: PersonResponse) -> None:
    """Print the principals of a person, and the rules that give them."""
    out.print(escape(", ".join(shape.principals)) or "none (only what is public)")
    for rule in shape.rules:
        out.print(escape(f"  {rule}"), style="dim")


def print_index(report: IndexRunResponse) -> None:
    """Print one line about the index run, its quality check, and unreadable files."""
    state = "published" if report.published else "already up to date"
    out.print(
        f"index: {format_count(report.documents, 'document')},"
        f" {format_count(report.passages, 'passage')}, {report.embedded} embedded,"
        f" {format_count(len(report.failures), 'unreadable file')};"
        f" snapshot {report.snapshot} {state} in {report.seconds:.1f} s"
    )
    if report.recall:
        recall = ", ".join(f"{value:.3f} ({of})" for of, value in report.recall.items())
        out.print(
            "search quality check passed (approximate search, recall@10 against exact"
            f" search: {recall})"
        )
    elif report.published:
        out.print("search quality check passed (exact search, recall@10 1.000)")
    for failure in report.failures:
        err.print(escape(f"  {failure.id}: {failure.message}"), style="yellow")


def print_snapshots(snapshots: list[SnapshotResponse]) -> None:
    """Print a line for each snapshot; the current one is marked."""
    for each in snapshots:
        mark = "*" if each.is_current else " "
        facts = escape(f"cannot be used: {each.error}")
        if not each.error:
            facts = (
                f"{each.created_at[:19]}  {format_count(each.documents, 'document')},"
                f" {format_count(each.passages, 'passage')},"
                f" {format_count(each.parts, 'segment')},"
                f" {each.size_bytes / 1e6:.1f} MB,"
                f" {each.own_bytes / 1e6:.1f} MB not shared"
            )
        out.print(f"{mark} {each.id}  {facts}")


def print_verification(found: VerifyResponse) -> None:
    """Print whether a snapshot is intact."""
    for error in found.errors:
        err.print(escape(f"  {error}"), style="red")
    state = format_count(len(found.errors), "error") if found.errors else "intact"
    out.print(f"snapshot {found.id}: {format_count(found.files, 'file')}, {state}")


def print_diff(found: DiffResponse) -> None:
    """Print the ids that differ: ``+`` added, ``-`` removed, ``~`` changed."""
    for mark, ids in (("+", found.added), ("-", found.removed), ("~", found.changed)):
        for each in ids:
            out.print(escape(f"{mark} {each}"))
    out.print(
        f"{len(found.added)} added, {len(found.removed)} removed,"
        f" {len(found.changed)} changed"
    )


def print_status(state: StatusResponse) -> None:
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
            f" {format_count(index.documents, 'document')},"
            f" {format_count(index.passages, 'passage')},"
            f" encoder {index.encoder}"
        )
    if state.failures:
        out.print("[bold]Failures[/bold]")
    for failure in state.failures:
        out.print(escape(f"  {failure.stage:<8}{failure.id}: {failure.message}"))


def _print_source(source: SourceResponse) -> None:
    """Print the state of a source."""
    age = f" ({source.age_h:.1f} h ago)" if source.age_h is not None else ""
    kinds = ", ".join(f"{n} {kind}" for kind, n in source.failures.items())
    errors = ", ".join(f"{n} {error}" for error, n in source.errors.items())
    withheld = ", ".join(f"{n} {kind}" for kind, n in source.withheld.items() if n)
    versions = format_count(source.versions, "version")
    lines = {
        "documents": f"{source.documents} in {versions}, {source.hidden} hidden,"
        f" {source.nobody} for nobody",
        "files": f"{source.files}, {source.fetched} fetched,"
        f" {source.bytes / 1e6:.1f} MB",
        "failures": f"{kinds} ({errors})" if kinds else "none",
        "last good run": f"{source.last_good_run or 'never'}{age}",
        "last error": source.last_error,
        "warnings": "; ".join(source.warnings),
        "unconfirmed": ", ".join(
            f"{unit} for {hours:.1f} h" for unit, hours in source.unconfirmed.items()
        ),
        "not opened": f"{source.held} held back" if source.held else "",
        "not shown to us": withheld,
        "notices": f"{source.notices} pending" if source.notices else "",
        "untested": source.untried,
    }
    out.print(f"[bold]{escape(source.name)}[/bold]")
    for name, text in lines.items():
        if text:
            out.print(f"  {name:<16}{escape(text)}")


def print_extraction(found: ExtractResponse) -> None:
    """Print the pages of one file, then what is missing from them."""
    for page in found.pages:
        place = page.label or f"page {page.number}"
        heading = f" · {escape(page.heading)}" if page.heading else ""
        out.print(f"[bold]{escape(found.name)}, {escape(place)}[/bold]{heading}")
        out.print(f"{escape(page.text)}\n")
        for figure in page.figures:
            where = _format_place(figure.box) if figure.box else "no place"
            out.print(f"[dim]{escape(figure.label)}: {where}[/dim]")
    for remark in found.remarks:
        print_message(f"{found.name}: {remark}", "yellow")
    if found.error:
        print_message(f"{found.name}: {found.error}", "red")


def print_boxes(name: str, boxes: list[Box]) -> None:
    """Print rectangles, as fractions of the page's width and height."""
    if not boxes:
        print_message(f"{name}: the quote was not found on that page.")
    for box in boxes:
        out.print(f"{escape(name)}, page {box.page}: {_format_place(box)}")


def _format_place(box: Box | BoxResponse) -> str:
    return (
        f"left {box.left:.4f} top {box.top:.4f}"
        f" right {box.right:.4f} bottom {box.bottom:.4f}"
    )


def print_llm_check(server: LLMServerResponse) -> None:
    """Print a line for each check of a model server."""
    out.print(escape(f"{server.name} ({server.model})"))
    for checked in server.checks:
        word = "[green]ok[/]" if checked.ok else "[red]failed[/]"
        out.print(f"  {checked.name:<10} {word}  {escape(checked.detail)}")
