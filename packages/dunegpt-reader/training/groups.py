"""Reads the reader's training data as groups: one question and its candidates.

A group is what the reader has to decide on: a question, the candidates in the form in
which the program gives them, and which of them answer (none, for a near miss).

Own texts are in ``texts/*.txt``, written for this project about an imaginary detector.
Blocks are divided by an empty line. A block that starts with ``# `` is a text, with the
title there, headings as ``## ...``, and one sentence, list item or row on each further
line. The block below it holds its questions, ``3: What ...?``, where 3 is the number of
the line that answers (from 1, headings not counted), ``3,4:`` several, and ``0:`` none.
"""

import json
import lzma
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dunegpt.serve.answer.candidates import (
    Candidate,
    clean_markup,
    extract_candidates,
    format_row,
    split_cells,
)
from dunegpt.text.analyzer import tokenize
from dunegpt.types import Document, FoundBy, Hit, Passage


@dataclass(frozen=True)
class Group:
    """A question with candidates.

    Attributes:
        contexts: Title and heading of each candidate.
        sentences: The candidates.
        answers: Places of those that answer; empty for a near miss.
    """

    question: str
    contexts: tuple[str, ...]
    sentences: tuple[str, ...]
    answers: frozenset[int]

    def sample(self, count: int, rng: random.Random) -> "Group":
        """Return the group with one answer and at most ``count`` others."""
        others = [n for n in range(len(self.sentences)) if n not in self.answers]
        kept = rng.sample(others, min(count, len(others)))
        kept += rng.sample(sorted(self.answers), min(1, len(self.answers)))
        return self.pick(kept)

    def pick(self, places: list[int]) -> "Group":
        """Return the group with the candidates at some places, in that order."""
        return Group(
            self.question,
            tuple(self.contexts[n] for n in places),
            tuple(self.sentences[n] for n in places),
            frozenset(new for new, n in enumerate(places) if n in self.answers),
        )


def read_selqa(path: Path) -> list[Group]:
    """Return the groups of a SelQA file."""
    with lzma.open(path, "rt") as file:
        items = json.load(file)
    return [
        Group(
            item["question"],
            (f"{item['article']} - {item['section']}",) * len(item["candidates"]),
            tuple(item["candidates"]),
            frozenset(item["answers"]),
        )
        for item in items
    ]


def read_own_texts(folder: Path) -> Iterator[Group]:
    """Yield the groups of all own texts.

    Raises:
        ValueError: A question names a line that its text does not have.
    """
    for path in sorted(folder.glob("*.txt")):
        text: list[tuple[str, str]] = []
        for block in path.read_text("utf-8").strip().split("\n\n"):
            if block.startswith("# "):
                text = list(_read_text(block))
                continue
            for line in block.splitlines():
                places, _, question = line.partition(": ")
                answers = {int(n) - 1 for n in places.split(",") if n != "0"}
                if any(n >= len(text) for n in answers):
                    raise ValueError(f"{path.name}: {line}")
                contexts, sentences = zip(*text, strict=True)
                yield Group(question, contexts, sentences, frozenset(answers))


def _read_text(block: str) -> Iterator[tuple[str, str]]:
    """Yield context and sentence of each line of a text."""
    title, *lines = block.splitlines()
    title = heading = title.removeprefix("# ")
    header: list[str] = []
    for line in lines:
        if line.startswith("## "):
            heading = line.removeprefix("## ")
            continue
        cells = split_cells(line)
        named = header if len(header) == len(cells) else []
        shown = format_row(cells, named) if cells else clean_markup(line)
        header = (header or cells) if cells else []
        yield title if heading == title else f"{title} - {heading}", shown


def read_found(path: Path) -> Iterator[tuple[str, Group]]:
    """Yield the record and the group of each line of a file of groups."""
    for line in path.read_text("utf-8").splitlines():
        item = json.loads(line)
        yield (
            item["doc_id"],
            Group(
                item["q"],
                tuple(item["contexts"]),
                tuple(item["sentences"]),
                frozenset(item["answers"]),
            ),
        )


def read_dune_fit(path: Path, corpus: Path) -> Iterator[tuple[str, Group]]:
    """Yield the record and the group of each question of dune-fit.

    The candidates are the answering sentence, the tempting one, and those of the
    record that have most words of the question.
    """
    with lzma.open(corpus, "rt") as file:
        records = {r["id"]: r for r in map(json.loads, file)}
    for line in path.read_text("utf-8").splitlines():
        item = json.loads(line)
        record = records[item["doc_id"]]
        yield item["doc_id"], _make_group(item, _take_apart(record), record["title"])


def _make_group(
    item: dict[str, str], candidates: Sequence[Candidate], title: str
) -> Group:
    quote, tempting = (clean_markup(item[name]) for name in ("quote", "distractor"))
    asked, quoted = set(tokenize(item["q"])), set(tokenize(quote))
    others: dict[str, str] = {}
    for candidate in candidates:
        own = set(tokenize(candidate.shown))
        is_same = quoted and len(own & quoted) >= 0.5 * min(len(own), len(quoted))
        if own and not is_same:
            others[candidate.shown] = candidate.context
    near = sorted(others, key=lambda text: -len(asked & set(tokenize(text))))[:14]
    chosen = dict[str, str]()
    for text in filter(None, (quote, tempting)):
        real = [c for c in candidates if text in c.shown or c.shown in text]
        nearest = max(real, key=lambda c: min(len(c.shown), len(text)), default=None)
        chosen[text] = nearest.context if nearest else title
    texts = list(dict.fromkeys([*chosen, *near]))
    contexts = tuple(chosen.get(text) or others[text] for text in texts)
    answers = frozenset({0}) if quote else frozenset[int]()
    return Group(item["q"], contexts, tuple(texts), answers)


def _take_apart(record: dict[str, str]) -> list[Candidate]:
    passage = Passage(record["id"], "text", 1, 1, 0, 0, "", record["text"])
    document = Document(record["id"], "", "", "", record["title"], frozenset())
    hit = Hit(0, passage, document, 1.0, 1, FoundBy.FUSED)
    return list(extract_candidates(hit))
