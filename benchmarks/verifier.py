"""Measures the verifier on sentences as models write them: true ones and wrong ones.

    python -m benchmarks.verifier [EVAL/answers] --encoder FOLDER [--judge recorded]
        [--show true|KIND|passed] [--json OUT]

Without a folder only our own sets are measured: ``benchmarks/verifier_sets`` has
paraphrases and wrong sentences about imaginary experiments (of each two sets one was
looked at while the rules were written, the other was not) and hostile sentences, which
no wording should get past the rules. EVAL/answers has ``answers.jsonl.xz``: prompts,
true and flawed sentences, and what a strong model judged of each.

A *false alarm* is a true sentence that is called unsupported; a wrong sentence *passes*
if it is called supported. ``--judge recorded`` adds the recorded probabilities, as a
model server would have given them.

The sentences of an answer are verified in order, as the product does, and a lone "Yes."
with the one behind it; a wrong sentence stands behind the last two of the true ones, or
behind those that the set gives it.
"""

import argparse
import json
import lzma
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.serve.verify.verifier import Judge, Verifier
from dunegpt.types import Citation, Document, FileRef, FoundBy, Hit, Passage, Sentence

SETS = Path(__file__).with_name("verifier_sets")
OWN = ("seen", "unseen", "answers_seen", "answers_unseen", "hostile")
_BEFORE = 2
_YES_OR_NO = re.compile(r"\W*(?:yes|no)\W*", re.IGNORECASE)
_PASSAGE = re.compile(r"(?:^|\n\n)\[(\d+)\] ([^\n]*) \(([^()\n]*)\)\n")


@dataclass(frozen=True)
class Case:
    """One sentence with the passages that the model was given.

    Attributes:
        kind: ``true``, or the kind of error.
        judge: Recorded probability that the passages back the sentence, or None.
        before: The sentences that stand before it in its answer; at most two.
    """

    set: str
    question: str
    citations: tuple[Citation, ...]
    sentence: str
    kind: str
    right: str = ""
    judge: float | None = None
    before: tuple[str, ...] = ()


def make_citation(
    number: int, title: str, heading: str, text: str, identifier: str = ""
) -> Citation:
    """Return a citation of a passage made up for a measurement."""
    name = identifier or f"n:{number}"
    everyone = frozenset({"public"})
    file = FileRef("t", "t", "text/plain", "", everyone)
    document = Document(name, "n", "note", "", title, everyone, files=(file,))
    passage = Passage(name, "t", 1, 1, 0, len(text), heading, text)
    return Citation(
        number, Hit(number, passage, document, 1.0, number, FoundBy.FUSED), "", 1, ""
    )


def read_recorded(folder: Path) -> Iterator[Case]:
    """Yield the sentences of ``answers.jsonl.xz``."""
    packed = (folder / "answers.jsonl.xz").read_bytes()
    for line in lzma.decompress(packed).decode("utf-8").splitlines():
        item = json.loads(line)
        citations = tuple(_parse_prompt(item["messages"][1][1]))
        case = partial(Case, "recorded", item["question"], citations)
        true = item["answer_sentences"]
        before: tuple[str, ...] = ()
        for text, judge in _join_leads([(s["text"], s.get("judge")) for s in true]):
            yield case(text, "true", judge=judge, before=before[-_BEFORE:])
            before += (text,)
        for s in item["flawed"]:
            right, judge = s.get("right", ""), s.get("judge")
            yield case(s["sentence"], s["kind"], right, judge, before[-_BEFORE:])


def _join_leads(
    sentences: Sequence[tuple[str, float | None]],
) -> Iterator[tuple[str, float | None]]:
    """Yield sentences with what was judged of them, a lone "Yes." before the next."""
    lead = ""
    for text, judge in sentences:
        if _YES_OR_NO.fullmatch(text):
            lead = f"{text} "
        else:
            yield lead + text, judge
            lead = ""


def _parse_prompt(prompt: str) -> Iterator[Citation]:
    """Yield the numbered passages of a prompt as the product sends it."""
    passages = prompt.partition("Passages:\n\n")[2].rpartition("\n\nQuestion: ")[0]
    marks = list(_PASSAGE.finditer(passages))
    ends = [mark.start() for mark in marks[1:]] + [len(passages)]
    for mark, end in zip(marks, ends, strict=True):
        text = passages[mark.end() : end]
        name = mark[3].partition(",")[0]
        yield make_citation(int(mark[1]), mark[2], "", text, name)


