"""Asks questions of each intent without a model, and counts which are answered right.

    python -m benchmarks.intents [--part build|kept|all] [--data DIR] [--json OUT]
        [--show] [--intent NAME] [--dune DATA QUESTIONS]

The questions of intents.toml are about Heron, an imaginary detector whose documents
stand in the same file (two of them are closed to who asks), and about the example
documents. An answer is right if it holds all of what is expected and nothing of what is
not, partly right if it holds some, and refused if there is none; where nothing is
expected, only a refusal is right. Every second question of an intent belongs to the
part ``kept``, which is not looked at while the program is changed. --show prints the
answers that are not right. Prints a table by intent.

--dune: an index of DUNE's texts, as ``benchmarks/retrieval.py --data`` keeps it, and
JSONL questions with ``type`` and ``gold_quotes``: an answer is right if it holds the
numbers and names of ``answer``, partly right if it only cites a right document. Rough:
it tells changes, not quality.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.retrieval import read_lines
from dunegpt.access import PUBLIC, Access
from dunegpt.config import Settings, SourceSettings
from dunegpt.index.build import build
from dunegpt.index.search.open import open_searcher
from dunegpt.index.search.searcher import Searcher
from dunegpt.ingest.crawl import crawl
from dunegpt.ingest.items import CompleteListing, CrawlScope, Item, SourceState
from dunegpt.serve.answer.pipeline import answer
from dunegpt.serve.answer.request import AnswerRequest
from dunegpt.types import (
    AnswerEvent,
    Document,
    FileRef,
    Finished,
    Notice,
    Outcome,
    Sentence,
)

QUESTIONS = Path(__file__).with_suffix(".toml")
READER: Access = frozenset({PUBLIC})
VERDICTS = ("right", "partly", "wrong", "refused")
LARCH, HERON = "larch", "heron"


@dataclass(frozen=True, slots=True)
class Question:
    """A question with what its answer has to hold.

    Attributes:
        on: Documents that it is about.
        needed: Texts that the answer has to hold, alternatives parted by ``|``; none if
            the question has to be refused.
        forbidden: Texts that the answer must not hold.
        documents: Right documents, if known.
    """

    intent: str
    on: str
    text: str
    needed: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


@dataclass
class Answer:
    """What was said to a question."""

    said: str = ""
    notices: str = ""
    cited: list[str] = field(default_factory=list)
    refused: bool = False

    @property
    def whole(self) -> str:
        """Everything that the reader sees, in lower case and on one line."""
        text = " ".join([self.said, self.notices, *self.cited])
        return re.sub(r"\s+", " ", text).casefold()


class ListedSource:
    """Documents of intents.toml as a source."""

    requests = 0

    def __init__(self, name: str, documents: list[dict[str, Any]]) -> None:
        self.name = name
        self._documents = documents

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield every document of the source."""
        for fields in self._documents:
            access = frozenset({fields.get("access", PUBLIC)})
            file = FileRef(
                key="text",
                name="text.md",
                media_type="text/markdown",
                url=f"https://example.org/{fields['id']}",
                access=access,
                body=fields["text"].encode(),
            )
            yield Document(
                id=fields["id"],
                source=self.name,
                kind=fields["kind"],
                url=file.url,
                title=fields["title"],
                access=access,
                authors=tuple(fields["authors"]),
                date=fields["date"],
                status=fields.get("status", ""),
                files=(file,),
                supersedes=fields.get("supersedes", ""),
            )
        yield CompleteListing("", frozenset(each["id"] for each in self._documents))

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield nothing: every document comes with its text."""
        yield from ()

    def close(self) -> None:
        """Do nothing."""


def read_questions(part: str) -> list[Question]:
    """Return the questions of a part: ``build``, ``kept`` or ``all``."""
    table = tomllib.loads(QUESTIONS.read_text("utf-8"))
    found = []
    for intent, sets in table.items():
        if intent == "document":
            continue
        asked = [(on, each) for on, own in sets.items() for each in own]
        for number, (on, (text, *texts)) in enumerate(asked):
            if part in ("all", ("build", "kept")[number % 2]):
                question = Question(intent, on, text, *map(tuple, texts))
                found.append(question)
    return found


def index_heron(data: Path) -> Searcher:
    """Return a searcher on the documents of Heron."""
    table = tomllib.loads(QUESTIONS.read_text("utf-8"))
    by_source: dict[str, list[dict[str, Any]]] = {}
    for fields in table["document"]:
        by_source.setdefault(fields["id"].partition(":")[0], []).append(fields)
    settings = Settings(
        data_dir=data,
        sources={name: SourceSettings(type="listed") for name in by_source},
    )
    for name, documents in by_source.items():
        crawl(name, settings, source=ListedSource(name, documents))
    build(settings)
    return open_searcher(settings)


def index_larch(data: Path, folder: Path) -> Searcher:
    """Return a searcher on the example documents."""
    script = Path(__file__).parents[1] / "examples" / "make_documents.py"
    subprocess.run([sys.executable, script, folder], check=True, stdout=sys.stderr)
    source = SourceSettings(type="folder", path=str(folder), access=[PUBLIC])
    settings = Settings(data_dir=data, sources={"examples": source})
    crawl("examples", settings)
    build(settings)
    return open_searcher(settings)


def ask(text: str, searcher: Searcher, settings: Settings) -> Answer:
    """Return the answer to a question, made without a model."""
    request = AnswerRequest(text, settings, READER, use_model=False)
    return collect(answer(request, searcher=searcher))


def collect(events: Iterator[AnswerEvent]) -> Answer:
    """Return what the events of an answer say."""
    made = Answer()
    for event in events:
        match event:
            case Sentence(said):
                made.said += f"{said}\n"
            case Notice(said):
                made.notices += f"{said}\n"
            case Finished():
                made.refused = event.outcome is not Outcome.ANSWERED
                made.cited = [c.hit.document.id for c in event.references if c.cited]
    return made


def judge(question: Question, made: Answer) -> str:
    """Return right, partly, wrong or refused."""
    whole = made.whole
    found = [_holds(whole, each) for each in question.needed]
    is_false = any(each.casefold() in whole for each in question.forbidden)
    if is_false:
        return "wrong"
    if not question.needed:
        return "right" if made.refused or question.forbidden else "wrong"
    if all(found):
        return "right"
    if made.refused:
        return "refused"
    is_cited = any(c.endswith(d) for c in made.cited for d in question.documents)
    return "partly" if any(found) or is_cited else "wrong"


def _holds(whole: str, needed: str) -> bool:
    return any(each.casefold() in whole for each in needed.split("|"))


def read_dune(path: Path) -> list[Question]:
    """Return DUNE's questions; needed are the numbers and names of their answers."""
    found = []
    for each in map(json.loads, read_lines(path)):
        answer_text = each.get("answer") or ""
        needed = re.findall(r"\b(?:\d[\d.,]*\d|\d|[A-Z][\w-]*[A-Z\d]\w*)", answer_text)
        gold = tuple(each.get("gold_doc_ids", []) + each.get("also_in", []))
        if each["type"] == "unanswerable":
            needed, gold = [], ()
        elif not needed:
            needed = [max(answer_text.split(), key=len, default="?")]
        kind = each["type"]
        found.append(Question(kind, "dune", each["q"], tuple(needed), (), gold))
    return found


