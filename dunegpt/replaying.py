"""The commands on receipts: replay one, and list and count one's own."""

import textwrap
from typing import Annotated, Any

import typer

from dunegpt import options, output
from dunegpt.config import Settings
from dunegpt.receipt_schemas import (
    CountsShape,
    PassageChangeShape,
    ReceiptLineShape,
    ReceiptsShape,
    ReplayShape,
    SentenceChangeShape,
)
from dunegpt.types import Outcome

_CLOSED = "no longer there or not for you"
_HASH = 12
_QUESTION = 200


def replay(
    name: Annotated[str, typer.Argument(metavar="ID", help="Of a receipt.")],
    as_then: Annotated[
        bool, typer.Option("--as-then", help="Ask the snapshot of then.")
    ] = False,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """Ask the question of a receipt again, and say what has changed.

    `dunegpt ask` prints the id of its receipt at the end. The question is asked as its
    reader, whose principals you must hold; without --as-then of the current snapshot.

    Examples: `dunegpt replay 7K3QF2M9XD`; `dunegpt replay 7k3qf-2m9xd --as-then --json`

    Exit codes: 0 the same, 1 error (--as-then: that snapshot is not kept any more),
    3 there is no such receipt, or not for you, 6 it differs.
    """
    from dunegpt.serve.replay import replay as run  # noqa: PLC0415 - start-up time

    settings = options.settings()
    reader = options.reader(settings, as_principals)
    receipt = _store(settings).get(name, reader)
    if receipt is None:
        output.complain(f"There is no receipt {name} that you may see.")
        raise typer.Exit(options.EXIT_CODES[Outcome.NOT_IN_DOCUMENTS])
    shape = run(receipt, settings, as_then=as_then)
    options.print_json(shape) if as_json else print_replay(shape)
    raise typer.Exit(0 if shape.same else options.DIFFERS)


def receipts(
    last: Annotated[int, typer.Option(min=0, help="List so many.")] = 20,
    as_principals: options.AsOption = "",
    as_json: options.JSONOption = False,
) -> None:
    """List the last answers that you may see receipts of, and count over all of them.

    Counted are answers by how they ended, a model's sentences by what they failed, and
    model servers by what they did.

    Examples: `dunegpt receipts`; `dunegpt receipts --last 0 --json`
    """
    from dunegpt.serve import counting  # noqa: PLC0415 - start-up time

    settings = options.settings()
    reader = options.reader(settings, as_principals)
    lines: list[ReceiptLineShape] = []
    counts = CountsShape()
    for receipt in _store(settings).own(reader):
        counting.count(receipt, counts)
        if len(lines) < last:
            lines.append(counting.line(receipt))
    shape = ReceiptsShape(receipts=lines, counts=counts)
    options.print_json(shape) if as_json else print_receipts(shape)


def _store(settings: Settings) -> Any:
    from dunegpt.index.receipt_store import (  # noqa: PLC0415 - start-up time
        ReceiptStore,
    )

    return ReceiptStore(settings.data, settings.receipts.keep_days)


# ── for people ────────────────────────────────────────────────────────────────────────


def print_replay(shape: ReplayShape) -> None:
    """Print whether it is the same, and each thing that differs."""
    then, out = shape.then, output.out
    which = "the snapshot of then" if shape.as_then else "the current snapshot"
    out.print(output.escape(f"{then.question}"))
    out.print(f"[dim]{then.id} of {then.at:%Y-%m-%d %H:%M} UTC, asked of {which}[/dim]")
    if shape.same:
        out.print("[bold]The same.[/bold]")
    elif shape.same_answer:
        out.print("[bold]The same answer[/bold], but what it rests on differs.")
    else:
        out.print("[bold]The answer differs.[/bold]")
    for change in shape.changes:
        was, now = _short(change.what, change.then), _short(change.what, change.now)
        out.print(output.escape(f"  {change.what}: {was} -> {now}"))
    for passage in shape.passages:
        out.print(output.escape(f"  passage {_passage(passage)}"))
    for sentence in shape.sentences:
        out.print(output.escape(f"  sentence {_sentence(sentence)}"))
    for when, receipt in (("then", then), ("now", shape.now)):
        for skipped in receipt.skipped:
            out.print(output.escape(f"  skipped {when}: {skipped}"), style="yellow")


def _short(what: str, value: Any) -> str:
    if value is None or value == "":
        return "none"
    return str(value)[:_HASH] if what == "prompt_sha256" else str(value)


def _passage(change: PassageChangeShape) -> str:
    if change.change == "closed":
        return f"[{change.then}]: {_CLOSED}"
    number = change.then if change.now is None else change.now
    moved = f"from [{change.then}] to [{change.now}]"
    told = moved if change.change == "moved" else f"[{number}]"
    both = (change.score_then, change.score_now)
    scores = dict.fromkeys(f"{score:.4f}" for score in both if score is not None)
    place = f"{change.document}, {change.file}, page {change.page}"
    return f"{change.change} {told}: {place}, score {' -> '.join(scores)}"


def _sentence(change: SentenceChangeShape) -> str:
    if change.change == "withheld":
        return f"withheld: it rests on what is {_CLOSED}"
    verdicts = f"{change.then} -> {change.now}" if change.then and change.now else ""
    told = verdicts or change.then or change.now
    return f"{change.change}: “{change.text}” ({told})"


def print_receipts(shape: ReceiptsShape) -> None:
    """Print a line for each receipt, the newest first, then the counts."""
    for each in shape.receipts:
        outcome = each.outcome.value if each.outcome else each.ended.value
        model = f" by {each.model}" if each.model else ""
        facts = f"{outcome}, {each.kept} kept, {each.dropped} not supported{model}"
        short = textwrap.shorten(each.question, _QUESTION, placeholder=" ...")
        question = output.escape(short)
        output.out.print(
            f"[bold]{each.id}[/bold]  {each.at:%Y-%m-%d %H:%M}  {question}"
        )
        output.out.print(f"            {output.escape(facts)}", style="dim")
    counts = shape.counts
    told = {
        "answers": str(counts.answers),
        "ended": _listed(counts.ended),
        "outcomes": _listed(counts.outcomes),
        "modes": _listed(counts.modes),
        "sentences kept": _listed(counts.kept),
        "not supported": _listed(counts.dropped),
        "cut short": f"{counts.cut_short} searches" if counts.cut_short else "",
    }
    told |= {f"server {name}": _listed(ends) for name, ends in counts.servers.items()}
    for name, text in told.items():
        if text:
            output.out.print(output.escape(f"{name:<16}{text}"))


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
