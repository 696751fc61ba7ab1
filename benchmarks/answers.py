"""Answers a set of questions, writes the answers for review and prints statistics.

    python -m benchmarks.answers DATA QUESTIONS --out FILE [--config SETTINGS]
        [--wording q|q_hard] [--first N] [--json OUT] [--kept FILE]

DATA is an indexed data folder; QUESTIONS is JSONL with ``q`` or ``q_hard`` and, if
known, ``type``, ``answer`` and ``gold_doc_ids``. With SETTINGS, the first of its model
servers generates the answers; without it, answers are extractive. The snapshot is
always that of DATA. FILE receives the sentences of each answer with their citations,
rejected sentences with the reason, differences, and the outcome, for human review.

With ``--kept``, model output is cached in a file, so that a change of the verifier can
be measured on the same answers.

Prints scores against the known answers (`benchmarks.answer_scores`) and, for answers
without a model, what is wrong at which coverage if the least probable are refused;
outcomes by question type; sentences kept, and rejected by reason; whether a
cited document contains the answer; milliseconds to the first reference with the
snapshot already open (p50 and p95); and verification time as a share of all other time.
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

from benchmarks.answer_scores import RIGHT, count_scores, score_answer
from benchmarks.retrieval import read_lines
from dunegpt.config import Settings, load_settings
from dunegpt.index.search.open import open_searcher
from dunegpt.serve.answer import generation
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.serve.answer.trace import hash_prompt
from dunegpt.serve.llm.messages import Messages
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.receipts.recorder import answer_with_receipt
from dunegpt.serve.verify.verifier import Verifier
from dunegpt.types import Difference, Finished, Notice, References, Sentence

PUBLIC = frozenset({"public"})


@dataclass
class TimedAnswer:
    """An answer with its timings."""

    question: str
    kind: str
    gold: list[str]
    right: str
    outcome: str = ""
    said: list[Sentence] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    probability: float | None = None
    score: str = ""
    cited: dict[int, tuple[str, str]] = field(default_factory=dict)
    first_ms: float = 0.0
    whole_s: float = 0.0
    verify_s: float = 0.0

    @property
    def kept(self) -> list[Sentence]:
        """The sentences that are supported by a passage."""
        return [sentence for sentence in self.said if sentence.supported]


class TimedVerifier(Verifier):
    """A verifier that sums up its own run time."""

    seconds = 0.0

    def __init__(self, *given: Any, **named: Any) -> None:
        clock = time.perf_counter()
        super().__init__(*given, **named)
        TimedVerifier.seconds += time.perf_counter() - clock

    def verify(self, text: str) -> Sentence:
        """Return the verified sentence."""
        clock = time.perf_counter()
        try:
            return super().verify(text)
        finally:
            TimedVerifier.seconds += time.perf_counter() - clock


class CachingLLMPool(LLMPool):
    """Model servers whose output is cached by the hash of the prompt."""

    def __init__(self, settings: Settings, path: Path) -> None:
        super().__init__(settings)
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        self._known: dict[str, str] = dict(json.loads(line) for line in lines)

    def stream(
        self, name: str, messages: Messages, person: str = "", **limits: Any
    ) -> Generator[str]:
        """Yield cached output, or generate and cache it."""
        key = hash_prompt(messages)
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
    item: dict[str, Any],
    wording: str,
    settings: Settings,
    searcher: Any,
    models: LLMPool,
) -> TimedAnswer:
    """Answer one question; return the answer with its timings."""
    answer = TimedAnswer(
        item[wording],
        item.get("type", ""),
        item.get("gold_doc_ids", []) + item.get("also_in", []),
        item.get("answer", ""),
    )
    TimedVerifier.seconds = 0.0
    clock = time.perf_counter()
    request = AnswerRequest(answer.question, settings, PUBLIC)
    for event in answer_with_receipt(request, searcher=searcher, models=models):
        match event:
            case References():
                answer.first_ms = 1000 * (time.perf_counter() - clock)
            case Sentence():
                answer.said.append(event)
            case Notice():
                answer.notices.append(event.text)
            case Difference():
                answer.differences.append(event)
            case Finished():
                answer.outcome = event.outcome.value
                answer.probability = event.probability
                answer.cited = {
                    c.number: (c.hit.document.id, c.quote)
                    for c in event.references
                    if c.cited
                }
    answer.whole_s = time.perf_counter() - clock
    answer.verify_s = TimedVerifier.seconds
    shown = [sentence.text for sentence in answer.kept]
    answer.score = score_answer(item | {"q": answer.question}, shown, answer.outcome)
    return answer


def as_text(number: int, answer: TimedAnswer) -> str:
    """Return an answer as text for review."""
    facts = f"{answer.kind}; {answer.outcome}; {answer.score}; {answer.probability}"
    lines = [f"## {number}. {answer.question}", f"({facts})"]
    lines += [f"expected: {answer.right}"] if answer.right else []
    for sentence in answer.said:
        marks = "".join(f"[{n}]" for n in sentence.citations)
        why = "" if sentence.supported else f"   <-- left out: {sentence.reason}"
        lines.append(f"- {sentence.text} {marks}{why}")
    lines += [f"! {text}" for text in answer.notices]
    lines += [
        f"≠ {d.newer.text} [{d.newer.citation}], {d.older.text} [{d.older.citation}]"
        for d in answer.differences
    ]
    for number_, (document, quote) in answer.cited.items():
        right = "right document" if _is_gold(document, answer.gold) else "another one"
        lines.append(f"  [{number_}] {document} ({right}): {' '.join(quote.split())}")
    lines.append(f"  {answer.first_ms:.0f} ms, {answer.whole_s:.1f} s")
    return "\n".join(lines)


def _is_gold(document: str, gold: list[str]) -> bool:
    return any(document.endswith(each) for each in gold)


def report(answers: list[TimedAnswer]) -> dict[str, Any]:
    """Print and return the statistics of all answers."""
    console = Console(width=100)
    by_type: dict[str, Counter[str]] = {}
    for answer in answers:
        for kind in (answer.kind or "-", "all"):
            counts = by_type.setdefault(kind, Counter())
            counts[answer.outcome] += 1
            cited = [_is_gold(d, answer.gold) for d, _ in answer.cited.values()]
            counts["cites a right document"] += any(cited)
    names = sorted({name for counts in by_type.values() for name in counts})
    table = Table("type", *names)
    for kind, counts in sorted(by_type.items()):
        table.add_row(kind, *(str(counts[name]) for name in names))
    console.print(table)
    scores = {
        kind: count_scores(a.score for a in answers if kind in (a.kind, "all"))
        for kind in sorted({answer.kind for answer in answers} | {"all"})
    }
    for kind, told in scores.items():
        console.print(
            f"{kind}:", ", ".join(f"{n} {share}" for n, share in told.items())
        )
    risks = measure_risk(answers)
    console.print("wrong or partly right, by coverage:", risks)
    reasons = Counter(
        re.sub(r"^.* (is not in the source)$", r"something \1", s.reason)
        .replace("the source backs it by", "backed by")
        .split(" by ")[0]
        for answer in answers
        for s in answer.said
        if not s.supported
    )
    kept = sum(len(answer.kept) for answer in answers)
    console.print(f"sentences kept {kept}, left out {reasons.total()}")
    for reason, count in reasons.most_common():
        console.print(f"  {count:4d}  {reason}")
    first = np.array([answer.first_ms for answer in answers])
    p50, p95 = np.percentile(first, [50, 95])
    console.print(f"first reference: {p50:.0f} / {p95:.0f} ms (p50 / p95)")
    verify, total = (
        sum(answer.verify_s for answer in answers),
        sum(answer.whole_s for answer in answers),
    )
    share = verify / max(total - verify, 1e-9)
    console.print(f"checking took {verify:.1f} s: {share:.1%} of all other time")
    return {
        "scores": scores,
        "risk_by_coverage": risks,
        "differences": sum(len(answer.differences) for answer in answers),
        "outcomes": {kind: dict(counts) for kind, counts in by_type.items()},
        "kept": kept,
        "left_out": dict(reasons),
        "first_reference_ms": {"p50": float(p50), "p95": float(p95)},
        "verification_s": verify,
        "whole_s": total,
    }


def measure_risk(answers: list[TimedAnswer]) -> dict[str, float]:
    """Return the share of answers that are not right, at several coverages.

    At a coverage of 80 %, the least probable fifth of all questions is refused. What
    was refused anyway comes last, and is not right if it was answerable.
    """
    judged = [answer for answer in answers if answer.probability is not None]
    judged.sort(key=lambda answer: -(answer.probability or 0.0))
    risks = {}
    for coverage in (20, 40, 60, 80, 100):
        first = judged[: round(len(judged) * coverage / 100)]
        wrong = sum(answer.score != RIGHT for answer in first)
        risks[f"{coverage} %"] = round(wrong / max(len(first), 1), 3)
    return risks


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
    options = parser.parse_args()
    base = load_settings(options.config) if options.config else Settings()
    settings = base.model_copy(update={"data_dir": options.data.resolve()})
    generation.Verifier = TimedVerifier  # type: ignore[attr-defined]
    asked = [json.loads(line) for line in read_lines(options.questions)]
    asked = [each for each in asked if each.get(options.wording)]
    asked = asked[: options.first or None]
    answers = []
    models = (
        CachingLLMPool(settings, options.kept) if options.kept else LLMPool(settings)
    )
    searcher = open_searcher(settings)
    searcher.as_reader(PUBLIC).search("warm up")
    with options.out.open("w", encoding="utf-8") as out:
        for number, each in enumerate(asked, start=1):
            answer = ask(each, options.wording, settings, searcher, models)
            answers.append(answer)
            out.write(as_text(number, answer) + "\n\n")
            out.flush()
            print(f"{number}/{len(asked)} {answer.outcome} {answer.whole_s:.1f} s")
    searcher.close()
    figures = report(answers)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