def report(
    asked: list[Question],
    searchers: dict[str, tuple[Searcher, Settings]],
    *,
    show: bool,
) -> dict[str, dict[str, int]]:
    """Ask all questions; print and return the verdicts by intent."""
    counts: dict[str, Counter[str]] = {}
    for question in asked:
        made = ask(question.text, *searchers[question.on])
        verdict = judge(question, made)
        for name in (question.intent, "all"):
            counts.setdefault(name, Counter())[verdict] += 1
        if show and verdict != "right":
            print(f"[{verdict}] {question.intent}: {question.text}")
            print(f"    expected {question.needed} and not {question.forbidden}")
            print(f"    {made.said}    ! {made.notices}    {made.cited}")
    table = Table("intent", "questions", *VERDICTS)
    for name in sorted(counts, key=lambda name: (name == "all", name)):
        own = counts[name]
        table.add_row(name, str(own.total()), *(str(own[v]) for v in VERDICTS))
    Console(width=100).print(table)
    return {name: dict(own) for name, own in counts.items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", default="build", choices=["build", "kept", "all"])
    parser.add_argument("--intent", help="only this intent")
    parser.add_argument("--data", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--dune", type=Path, nargs=2, metavar=("DATA", "QUESTIONS"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.data or Path(scratch)
        searchers: dict[str, tuple[Searcher, Settings]] = {}
        if options.dune:
            settings = Settings(data_dir=options.dune[0].resolve())
            searchers["dune"] = open_searcher(settings), settings
            asked = read_dune(options.dune[1])
        else:
            larch = index_larch(folder / LARCH, folder / "documents")
            heron = index_heron(folder / HERON)
            searchers[LARCH] = larch, Settings(data_dir=folder / LARCH)
            searchers[HERON] = heron, Settings(data_dir=folder / HERON)
            asked = read_questions(options.part)
        asked = [q for q in asked if options.intent in (None, q.intent)]
        result = report(asked, searchers, show=options.show)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
