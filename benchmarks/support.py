"""Measures the verifier: missed errors in corrupted sentences, and false alarms.

    python -m benchmarks.support EVAL --encoder FOLDER [--json OUT]

EVAL contains ``support-expertqa``, ``support-scifact``, ``scifact`` and ``dune``;
FOLDER is the encoder of a snapshot. True sentences with their passages are claims that
experts rated completely supported, claims that an abstract supports, and sentences of
DUNE texts that answer a question. Each is corrupted in one way at a time: a number (to
one not in the passage), a unit, a negation added or removed, a name (to one of another
sentence), or the passage (to another one of the same set, or of the same question). An
*escape* is a corrupted sentence that the verifier accepts; a *false alarm* is a true
sentence that it rejects. Natural errors are claims that an abstract contradicts or does
not mention.
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.retrieval import read_lines
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.serve.verify.verifier import Verifier
from dunegpt.text import quantities
from dunegpt.text.literals import find_missing_names
from dunegpt.types import Citation, Document, FileRef, FoundBy, Hit, Passage

_MARKS = re.compile(r"\s*\[\d+\]")
_UNITS = {
    "kV": "V", "V": "kV", "mm": "cm", "cm": "m", "m": "km", "ms": "s", "s": "ms",
    "kg": "g", "g": "kg", "mg": "g", "%": "ppm", "K": "kV", "kt": "t", "t": "kt",
    "MHz": "kHz", "Hz": "MHz", "years": "months", "days": "weeks", "hours": "days",
    "months": "years", "weeks": "days", "minutes": "hours", "year": "month",
}  # fmt: skip
_VERB = re.compile(r"\b(is|are|was|were|can|will|should|has|have|does|do|may|could)\b")
_NO = re.compile(r"\b(is|are|was|were|can|will|should|does|do|may|could) not\b|\bno\b")


@dataclass(frozen=True)
class Case:
    """A sentence with its cited passage, data set and question (group)."""

    set: str
    group: str
    sentence: str
    source: str


def expertqa(folder: Path) -> Iterator[Case]:
    """Yield claims that experts rated completely supported by their evidence."""
    for n, line in enumerate(read_lines(next(folder.glob("items*")))):
        for claim in json.loads(line)["claims"]:
            if claim["support"] == "Complete" and claim["evidence"]:
                texts = [e.partition("\n\n")[2] for e in claim["evidence"]]
                plain = _MARKS.sub("", claim["claim"]).strip()
                if all(len(text) >= 200 for text in texts):  # more than a URL
                    yield Case("expertqa", str(n), plain, "\n".join(texts))


def scifact(folder: Path, corpus: Path) -> Iterator[tuple[str, Case]]:
    """Yield the label of each claim, and the claim with its abstract."""
    abstracts = {}
    for line in read_lines(next(corpus.glob("corpus*"))):
        fields = json.loads(line)
        abstracts[str(fields["id"])] = f"{fields['title']}\n{fields['text']}"
    for n, line in enumerate(read_lines(next(folder.glob("items*")))):
        item = json.loads(line)
        cited = item["evidence"][:1] or [{"doc_id": item["cited_doc_ids"][0]}]
        abstract = abstracts.get(str(cited[0]["doc_id"]))
        if abstract:
            yield item["label"], Case("scifact", str(n), item["claim"], abstract)


def dune(folder: Path) -> Iterator[Case]:
    """Yield sentences that answer a question, with 1,500 characters of context."""
    texts = {}
    for line in read_lines(next(folder.glob("corpus*"))):
        fields = json.loads(line)
        texts[fields["id"]] = re.sub(r"\s+", " ", fields["text"])
    for line in read_lines(folder / "questions.jsonl"):
        item = json.loads(line)
        for gold in item["gold_quotes"]:
            quote = re.sub(r"\s+", " ", gold["quote"])
            place = texts[gold["doc_id"]].find(quote)
            if place >= 0:
                around = texts[gold["doc_id"]][max(0, place - 700) : place + 800]
                yield Case("dune", item["id"], quote[:400], around)


def checked(case: Case, verifier: Verifier) -> str:
    """Return why the verifier rejects a sentence; empty if it accepts it."""
    return verifier.judge(case.sentence, [1]).reason


def verifier_of(source: str, encoder: Encoder) -> Verifier:
    """Return a verifier for sentences that cite one passage."""
    document = Document("n:1", "n", "note", "", "", frozenset({"public"}))
    file = FileRef("t", "t", "text/plain", "", frozenset({"public"}))
    passage = Passage("n:1", "t", 1, 1, 0, len(source), "", source)
    hit = Hit(0, passage, replace(document, files=(file,)), 1.0, 1, FoundBy.FUSED)
    return Verifier([Citation(1, hit, "", 1, "")], encoder)


def corrupted(cases: list[Case]) -> Iterator[tuple[str, Case]]:
    """Yield the kind of corruption and the corrupted case."""
    rng = random.Random(0)
    names = sorted({n for c in cases for n in find_missing_names(c.sentence, "")})
    groups = defaultdict(list)
    for case in cases:
        groups[case.set, case.group].append(case)
    for case in cases:
        yield from _numbers(case)
        yield from _negations(case)
        for name in list(find_missing_names(case.sentence, ""))[:2]:
            other = rng.choice(names)
            if other.lower() not in case.source.lower():
                changed = case.sentence.replace(name, other, 1)
                yield "name", replace(case, sentence=changed)
        others = [c for c in cases if c.set == case.set and c.group != case.group]
        yield (
            "passage of another question",
            replace(case, source=rng.choice(others).source),
        )
        same = {c.source for c in groups[case.set, case.group]} - {case.source}
        if same:
            other = rng.choice(sorted(same))
            yield "passage of the same question", replace(case, source=other)


def _numbers(case: Case) -> Iterator[tuple[str, Case]]:
    source_values = {q.value for q in quantities.find_quantities(case.source)}
    sentence_values = {abs(q.value) for q in quantities.find_quantities(case.sentence)}
    for match in re.finditer(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.]*\d)", case.sentence):
        if float(match[0]) not in sentence_values:
            continue  # a list marker
        for factor in (1.1, 2, 10):
            value = float(match[0]) * factor + (factor == 1.1)
            text = f"{value:g}" if "." in match[0] else str(round(value))
            if not any(abs(float(text) - h) <= 0.06 * abs(h) for h in source_values):
                yield "number", _with(case, match.span(), text)
                break
    for quantity in quantities.find_quantities(case.sentence):
        other = _UNITS.get(quantity.unit)
        if other and not re.search(rf"\d\s?{re.escape(other)}\b", case.source):
            old = quantity.text
            new = old[: -len(quantity.unit)] + other
            if old.endswith(quantity.unit):
                yield "unit", replace(case, sentence=case.sentence.replace(old, new, 1))


def _negations(case: Case) -> Iterator[tuple[str, Case]]:
    if no := _NO.search(case.sentence):
        yield "no to yes", _with(case, no.span(), no[1] or "some")
    elif verb := _VERB.search(case.sentence):
        yield "yes to no", _with(case, verb.span(), f"{verb[1]} not")


def _with(case: Case, span: tuple[int, int], text: str) -> Case:
    changed = case.sentence[: span[0]] + text + case.sentence[span[1] :]
    return replace(case, sentence=changed)


def kind_of(reason: str, case: Case) -> str:
    """Return the category of a reason for rejection."""
    if "is not in the source" in reason:
        item = reason.removesuffix(" is not in the source")
        missing = quantities.find_missing(case.sentence, case.source)
        if item not in missing:
            return "name or code"
        figure = re.search(r"\d[\d.,]*", item)
        in_source = figure and re.search(
            rf"(?<![\d.,]){re.escape(figure[0].strip('.,'))}(?![\d])", case.source
        )
        return "number that stands there" if in_source else "number that does not"
    return "denied" if "says no" in reason else "support"


def main() -> None:
    """Verify true and corrupted sentences, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("eval", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    parser.add_argument("--show", help="print the escapes of this kind, or 'alarms'")
    options = parser.parse_args()
    encoder = Encoder(options.encoder)

    @cache
    def on(source: str) -> Verifier:
        return verifier_of(source, encoder)

    labelled = list(scifact(options.eval / "support-scifact", options.eval / "scifact"))
    true = [
        *expertqa(options.eval / "support-expertqa"),
        *(case for label, case in labelled if label == "SUPPORT"),
        *dune(options.eval / "dune"),
    ]
    alarms: dict[str, Counter[str]] = defaultdict(Counter)
    passing = []
    for case in true:
        reason = checked(case, on(case.source))
        alarms[case.set]["cases"] += 1
        if reason:
            alarms[case.set][kind_of(reason, case)] += 1
            if options.show == "alarms":
                print(f"{reason}\n  {case.sentence}\n  {case.source[:600]!r}")
        else:
            passing.append(case)
    caught: dict[str, Counter[str]] = defaultdict(Counter)
    natural = [
        (f"scifact: {label}", case) for label, case in labelled if label != "SUPPORT"
    ]
    for kind, case in [*corrupted(passing), *natural]:
        reason = checked(case, on(case.source))
        caught[kind]["cases"] += 1
        caught[kind]["caught" if reason else "escaped"] += 1
        if not reason and options.show == kind:
            print(f"{case.sentence}\n  {case.source[:600]!r}")
    show(alarms, caught)
    if options.json:
        figures = {"false_alarms": alarms, "corrupted": caught}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def show(alarms: dict[str, Counter[str]], caught: dict[str, Counter[str]]) -> None:
    """Print false alarms by reason, and escapes by kind."""
    numbers = ("number that does not", "number that stands there")
    reasons = (*numbers, "name or code", "denied", "support")
    table = Table("true sentences", "cases", *reasons, title="False alarms")
    for name, counts in alarms.items():
        shares = [f"{counts[r]} ({counts[r] / counts['cases']:.1%})" for r in reasons]
        table.add_row(name, str(counts["cases"]), *shares)
    Console(width=100).print(table)
    table = Table("corrupted", "cases", "escaped", "caught", title="Escapes")
    for name, counts in caught.items():
        share = f"{counts['caught'] / counts['cases']:.1%}"
        table.add_row(name, str(counts["cases"]), str(counts["escaped"]), share)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
