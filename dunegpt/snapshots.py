"""The operator's commands on snapshots: list, verify, publish, rollback, and more."""

from typing import Annotated

import typer

from dunegpt import options, output
from dunegpt.operating_schemas import SnapshotsShape

app = typer.Typer(
    no_args_is_help=True,
    help="Look after the snapshots of the index: what a server searches.",
)

NameArgument = Annotated[
    str, typer.Argument(metavar="[ID]", help="Of a snapshot, or its beginning.")
]


@app.command("list")
def show(as_json: options.JSONOption = False) -> None:
    """List the snapshots, newest first; * marks the one that is searched.

    "its own" is what removing it would free: others share the rest.
    Example: `dunegpt snapshot list --json`
    """
    from dunegpt.index import snapshots  # noqa: PLC0415 - start-up time

    found = snapshots.every(options.settings())
    if as_json:
        options.print_json(SnapshotsShape(snapshots=found))
    else:
        output.print_snapshots(found)


@app.command()
def verify(name: NameArgument = "current", as_json: options.JSONOption = False) -> None:
    """Hash every file of a snapshot, recompute its content id; exit 1 if it differs.

    Examples: `dunegpt snapshot verify`; `dunegpt snapshot verify 91c2`
    """
    from dunegpt.index import snapshots  # noqa: PLC0415 - start-up time

    with output.stage_bars() as bars:
        found = snapshots.verify(
            options.settings(), name, lambda done, of: bars("verify", done, of)
        )
    options.print_json(found) if as_json else output.print_verified(found)
    raise typer.Exit(1 if found.errors else 0)


@app.command()
def publish(name: NameArgument) -> None:
    """Make a snapshot the one that is searched; it is opened first.

    Access is as of now, not as of then: the overlay holds for every snapshot.
    Example: `dunegpt snapshot publish 91c2`
    """
    from dunegpt.index import snapshots  # noqa: PLC0415 - start-up time

    done = snapshots.publish(options.settings(), name)
    output.out.print(f"snapshot {done} is the current one")


@app.command()
def rollback() -> None:
    """Go back to the snapshot before the current one.

    The next `dunegpt index` publishes the catalog as it is again.
    Example: `dunegpt snapshot rollback`
    """
    from dunegpt.index import snapshots  # noqa: PLC0415 - start-up time

    done = snapshots.rollback(options.settings())
    output.out.print(f"snapshot {done} is the current one")


@app.command()
def collect(
    keep: Annotated[
        int, typer.Option(min=0, help="So many; default: [index] keep_snapshots.")
    ] = 0,
) -> None:
    """Remove all but the newest snapshots; the current one always stays.

    Example: `dunegpt snapshot collect --keep 2`
    """
    from dunegpt.index import snapshots  # noqa: PLC0415 - start-up time

    settings = options.settings()
    gone = snapshots.collect(settings, keep or settings.index.keep_snapshots)
    output.out.print(f"{len(gone)} removed" + "".join(f"\n  {each}" for each in gone))


@app.command()
def diff(
    old: NameArgument,
    new: NameArgument = "current",
    as_json: options.JSONOption = False,
) -> None:
    """List the ids of the documents that differ between two snapshots.

    Example: `dunegpt snapshot diff 91c2 current`
    """
    from dunegpt.index import snapshots  # noqa: PLC0415 - start-up time

    found = snapshots.diff(options.settings(), old, new)
    options.print_json(found) if as_json else output.print_diff(found)


@app.command()
def push(
    host: Annotated[
        str, typer.Argument(metavar="HOST:FOLDER", help="Data folder of the server.")
    ],
    name: NameArgument = "current",
) -> None:
    """Copy a snapshot and the record of access to a server, and publish it there.

    rsync sends only what is not there yet. A push that is broken off changes nothing
    for the readers there; run it again. After each crawl push too: a server without a
    fresh record of access shows only what is public.

    Example: `dunegpt snapshot push gpt.example.org:/srv/dunegpt-data`
    """
    from dunegpt.index import snapshots  # noqa: PLC0415 - start-up time

    done = snapshots.push(options.settings(), host, name)
    output.out.print(f"snapshot {done} is the current one on {output.escape(host)}")
