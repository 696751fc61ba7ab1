"""Measures whether facts survive extraction: value, unit, sign, exponent, owner.

    python -m benchmarks.extraction_fidelity [--markitdown PYTHON] [--docling PYTHON]
        [--json OUT] [--show]

Facts are written into documents of 14 formats (`fidelity_documents`), extracted, cut
into passages, and looked up there by their owner. A fact is kept if the passage has its
value with its owner, in a table in its column, in a caption with number and page of the
figure; flattened if it stands there without its scripts, but can be read (SF6), or in a
caption that is not told apart from the text; changed if the owner is there with another
value, or a value that is hidden or struck out is there as if it held; lost if owner or
column are not there. ``10⁻⁹``, ``10^-9`` and ``10<sup>-9</sup>`` count as the same.
Compared with pdftotext, if installed, and with markitdown and docling, if PYTHON is an
interpreter that has them; docling only in the formats that it reads without models.
"""

# ruff: noqa: RUF001 - the signs are the subject

import argparse
import html
import json
import re
import shutil
import tempfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.extraction import KIND, pdftotext, run_docling, run_markitdown
from benchmarks.fidelity_documents import make_documents
from benchmarks.fidelity_facts import Fact
from dunegpt.config import ExtractSettings
from dunegpt.ingest.extract.sandbox import Sandbox
from dunegpt.ingest.split import Splitter
from dunegpt.types import Page, Passage

Outcomes = dict[tuple[str, str, str], Counter[str]]

_OUTCOMES = ("kept", "flattened", "changed", "lost")
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ"
_LOWERED = "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎"
_STRUCK = re.compile(r"\[struck out: [^\]]*\]|~~.*?~~|<del>.*?</del>")
_UNAMBIGUOUS = frozenset({"index", "isotope"})
"""Kinds whose value can be read without its scripts: SF6, 39Ar."""

_NOTE = re.compile(r"\[(?:note |\^)[^\]]*\]|\[By us\.\]")


