"""The ``dunegpt`` command: reads arguments, calls, prints.

Exit codes: 0 answered or done, 1 error, 2 usage, 3 not in the documents, 4 search
unavailable, 5 model unavailable.
"""

import logging
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.exceptions
from pydantic import BaseModel

from dunegpt import __version__, config, output
from dunegpt.errors import (
    DuneGPTError,
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
    UsageError,
)
from dunegpt.log import set_up_logging
from dunegpt.schemas import (
    AccessShape,
    AskShape,
    CrawlShape,
    DocumentShape,
    FileShape,
    HitShape,
    IndexRunShape,
    PageShape,
    ReferenceShape,
    SearchShape,
    SentenceShape,
    ShownShape,
    ShowShape,
)
from dunegpt.types import (
    Access,
    AnswerEvent,
    Document,
    Finished,
    Notice,
    Outcome,
    Page,
    References,
    Sentence,
    access_set,
)

log = logging.getLogger(__name__)

EXIT_CODES = {
    Outcome.ANSWERED: 0,
    Outcome.NOT_IN_DOCUMENTS: 3,
    Outcome.SEARCH_UNAVAILABLE: 4,
    Outcome.MODEL_UNAVAILABLE: 5,
}
_INTERRUPTED = 130
_NO_SEARCH = (IndexMissingError, IndexBrokenError, IndexMismatchError)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Answers questions from a collaboration's documents, with citations that open"
    " the right page.",
)

JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOption = Annotated[
    str,
    typer.Option("--as", metavar="PRINCIPAL,...", help="Read as these principals."),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME", help="Only this source; repeatable."),
]
SinceOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Not older than this day.")
]
UntilOption = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Not newer than this day.")
]
AuthorOption = Annotated[str, typer.Option(help="Only by this author; any part of it.")]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="Ask the files of this folder instead; they are indexed first.",
    ),
]


class _Run:
    """What stands before the command: settings file and how much to say."""

    config: Path | None = None
    debug = False


@app.callback(invoke_without_command=True)
def start(
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings; ./dunegpt.toml."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    debug: Annotated[bool, typer.Option(help="Say all; show traces.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show it, end.")] = False,
) -> None:
    """Read the options that stand before the command."""
    if version:
        output.out.print(f"dunegpt {__version__}")
        raise typer.Exit
    _Run.config, _Run.debug = config_file, debug
    set_up_logging(verbose=verbose, debug=debug)


@app.command("config")
def show_config() -> None:
    """Print a commented settings file: `dunegpt config > dunegpt.toml`."""
    sys.stdout.write(config.example())


@app.command()
def crawl(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Names of sources; all if none.")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option(help="Forget documents even if suspiciously many are gone.")
    ] = False,
    as_json: JSONOption = False,
) -> None:
    """Bring the catalog up to date with the configured sources.

    Examples: `dunegpt crawl`; `dunegpt crawl indico.fnal.gov`
    """
    from dunegpt.ingest.crawl import crawl as run  # noqa: PLC0415 - start-up time

    settings = _settings()
    names = sources or list(settings.sources)
    if not names:
        raise UsageError(
            "No sources are configured.",
            hint="Run 'dunegpt config > dunegpt.toml' and edit it.",
        )
    failed = False
    for name in names:
        with output.count_bar(name) as bar:
            report = run(
                name,
                settings,
                accept_loss=accept_loss,
                progress=lambda r, bar=bar: bar(r.seen),  # type: ignore[misc]
            )
        shape = CrawlShape(**asdict(report))
        failed |= bool(report.error)
        _print_json(shape, one_line=True) if as_json else output.print_crawl(shape)
    raise typer.Exit(1 if failed else 0)


@app.command()
def index(
    rebuild: Annotated[bool, typer.Option(help="Read and embed all again.")] = False,
    as_json: JSONOption = False,
) -> None:
    """Bring the index up to date with the catalog, and publish it."""
    from dunegpt.index.build import build  # noqa: PLC0415 - start-up time

    settings = _settings()
    with output.stage_bars() as show:
        report = build(settings, rebuild=rebuild, progress=show)
    shape = IndexRunShape(**asdict(report))
    _print_json(shape, one_line=True) if as_json else output.print_index(shape)


