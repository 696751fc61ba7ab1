"""The reader's commands: ask, search, show, runs; each shows what one may see."""

import logging
from contextlib import closing
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from dunegpt import config, options, output
from dunegpt.errors import UsageError
from dunegpt.schemas import (
    CitedShape,
    CitingShape,
    DocumentShape,
    FileShape,
    HitShape,
    PageShape,
    RunShape,
    RunsShape,
    SearchShape,
    ShownShape,
    ShowShape,
)
from dunegpt.telling import told
from dunegpt.types import (
    Access,
    Document,
    Notice,
    Outcome,
    Page,
)

log = logging.getLogger(__name__)


def ask(  # noqa: PLR0913, PLR0917 - its options are its arguments
    question: Annotated[str, typer.Argument(help="In words, or a document's id.")],
    folder: options.FolderOption = None,
    source: options.SourceOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    author: options.AuthorOption = "",
    kind: options.TypeOption = None,
    status: options.StatusOption = None,
    document: options.DocumentOption = None,
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="References.")] = 8,
    no_llm: Annotated[
        bool, typer.Option("--no-llm", help="Answer with the documents' sentences.")
    ] = False,
    without: options.WithoutOption = None,
    as_asked: options.AsAskedOption = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """Answer a question with cited references.

    Filters that stand in its words ("last year", "a talk by Okonjo") are shown, and can
    be taken out.

    Examples: `dunegpt ask "Why was the cathode voltage lowered?"`;
    `dunegpt ask --folder ~/papers "What is the drift velocity at 500 V/cm?"`;
    `dunegpt ask --since 2024-01-01 --author Okonjo "purge flow"`;
    `dunegpt ask 'purge flow author:okonjo after:2024 status:approved'`;
    `dunegpt ask "What was decided on purity last year?" --without "last year"`

    Exit codes: 0 answered, 1 error, 2 usage, 3 not in the documents, 4 search
    unavailable, 5 model unavailable.
    """
    from dunegpt.serve.answer import answer  # noqa: PLC0415 - start-up time

    settings, reader, notices = for_reading(folder, as_principals)
    events = answer(
        question,
        settings,
        reader=reader,
        filters=as_filters(
            source,
            since,
            until,
            author,
            kinds=kind,
            statuses=status,
            documents=document,
        ),
        k=k,
        use_model=not no_llm,
        without=without or (),
        as_asked=as_asked,
    )
    with closing(events):
        shape = told(question, chain(map(Notice, notices), events), quiet=as_json)
    options.print_json(shape) if as_json else output.print_outcome(shape)
    raise typer.Exit(options.EXIT_CODES[shape.outcome])


