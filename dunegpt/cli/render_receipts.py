"""Prints receipts and replays for people."""

import textwrap
from typing import Any

from dunegpt.cli.console import escape, out
from dunegpt.schemas.receipts import (
    PassageChangeResponse,
    ReceiptsResponse,
    ReplayResponse,
    SentenceChangeResponse,
)

_CLOSED = "no longer there or not for you"


_HASH_LENGTH = 12


_QUESTION_LENGTH = 200


def print_replay(shape: ReplayResponse) -> None:
    """Print whether it is the same, and each thing that differs."""
    then = shape.then
    which = "the snapshot of then" if shape.as_then else "the current snapshot"
    out.print(escape(f"{then.question}"))
    out.print(f"[dim]{then.id} of {then.at:%Y-%m-%d %H:%M} UTC, asked of {which}[/dim]")
    if shape.same:
        out.print("[bold]The same.[/bold]")
    elif shape.same_answer:
        out.print("[bold]The same answer[/bold], but what it rests on differs.")
    else:
        out.print("[bold]The answer differs.[/bold]")
    for change in shape.changes:
        was, now = _shorten(change.what, change.then), _shorten(change.what, change.now)
        out.print(escape(f"  {change.what}: {was} -> {now}"))
    for passage in shape.passages:
        out.print(escape(f"  passage {_format_passage_change(passage)}"))
    for sentence in shape.sentences:
        out.print(escape(f"  sentence {_format_sentence_change(sentence)}"))
    for when, receipt in (("then", then), ("now", shape.now)):
        for skipped in receipt.skipped:
            out.print(escape(f"  skipped {when}: {skipped}"), style="yellow")


def _shorten(what: str, value: Any) -> str:
    if value is None or value == "":
        return "none"
    return str(value)[:_HASH_LENGTH] if what == "prompt_sha256" else str(value)


def _format_passage_change(change: PassageChangeResponse) -> str:
    if change.change == "closed":
        return f"[{change.then}]: {_CLOSED}"
    number = change.then if change.now is None else change.now
    moved = f"from [{change.then}] to [{change.now}]"
    told = moved if change.change == "moved" else f"[{number}]"
    both = (change.score_then, change.score_now)
    scores = dict.fromkeys(f"{score:.4f}" for score in both if score is not None)
    place = f"{change.document}, {change.file}, page {change.page}"
    return f"{change.change} {told}: {place}, score {' -> '.join(scores)}"


def _format_sentence_change(change: SentenceChangeResponse) -> str:
    if change.change == "withheld":
        return f"withheld: it rests on what is {_CLOSED}"
    verdicts = f"{change.then} -> {change.now}" if change.then and change.now else ""
    told = verdicts or change.then or change.now
    return f"{change.change}: “{change.text}” ({told})"


def print_receipts(shape: ReceiptsResponse) -> None:
    """Print a line for each receipt, the newest first, then the counts."""
    for each in shape.receipts:
        outcome = each.outcome.value if each.outcome else each.ended.value
        model = f" by {each.model}" if each.model else ""
        facts = f"{outcome}, {each.kept} kept, {each.dropped} not supported{model}"
        short = textwrap.shorten(each.question, _QUESTION_LENGTH, placeholder=" ...")
        question = escape(short)
        out.print(f"[bold]{each.id}[/bold]  {each.at:%Y-%m-%d %H:%M}  {question}")
        out.print(f"            {escape(facts)}", style="dim")
    counts = shape.counts
    told = {
        "answers": str(counts.answers),
        "ended": _format_counts(counts.ended),
        "outcomes": _format_counts(counts.outcomes),
        "modes": _format_counts(counts.modes),
        "sentences kept": _format_counts(counts.kept),
        "not supported": _format_counts(counts.dropped),
        "cut short": f"{counts.cut_short} searches" if counts.cut_short else "",
    }
    told |= {
        f"server {name}": _format_counts(ends) for name, ends in counts.servers.items()
    }
    for name, text in told.items():
        if text:
            out.print(escape(f"{name:<16}{text}"))


def _format_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
