"""The commands ``snapshot list``, ``verify``, ``publish``, ``rollback`` and more."""

from typing import Annotated

import typer

from dunegpt.cli import console, options, render_operations
from dunegpt.schemas.operations import SnapshotsResponse

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Manage the snapshots of the index: what a server searches.",
)

NameArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a snapshot, or its beginning.")
]


@app.command("list")
def list_snapshots(as_json: options.JSONOption = False) -> None:
    """List the snapshots, newest first; * marks the one that is searched.

    "not shared" is what removing a snapshot would free.

    Example: `dunegpt snapshot list --json`
    """
    from dunegpt.index import manage  # noqa: PLC0415 - start-up time

    found = manage.list_snapshots(options.get_settings())
    if as_json:
        options.print_json(SnapshotsResponse(snapshots=found))
    else:
        render_operations.print_snapshots(found)
        if not found:
            console.print_message("There are no snapshots yet: run 'dunegpt index'.")


@app.command()
def verify(name: NameArgument = "current", as_json: options.JSONOption = False) -> None:
    """Check a snapshot: the hash of every file, and the content id.

    Exit code 1 if anything differs.

    Examples: `dunegpt snapshot verify`; `dunegpt snapshot verify 91c2`
    """
    from dunegpt.index import manage  # noqa: PLC0415 - start-up time

    with console.show_stages() as bars:
        found = manage.verify(
            options.get_settings(), name, lambda done, of: bars("verify", done, of)
        )
    options.print_json(found) if as_json else render_operations.print_verification(
        found
    )
    raise typer.Exit(1 if found.errors else 0)


@app.command()
def publish(name: NameArgument) -> None:
    """Make a snapshot the current one, which is searched; it is opened first.

    Who may read what is as of now, not as of when the snapshot was made.

    Example: `dunegpt snapshot publish 91c2`
    """
    from dunegpt.index import manage  # noqa: PLC0415 - start-up time

    published = manage.publish(options.get_settings(), name)
    console.out.print(f"snapshot {published} is the current one")


@app.command()
def rollback() -> None:
    """Go back to the snapshot before the current one.

    The next `dunegpt index` publishes the present catalog again.

    Example: `dunegpt snapshot rollback`
    """
    from dunegpt.index import manage  # noqa: PLC0415 - start-up time

    published = manage.rollback(options.get_settings())
    console.out.print(f"snapshot {published} is the current one")


@app.command()
def collect(
    keep: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            show_default=False,
            help="How many to keep; default: `keep_snapshots` of the settings.",
        ),
    ] = 0,
) -> None:
    """Remove all but the newest snapshots; the current one always stays.

    Example: `dunegpt snapshot collect --keep 2`
    """
    from dunegpt.index import manage  # noqa: PLC0415 - start-up time

    settings = options.get_settings()
    removed = manage.remove_old(settings, keep or settings.index.keep_snapshots)
    console.out.print(
        f"{len(removed)} removed" + "".join(f"\n  {each}" for each in removed)
    )


@app.command()
def diff(
    old: NameArgument,
    new: NameArgument = "current",
    as_json: options.JSONOption = False,
) -> None:
    """List the ids of the documents that differ between two snapshots.

    Example: `dunegpt snapshot diff 91c2 current`
    """
    from dunegpt.index import manage  # noqa: PLC0415 - start-up time

    found = manage.diff(options.get_settings(), old, new)
    options.print_json(found) if as_json else render_operations.print_diff(found)


@app.command()
def push(
    host: Annotated[
        str, typer.Argument(metavar="HOST:FOLDER", help="Data folder of the server.")
    ],
    name: NameArgument = "current",
) -> None:
    """Copy a snapshot and the record of access to a server, and publish it there.

    rsync sends only what is missing there. A push that is interrupted changes nothing
    for the readers there; run it again. Push after each crawl, too: a server without a
    fresh record of access shows public documents only.

    Example: `dunegpt snapshot push gpt.example.org:/srv/dunegpt-data`
    """
    from dunegpt.index import manage  # noqa: PLC0415 - start-up time

    published = manage.push(options.get_settings(), host, name)
    console.out.print(
        f"snapshot {published} is the current one on {console.escape(host)}"
    )