def search(  # noqa: PLR0913, PLR0917 - its options are its arguments
    question: Annotated[str, typer.Argument(help="Words, or a document's id.")],
    folder: options.FolderOption = None,
    source: options.SourceOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    author: options.AuthorOption = "",
    kind: options.TypeOption = None,
    status: options.StatusOption = None,
    document: options.DocumentOption = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Hits.")] = 10,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """List the passages that match best, without writing an answer.

    Filters may be typed in the question: author: source: type: status: doc: (a
    document with its parts) after: before: (2024, 2024-03 or 2024-03-31). With filters
    alone, the newest documents are listed.

    Examples: `dunegpt search "liquid level meter"`; `dunegpt search LTS-0003 -k 3`;
    `dunegpt search 'source:indico after:2024-03 author:"A. Okonjo" purity'`
    """
    from dunegpt.serve.answer import open_searcher  # noqa: PLC0415 - start-up time

    settings, reader, notices = for_reading(folder, as_principals)
    searcher = open_searcher(settings)
    filters = as_filters(
        source, since, until, author, kinds=kind, statuses=status, documents=document
    )
    found = searcher.search(question, reader, filters, k)
    day = searcher.snapshot.manifest["created_at"][:10]
    notes = list(notices)
    notes += [f"{name} is not in the index as of {day}." for name in found.unknown]
    notes += [*filter(None, [searcher.narrowing.notice]), *found.notes]
    shape = SearchShape(
        question=question,
        snapshot=searcher.snapshot.id,
        notes=notes,
        hits=[HitShape.of(hit) for hit in found.hits],
    )
    options.print_json(shape) if as_json else output.print_search(shape)
    raise typer.Exit(0 if shape.hits else options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])


def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a document.")],
    page: Annotated[int, typer.Option(min=0, help="Print this page's text.")] = 0,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """Show a document: versions, files, readers, and the text of a page.

    Examples: `dunegpt show LTS-0003`; `dunegpt show LTS-0001 --page 5`
    """
    from dunegpt.serve.answer import open_searcher  # noqa: PLC0415 - start-up time

    settings, reader, _ = for_reading(None, as_principals)
    searcher = open_searcher(settings)
    found = searcher.find(name, reader)
    if not found:
        day = searcher.snapshot.manifest["created_at"][:10]
        output.complain(f"{name} is not in the index as of {day}.")
        raise typer.Exit(options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
    shown = []
    for document, newest in found:
        pages = {
            file.key: searcher.snapshot.store.pages(document.id, file.key)
            for file in document.files
        }
        cites, cited_by = searcher.related(document.id, reader)
        shape = _shown(document, newest, pages, page)
        shape.cites = [CitedShape.of(each) for each in cites]
        shape.cited_by = [CitingShape.of(each) for each in cited_by]
        shown.append(shape)
    if as_json:
        options.print_json(ShowShape(documents=shown))
    for each in () if as_json else shown:
        output.print_show(each)
    if page and not any(each.pages for each in shown):
        output.complain(f"{name} has no page {page}.")
        raise typer.Exit(options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])


def runs(  # noqa: PLR0913, PLR0917 - its options are its arguments
    source: options.SourceOption = None,
    since: options.SinceOption = None,
    until: options.UntilOption = None,
    state: Annotated[str, typer.Option(help="Of the detector, or part of it.")] = "",
    beam: Annotated[str, typer.Option(help="on, off, or as the table says.")] = "",
    run: Annotated[int | None, typer.Option(min=0, help="Its number.")] = None,
    last: Annotated[bool, typer.Option("--last", help="Only the newest one.")] = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """List runs from the tables of logs, exactly as they stand there, oldest first.

    Examples: `dunegpt runs --beam on --last`; `dunegpt runs --run 28871`;
    `dunegpt runs --since 2026-10-01 --until 2026-10-31 --state "LArTPC running"`

    Exit code 3 if there is none that you may see.
    """
    from dunegpt.index.runs import Runs  # noqa: PLC0415 - start-up time
    from dunegpt.serve.answer import open_searcher  # noqa: PLC0415 - start-up time

    settings, reader, _ = for_reading(None, as_principals)
    with closing(open_searcher(settings)) as searcher:
        table = Runs(searcher.snapshot, searcher.narrowing, reader)
        found = table.select(
            sources=source or (),
            since=since.date() if since else None,
            until=until.date() if until else None,
            state=state,
            beam=beam,
            number=run,
        )
        shape = RunsShape(
            snapshot=searcher.snapshot.id,
            notes=list(filter(None, [searcher.narrowing.notice])),
            runs=[_run_shape(table, each) for each in (found[-1:] if last else found)],
        )
    options.print_json(shape) if as_json else output.print_runs(shape)
    raise typer.Exit(0 if shape.runs else options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])


def _run_shape(table: Any, run: Any) -> RunShape:
    document, url = table.address(run)
    return RunShape(
        source=run.source,
        run=run.number,
        start=run.start,
        stop=run.stop,
        beam=run.beam,
        state=run.state,
        comment=run.comment,
        document=document,
        page=run.page,
        url=url,
    )


def for_reading(
    folder: Path | None, principals: str
) -> tuple[config.Settings, Access, list[str]]:
    """Return settings, reader and notices; a folder is indexed first, for this call."""
    settings = options.settings()
    if folder is not None and principals:
        raise UsageError("--as means nothing with --folder: it is yours alone.")
    if folder is not None:
        from dunegpt.serve.folder import indexed_folder  # noqa: PLC0415 - start-up time

        with output.stage_bars() as show:
            return indexed_folder(folder, settings, progress=show)
    return settings, options.reader(settings, principals), []


def as_filters(
    sources: list[str] | None,
    since: datetime | None,
    until: datetime | None,
    author: str,
    **names: list[str] | None,
) -> Any:
    """Return the options of a command as filters."""
    from dunegpt.index.view import Filters  # noqa: PLC0415 - start-up time

    return Filters(
        sources=tuple(sources or ()),
        since=since.date() if since else None,
        until=until.date() if until else None,
        author=author,
        **{name: tuple(values or ()) for name, values in names.items()},
    )


def _shown(
    document: Document, newest: str, pages: dict[str, list[Page]], page: int
) -> ShownShape:
    return ShownShape(
        document=DocumentShape.of(document),
        principals=sorted(document.access),
        supersedes=document.supersedes,
        superseded_by=newest if newest != document.id else "",
        parent=document.parent,
        files=[
            FileShape(
                key=file.key,
                name=file.name,
                media_type=file.media_type,
                url=file.url,
                pages=len(pages[file.key]),
                principals=sorted(file.access),
            )
            for file in document.files
        ],
        cites=[],
        cited_by=[],
        pages=[
            PageShape(file=key, number=p.number, heading=p.heading, text=p.text)
            for key, found in pages.items()
            for p in found
            if p.number == page
        ],
    )
