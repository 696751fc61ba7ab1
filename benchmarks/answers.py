"""Asks many questions and writes down each answer, to be read; prints what it cost.

    python -m benchmarks.answers DATA QUESTIONS --out FILE [--config SETTINGS]
        [--wording q|q_hard] [--first N] [--json OUT] [--kept FILE]

DATA is an indexed data folder; QUESTIONS is JSONL with ``q``, or ``q_hard``, and, where
known, ``type``, ``answer`` and ``gold_doc_ids``. With SETTINGS the first of its model
servers writes, without it the documents' own sentences are the answer; the snapshot is
always DATA's. FILE gets, for each question, what was said with its citations, what was
left out and why, and the outcome: a person reads it and judges.

With ``--kept`` what the model writes is kept in a file, and taken from there if the
file has it: so that a change of the checks can be seen on the same answers.

Printed: outcomes by type of question; sentences kept, and left out by reason; whether a
cited document is one that holds the answer; milliseconds to the first reference, with
the snapshot open as a server has it, p50 and p95; and what checking costs as a share of
the time that the model takes.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.retrieval import read_lines
from dunegpt.config import Settings, load_settings
from dunegpt.serve import answer as answering
from dunegpt.serve import writing
from dunegpt.serve.llm import Messages
from dunegpt.serve.models import Models
from dunegpt.serve.receipts import prompt_hash
from dunegpt.serve.verify import Verifier
from dunegpt.types import Finished, Notice, References, Sentence

PUBLIC = frozenset({"public"})


@dataclass
class Told:
    """One answer as it came."""

    question: str
    kind: str
    gold: list[str]
    right: str
    outcome: str = ""
    said: list[Sentence] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    cited: dict[int, tuple[str, str]] = field(default_factory=dict)
    first_ms: float = 0.0
    whole_s: float = 0.0
    verify_s: float = 0.0

    @property
    def kept(self) -> list[Sentence]:
        """Sentences that a passage backs."""
        return [sentence for sentence in self.said if sentence.supported]


class Timed(Verifier):
    """A verifier that adds up the time it takes."""

    seconds = 0.0

    def __init__(self, *given: Any, **named: Any) -> None:
        clock = time.perf_counter()
        super().__init__(*given, **named)
        Timed.seconds += time.perf_counter() - clock

    def verified(self, text: str) -> Sentence:
        """Return the sentence, checked."""
        clock = time.perf_counter()
        try:
            return super().verified(text)
        finally:
            Timed.seconds += time.perf_counter() - clock


class Keeping(Models):
    """Model servers whose answers are kept, by the hash of what they were told."""

    def __init__(self, settings: Settings, path: Path) -> None:
        super().__init__(settings)
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self._known: dict[str, str] = dict(json.loads(line) for line in lines)

    def stream(
        self, name: str, messages: Messages, person: str = "", **limits: Any
    ) -> Generator[str]:
        """Yield an answer that is known, or ask for it and keep it."""
        key = prompt_hash(messages)
        if key not in self._known:
            text = ""
            for piece in super().stream(name, messages, person, **limits):
                text += piece
                yield piece
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, text]) + "\n")
            return
        yield self._known[key]


def ask(
    each: dict[str, Any],
    wording: str,
    settings: Settings,
    searcher: Any,
    models: Models,
) -> Told:
    """Ask one question; return all that came."""
    told = Told(
        each[wording],
        each.get("type", ""),
        each.get("gold_doc_ids", []) + each.get("also_in", []),
        each.get("answer", ""),
    )
    Timed.seconds = 0.0
    clock = time.perf_counter()
    for event in answering.answer(
        told.question, settings, reader=PUBLIC, searcher=searcher, models=models
    ):
        match event:
            case References():
                told.first_ms = 1000 * (time.perf_counter() - clock)
            case Sentence():
                told.said.append(event)
            case Notice():
                told.notices.append(event.text)
            case Finished():
                told.outcome = event.outcome.value
                told.cited = {
                    c.number: (c.hit.document.id, c.quote)
                    for c in event.references
                    if c.cited
                }
    told.whole_s = time.perf_counter() - clock
    told.verify_s = Timed.seconds
    return told


def as_text(number: int, told: Told) -> str:
    """Return an answer as a person reads it."""
    lines = [f"## {number}. {told.question}", f"({told.kind}; {told.outcome})"]
    lines += [f"expected: {told.right}"] if told.right else []
    for sentence in told.said:
        marks = "".join(f"[{n}]" for n in sentence.citations)
        why = "" if sentence.supported else f"   <-- left out: {sentence.reason}"
        lines.append(f"- {sentence.text} {marks}{why}")
    lines += [f"! {text}" for text in told.notices]
    for number_, (document, quote) in told.cited.items():
        right = "right document" if _is_gold(document, told.gold) else "another one"
        lines.append(f"  [{number_}] {document} ({right}): {' '.join(quote.split())}")
    lines.append(f"  {told.first_ms:.0f} ms, {told.whole_s:.1f} s")
    return "\n".join(lines)


def _is_gold(document: str, gold: list[str]) -> bool:
    return any(document.endswith(each) for each in gold)


def report(answers: list[Told]) -> dict[str, Any]:
    """Print and return the figures of all answers."""
    console = Console(width=100)
    by_type: dict[str, Counter[str]] = {}
    for told in answers:
        for kind in (told.kind or "-", "all"):
            counts = by_type.setdefault(kind, Counter())
            counts[told.outcome] += 1
            cited = [_is_gold(d, told.gold) for d, _ in told.cited.values()]
            counts["cites a right document"] += any(cited)
    names = sorted({name for counts in by_type.values() for name in counts})
    table = Table("type", *names)
    for kind, counts in sorted(by_type.items()):
        table.add_row(kind, *(str(counts[name]) for name in names))
    console.print(table)
    reasons = Counter(
        re.sub(r"^.* (is not in the source)$", r"something \1", s.reason)
        .replace("the source backs it by", "backed by")
        .split(" by ")[0]
        for told in answers
        for s in told.said
        if not s.supported
    )
    kept = sum(len(told.kept) for told in answers)
    console.print(f"sentences kept {kept}, left out {reasons.total()}")
    for reason, count in reasons.most_common():
        console.print(f"  {count:4d}  {reason}")
    first = np.array([told.first_ms for told in answers])
    p50, p95 = np.percentile(first, [50, 95])
    console.print(f"first reference: {p50:.0f} / {p95:.0f} ms (p50 / p95)")
    verify, whole = (
        sum(told.verify_s for told in answers),
        sum(told.whole_s for told in answers),
    )
    share = verify / max(whole - verify, 1e-9)
    console.print(f"checking took {verify:.1f} s: {share:.1%} of all other time")
    return {
        "outcomes": {kind: dict(counts) for kind, counts in by_type.items()},
        "kept": kept,
        "left_out": dict(reasons),
        "first_reference_ms": {"p50": float(p50), "p95": float(p95)},
        "verification_s": verify,
        "whole_s": whole,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--wording", default="q", choices=["q", "q_hard"])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--kept", type=Path)
    given = parser.parse_args()
    base = load_settings(given.config) if given.config else Settings()
    settings = base.model_copy(update={"data_dir": given.data.resolve()})
    writing.Verifier = Timed  # type: ignore[attr-defined]
    asked = [json.loads(line) for line in read_lines(given.questions)]
    asked = [each for each in asked if each.get(given.wording)]
    asked = asked[: given.first or None]
    answers = []
    models = Keeping(settings, given.kept) if given.kept else Models(settings)
    searcher = answering.open_searcher(settings)
    searcher.search("warm up", PUBLIC)
    with given.out.open("w", encoding="utf-8") as out:
        for number, each in enumerate(asked, start=1):
            told = ask(each, given.wording, settings, searcher, models)
            answers.append(told)
            out.write(as_text(number, told) + "\n\n")
            out.flush()
            print(f"{number}/{len(asked)} {told.outcome} {told.whole_s:.1f} s")
    searcher.close()
    figures = report(answers)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