def main() -> None:
    """Print the tables, and write all outcomes if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markitdown", metavar="PYTHON", default="")
    parser.add_argument("--docling", metavar="PYTHON", default="")
    parser.add_argument("--show", action="store_true", help="print facts not kept")
    arguments = parser.parse_args()
    outcomes, failures = measure(
        arguments.seed, arguments.markitdown, arguments.docling
    )
    print_tables(outcomes)
    for line in failures if arguments.show else ():
        print(line)
    if arguments.json:
        rows = [
            {"program": p, "format": f, "kind": k, **counts}
            for (p, f, k), counts in outcomes.items()
        ]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def measure(
    seed: int, markitdown: str = "", docling: str = ""
) -> tuple[Outcomes, list[str]]:
    """Return outcomes by program, format and kind, and our facts that are not kept."""
    outcomes: Outcomes = defaultdict(Counter)
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        documents = []
        for name, content, facts in make_documents(seed):
            path = Path(folder) / name
            path.write_bytes(content)
            documents.append((path, facts))
        paths = [path for path, _ in documents]
        texts = read_with_all(paths, markitdown, docling)
    for (program, path), passages in texts.items():
        facts = next(own for other, own in documents if other == path)
        for fact in facts:
            outcome = judge_fact(fact, passages)
            outcomes[program, path.suffix.lstrip("."), fact.kind][outcome] += 1
            if outcome != "kept" and program == "dunegpt":
                lines = lines_of([passage.text for passage in passages])
                seen = [line for line in lines if fact.owner in line]
                said = f"{path.name}, {fact.kind}: {fact.owner} is {fact.value}"
                failures.append(f"{outcome}: {said}; {seen[:2]}")
    return outcomes, failures


def read_with_all(
    paths: list[Path], markitdown: str, docling: str
) -> dict[tuple[str, Path], list[Passage]]:
    """Return the passages that each program makes of each document."""
    texts = {}
    with Sandbox(ExtractSettings()) as sandbox:
        for path in paths:
            pages = sandbox.extract(path, path.name, KIND).pages
            texts["dunegpt", path] = split(pages)
    for path in paths:
        if path.suffix == ".pdf" and shutil.which("pdftotext"):
            texts["pdftotext", path] = split([Page(1, "", pdftotext(path))])
    converted: dict[str, list[Any]] = {}
    if markitdown:
        converted["markitdown"] = run_markitdown(markitdown, paths)
    if docling:
        converted["docling"] = run_docling(docling, paths)
    for program, results in converted.items():
        for path, (text, _) in zip(paths, results, strict=True):
            if text is not None:
                texts[program, path] = split([Page(1, "", html.unescape(text))])
    return texts


def split(pages: Iterable[Page]) -> list[Passage]:
    """Return the passages of a document, as the index has them."""
    splitter = Splitter(lambda text: len(text.split()), 200, 30)
    return list(splitter.split("d", "f", list(pages)))


def judge_fact(fact: Fact, passages: list[Passage]) -> str:
    """Return what became of a fact, with its figure if it has one."""
    outcome = judge(fact, [passage.text for passage in passages])
    if not fact.label or outcome != "kept":
        return outcome
    own = [
        passage.text
        for passage in passages
        if passage.figure == fact.label and fact.page in {0, passage.first_page}
    ]
    return judge(fact, own) if judge(fact, own) == "kept" else "flattened"


def judge(fact: Fact, passages: list[str]) -> str:
    """Return what became of a fact: kept, flattened, changed or lost."""
    if fact.column:
        return judge_cell(fact, passages)
    value = normalize(fact.value)
    near = [line for line in lines_of(passages) if fact.owner in line]
    if fact.kind in {"hidden", "struck"}:
        held = any(value in normalize(_STRUCK.sub("", line)) for line in near)
        return "changed" if held else "kept"
    if not near:
        return "lost"
    found = [normalize(_NOTE.sub("", line)) for line in near]
    if any(_stands_in(value, line) for line in found):
        return "kept"
    flat = re.sub(r"[\^_]", "", value)
    is_flat = fact.kind in _UNAMBIGUOUS and any(_stands_in(flat, t) for t in found)
    return "flattened" if is_flat else "changed"


def _stands_in(value: str, line: str) -> bool:
    """Return whether a value is in a line, and not as a part of a longer number."""
    return bool(re.search(rf"(?<![\d.]){re.escape(value)}(?![\d.,^]*\d)(?!\^)", line))


def judge_cell(fact: Fact, passages: list[str]) -> str:
    """Return what became of a fact in a table: its row and column must be its own."""
    outcome, value = "lost", normalize(fact.value)
    for passage in passages:
        head = list[str]()
        for line in passage.split("\n"):
            cells = split_row(line)
            if any(cell.endswith(fact.column) for cell in cells):
                head = cells
            if not all(any(part == cell for cell in cells) for part in fact.row):
                continue
            columns = [at for at, own in enumerate(head) if own.endswith(fact.column)]
            if columns and len(cells) > columns[0]:
                if normalize(cells[columns[0]]) == value:
                    return "kept"
                outcome = "changed"
    return outcome


def split_row(line: str) -> list[str]:
    """Return the cells of a row."""
    text = line.strip()
    cells = text.strip("|").split("|") if "|" in text else re.split(r"\s{2,}|\t", text)
    return [cell.strip() for cell in cells]


def lines_of(passages: list[str]) -> list[str]:
    """Return the paragraphs of passages on one line each."""
    parts = (re.split(r"\n\s*\n|(?<=today\.)\s*", passage) for passage in passages)
    return [" ".join(part.split()) for own in parts for part in own]


def normalize(text: str) -> str:
    """Return text in which scripts, signs and spaces have one form."""
    text = re.sub(r"<sup>(.*?)</sup>", r"^{\1}", text)
    text = re.sub(r"<sub>(.*?)</sub>", r"_{\1}", text)
    text = re.sub(rf"[{_RAISED}]+", lambda m: f"^{{{fold(m[0])}}}", text)
    text = re.sub(rf"[{_LOWERED}]+", lambda m: f"_{{{fold(m[0])}}}", text)
    text = re.sub(r"([\^_])\(([^)]*)\)", r"\1{\2}", text)
    text = re.sub(r"([\^_])(-?\w+)(?!\})[\^~]?", r"\1{\2}", text)
    text = text.replace("\\times", "×").replace("\\mu", "µ").replace("\u03bc", "µ")
    text = text.replace("\\pm", "±").replace("∘", "°").translate(_ONE_FORM)
    return re.sub(r"[\s$\\{}]", "", text)


_ONE_FORM = str.maketrans({"\u2212": "-", "\u2013": "-", "*": ""})


def fold(text: str) -> str:
    """Return raised or lowered characters as those on the line."""
    return unicodedata.normalize("NFKC", text).replace("\u2212", "-")


def print_tables(outcomes: Outcomes) -> None:
    """Print kept, changed and lost by program and format, and by program and kind."""
    for position, title in ((1, "format"), (2, "kind")):
        table = Table(title, "program", "facts", *_OUTCOMES, title=f"By {title}")
        sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for key, counts in outcomes.items():
            sums[key[position], key[0]].update(counts)
            sums["all", key[0]].update(counts)
        for (name, program), counts in sorted(sums.items()):
            total = counts.total()
            kept = f"{counts['kept']} ({counts['kept'] / total:.1%})"
            values = (str(counts[outcome]) for outcome in _OUTCOMES[1:])
            table.add_row(name, program, str(total), kept, *values)
        Console(width=100).print(table)


if __name__ == "__main__":
    main()