@app.command()
def ask(  # noqa: PLR0913, PLR0917 - its options are its arguments
    question: Annotated[str, typer.Argument(help="In words, or a document's id.")],
    folder: FolderOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    author: AuthorOption = "",
    k: Annotated[int, typer.Option("-k", min=1, max=50, help="References.")] = 8,
    no_llm: Annotated[
        bool, typer.Option("--no-llm", help="Answer with the documents' sentences.")
    ] = False,
    as_principals: AsOption = "",
    as_json: JSONOption = False,
) -> None:
    """Answer a question with cited references.

    Examples: `dunegpt ask "Why was the cathode voltage lowered?"`;
    `dunegpt ask --folder ~/papers "What is the drift velocity at 500 V/cm?"`;
    `dunegpt ask --since 2024-01-01 --author Okonjo "purge flow"`

    Exit codes: 0 answered, 1 error, 2 usage, 3 not in the documents, 4 search
    unavailable, 5 model unavailable.
    """
    from dunegpt.serve.answer import answer  # noqa: PLC0415 - start-up time

    settings, reader, notices = _for_reading(folder, as_principals)
    events = answer(
        question,
        settings,
        reader=reader,
        filters=_filters(settings, source, since, until, author),
        k=k,
        use_model=not no_llm,
    )
    events = chain(map(Notice, notices), events)
    shape = _told(question, events, quiet=as_json)
    _print_json(shape) if as_json else output.print_outcome(shape)
    raise typer.Exit(EXIT_CODES[shape.outcome])


@app.command()
def search(  # noqa: PLR0913, PLR0917 - its options are its arguments
    question: Annotated[str, typer.Argument(help="Words, or a document's id.")],
    folder: FolderOption = None,
    source: SourceOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    author: AuthorOption = "",
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Hits.")] = 10,
    as_principals: AsOption = "",
    as_json: JSONOption = False,
) -> None:
    """List the passages that match best, without writing an answer.

    Examples: `dunegpt search "liquid level meter"`; `dunegpt search LTS-0003 -k 3`
    """
    from dunegpt.serve.answer import open_searcher  # noqa: PLC0415 - start-up time

    settings, reader, notices = _for_reading(folder, as_principals)
    searcher = open_searcher(settings)
    filters = _filters(settings, source, since, until, author)
    found = searcher.search(question, reader, filters, k)
    day = searcher.snapshot.manifest["created_at"][:10]
    notes = list(notices)
    notes += [f"{name} is not in the index as of {day}." for name in found.unknown]
    notes += filter(None, [searcher.narrowing.notice])
    shape = SearchShape(
        question=question,
        snapshot=searcher.snapshot.id,
        notes=notes,
        hits=[HitShape.of(hit) for hit in found.hits],
    )
    _print_json(shape) if as_json else output.print_search(shape)
    raise typer.Exit(0 if shape.hits else EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a document.")],
    page: Annotated[int, typer.Option(min=0, help="Print this page's text.")] = 0,
    as_principals: AsOption = "",
    as_json: JSONOption = False,
) -> None:
    """Show a document: versions, files, readers, and the text of a page.

    Examples: `dunegpt show LTS-0003`; `dunegpt show LTS-0001 --page 5`
    """
    from dunegpt.serve.answer import open_searcher  # noqa: PLC0415 - start-up time

    settings, reader, _ = _for_reading(None, as_principals)
    searcher = open_searcher(settings)
    found = searcher.find(name, reader)
    if not found:
        day = searcher.snapshot.manifest["created_at"][:10]
        output.complain(f"{name} is not in the index as of {day}.")
        raise typer.Exit(EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
    shown = []
    for document, newest in found:
        pages = {
            file.key: searcher.snapshot.store.pages(document.id, file.key)
            for file in document.files
        }
        shown.append(_shown(document, newest, pages, page))
    if as_json:
        _print_json(ShowShape(documents=shown))
    for each in () if as_json else shown:
        output.print_show(each)
    if page and not any(each.pages for each in shown):
        output.complain(f"{name} has no page {page}.")
        raise typer.Exit(EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])


@app.command()
def access(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a document.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All documents.")] = False,
    as_json: JSONOption = False,
) -> None:
    """Show who may read a document and its files, and what that rests on.

    For the operator: it shows ids of everything, titles of nothing. Examples:
    `dunegpt access examples:LTS-0003:2`; `dunegpt access --all --json`
    """
    from dunegpt.index.status import access as rows_of  # noqa: PLC0415 - start-up time

    if bool(name) == every:
        raise UsageError("Name one document, or give --all.")
    rows = rows_of(_settings(), name)
    if as_json:
        _print_json(AccessShape(rows=rows))
    else:
        output.print_access(rows)
    if not rows:
        output.complain(f"{name} is not in the catalog.")
        raise typer.Exit(1)