def read_own(name: str) -> Iterator[Case]:
    """Yield the sentences of one of our own sets."""
    loaded = tomllib.loads((SETS / f"{name}.toml").read_text("utf-8"))
    for group in loaded["group"]:
        citations = tuple(
            make_citation(n, p["title"], p.get("heading", ""), p["text"])
            for n, p in enumerate(group["passage"], start=1)
        )
        question = group.get("question", "")
        case = partial(Case, name, question, citations)
        before: tuple[str, ...] = ()
        for text, _ in _join_leads([(text, None) for text in group.get("true", [])]):
            yield case(text, "true", before=before[-_BEFORE:])
            before += (text,)
        for kind, texts in group.get("wrong", {}).items():
            for each in texts:
                own = before if isinstance(each, str) else tuple(each[:-1])
                text = each if isinstance(each, str) else each[-1]
                yield case(text, kind, before=own[-_BEFORE:])


@dataclass(frozen=True)
class RecordedJudge:
    """Says of each sentence what was recorded."""

    probability: float
    trust: float

    def submit(self, sentence: str, cited: Sequence[Citation]) -> bool:
        """Return that there is nothing to wait for."""
        return True

    def estimate(self, sentence: str, cited: Sequence[Citation]) -> float:
        """Return what was recorded."""
        return self.probability


def verify(case: Case, encoder: Encoder | None, trust: float | None) -> Sentence:
    """Return a sentence as the product would show it.

    Args:
        case: With the recorded judgement.
        encoder: Of the index.
        trust: In the judge; None to go without.
    """
    judges: list[Judge] = []
    if trust is not None and case.judge is not None:
        judges = [RecordedJudge(case.judge, trust)]
    verifier = Verifier(case.citations, encoder, case.question, judges)
    for text in case.before:
        verifier.verify(text)
    return verifier.verify(case.sentence)


def main() -> None:
    """Verify all sets, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("answers", type=Path, nargs="?", help="EVAL/answers")
    parser.add_argument("--encoder", type=Path, help="the encoder of a snapshot")
    parser.add_argument("--judge", choices=["recorded"])
    parser.add_argument("--trust", type=float, default=0.5, help="in that judge")
    parser.add_argument("--show", help="'true', 'passed', or a kind: the misjudged")
    parser.add_argument("--sets", nargs="*", default=OWN)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    options = parser.parse_args()
    encoder = Encoder(options.encoder) if options.encoder else None
    cases = [case for name in options.sets for case in read_own(name)]
    if options.answers:
        cases += read_recorded(options.answers)
    results = []
    for case in cases:
        found = verify(case, encoder, options.trust if options.judge else None)
        results.append((case, found))
        is_wrong = case.kind != "true"
        if found.supported == is_wrong and _is_shown(case, options.show):
            cited = "" if is_wrong else f"   <- {found.reason}"
            print(f"{case.set} {case.kind}: {case.sentence}{cited}")
            if case.right:
                print(f"   right: {case.right}")
    show(results)
    if options.json:
        options.json.write_text(json.dumps(count(results), indent=1) + "\n")


def _is_shown(case: Case, wanted: str | None) -> bool:
    if case.set.endswith("unseen") or wanted is None:
        return False
    return wanted == case.kind or (wanted == "passed" and case.kind != "true")


def count(results: list[tuple[Case, Sentence]]) -> dict[str, dict[str, list[int]]]:
    """Return by set and kind how many sentences were misjudged, and how many it has."""
    misjudged: dict[str, Counter[str]] = defaultdict(Counter)
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for case, found in results:
        is_wrong = case.kind != "true"
        kinds = [case.kind, "all wrong"] if is_wrong else [case.kind]
        for kind in kinds:
            totals[case.set][kind] += 1
            misjudged[case.set][kind] += found.supported == is_wrong
    return {
        name: {kind: [misjudged[name][kind], n] for kind, n in kinds.items()}
        for name, kinds in totals.items()
    }


def show(results: list[tuple[Case, Sentence]]) -> None:
    """Print false alarms, and which wrong sentences pass, by set and kind."""
    for name, kinds in count(results).items():
        table = Table("kind", "misjudged", "of", "share", title=name)
        for kind, (misjudged, total) in sorted(kinds.items()):
            label = "true, called unsupported" if kind == "true" else kind
            table.add_row(label, str(misjudged), str(total), f"{misjudged / total:.1%}")
        Console(width=80).print(table)


if __name__ == "__main__":
    main()