@app.command()
def status(as_json: JSONOption = False) -> None:
    """Show sources, the index, and each failure by document."""
    from dunegpt.index.status import status as state  # noqa: PLC0415 - start-up time

    shape = state(_settings())
    _print_json(shape) if as_json else output.print_status(shape)


def main() -> None:
    """Run the command line; turn our errors into a message, a hint and a code."""
    try:
        # Without standalone mode, what comes back is the code that a command ends with.
        code = app(standalone_mode=False, prog_name="dunegpt")
        if code == _INTERRUPTED:
            output.err.print("Stopped; the next run goes on from here.")
        sys.exit(code)
    except typer.exceptions.TyperException as error:
        tell = getattr(error, "format_message", error.__str__)
        message = tell()
        output.complain(message, "bold red")
        output.complain(
            "Add --help to the command to see what it takes; put -- before a question"
            " that begins with a dash."
        )
        sys.exit(2)
    except DuneGPTError as error:
        _complain(error)
        sys.exit(_code(error))
    except Exception as error:  # the last door: a trace helps nobody but us
        if _Run.debug:
            raise
        output.complain(f"Unexpected {type(error).__name__}: {error}", "bold red")
        output.err.print("Run again with --debug before the command for a trace.")
        sys.exit(1)


def _complain(error: DuneGPTError) -> None:
    if _Run.debug:
        output.err.print_exception()
    output.complain(str(error), "bold red")
    if error.hint:
        output.complain(error.hint)


def _code(error: DuneGPTError) -> int:
    if isinstance(error, UsageError):
        return 2
    if isinstance(error, _NO_SEARCH):
        return EXIT_CODES[Outcome.SEARCH_UNAVAILABLE]
    return 1


def _settings() -> config.Settings:
    return config.load_settings(_Run.config)


def _for_reading(
    folder: Path | None, principals: str
) -> tuple[config.Settings, Access, list[str]]:
    """Return settings, reader and notices; a folder is indexed first, for this call."""
    settings = _settings()
    if folder is not None and principals:
        raise UsageError("--as means nothing with --folder: it is yours alone.")
    if folder is not None:
        from dunegpt.serve.folder import indexed_folder  # noqa: PLC0415 - start-up time

        with output.stage_bars() as show:
            return indexed_folder(folder, settings, progress=show)
    if principals:
        names = [name.strip() for name in principals.split(",") if name.strip()]
        return settings, access_set(names), []
    return settings, settings.reader(), []


def _filters(
    settings: config.Settings,
    sources: list[str] | None,
    since: datetime | None,
    until: datetime | None,
    author: str,
) -> Any:
    from dunegpt.index.view import Filters  # noqa: PLC0415 - start-up time

    unknown = sorted(set(sources or ()) - set(settings.sources))
    if unknown and settings.sources:
        known = ", ".join(settings.sources)
        raise UsageError(f"No source is called {unknown[0]!r}; there are: {known}.")
    return Filters(
        sources=tuple(sources or ()),
        since=since.date() if since else None,
        until=until.date() if until else None,
        author=author,
    )


def _told(question: str, events: Iterable[AnswerEvent], *, quiet: bool) -> AskShape:
    """Print an answer while it comes, unless quiet; return it whole."""
    said: list[SentenceShape] = []
    notices: list[str] = []
    end: Finished | None = None
    for event in events:
        match event:
            case Sentence():
                said.append(SentenceShape.of(event))
                if not quiet:
                    output.print_sentence(said[-1])
            case Notice(text):
                notices.append(text)
                if not quiet:
                    output.complain(text, "yellow")
            case Finished():
                end = event
            case References():
                log.info("%d passages found", len(event.citations))
    if end is None:
        raise RuntimeError("the answer has no end")
    return AskShape(
        question=question,
        outcome=end.outcome,
        mode=end.mode,
        answer=" ".join(
            f"{s.text} {''.join(f'[{n}]' for n in s.citations)}".strip()
            for s in said
            if s.supported
        ),
        sentences=said,
        references=[ReferenceShape.of(c) for c in end.references],
        notices=notices,
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
        pages=[
            PageShape(file=key, number=p.number, heading=p.heading, text=p.text)
            for key, found in pages.items()
            for p in found
            if p.number == page
        ],
    )


def _print_json(shape: BaseModel, *, one_line: bool = False) -> None:
    sys.stdout.write(shape.model_dump_json(indent=None if one_line else 1) + "\n")
