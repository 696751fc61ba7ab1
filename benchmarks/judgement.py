"""Fits the judgement of sentences and answers, and prints how well it does.

    python -m benchmarks.judgement --prepare EVAL SETS
    python -m benchmarks.judgement --set DATA QUESTIONS [--set DATA QUESTIONS ...]
        [--reader FOLDER] [--cache FILE] [--write | --groups FILE]

DATA is an indexed data folder; QUESTIONS is JSONL: ``q``, ``answers`` (texts, one of
which an answering sentence has; none if the documents do not answer), ``quote`` (the
answering sentence, if known), ``doc_id``, and ``seen`` if the reader was trained on it.
``--prepare`` makes such files of the evaluation data: ``dune-fit``, ``squad2``, and
``off-topic-dune`` and ``off-topic-squad2``, questions to be asked of the other corpus.
Needs scikit-learn (``[bench]``).

Each question is searched as usual. The candidates of its hits are labelled: one that
has the quote, or an answer with half of the question's words, answers; one that has an
answer without them is left out. Three logistic regressions are fitted: which candidates
are read (``prefilter``), whether a candidate answers (``sentence``), and whether the
best one of a question does (``answer``), the latter two in the variants with the reader
and with vectors. Questions that the reader has seen do not count in its variant. All
that is printed is by cross-validation in five folds of documents: the share of
questions whose best sentence is right, AUC, and the risk-coverage curve. ``--write``
writes ``serve/answer/judgement.toml``; ``--groups`` writes data to train the reader on.
"""

import argparse
import datetime as dt
import hashlib
import json
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from benchmarks.retrieval import read_lines
from dunegpt.config import Settings
from dunegpt.index.search.open import open_searcher
from dunegpt.serve.answer.candidates import Candidate, clean_markup
from dunegpt.serve.answer.extractive import READ, SentenceScorer
from dunegpt.serve.answer.features import (
    Features,
    Question,
    describe_answer,
    relate,
)
from dunegpt.serve.answer.judgement import LogisticModel
from dunegpt.serve.answer.reader import Reader
from dunegpt.text.analyzer import tokenize

PUBLIC = frozenset({"public"})
TARGET = Path(__file__).parents[1] / "serve/answer/judgement.toml"
THRESHOLDS = {"vectors": (0.17, 0.35), "reader": (0.17, 0.35)}
"""Below the first an answer is refused, below the second it is told with a doubt."""
ANSWERED_SHARES = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
_SEEN_BY_MODELS = 18
_SAME_WORDS = 0.6


@dataclass
class Asked:
    """A question with the candidates of its hits.

    Attributes:
        labels: 1 answers, 0 does not, -1 unknown; by candidate.
        models: What each variant says of a candidate; empty if it was not asked.
    """

    set_name: str
    question: Question
    is_answerable: bool
    candidates: list[Candidate]
    features: list[Features]
    labels: list[int] = field(default_factory=list)
    models: dict[str, dict[int, Features]] = field(default_factory=dict)
    is_seen: bool = False
    item: dict[str, Any] = field(default_factory=dict)


def label(candidate: Candidate, item: dict[str, Any], question: Question) -> int:
    """Return whether a candidate answers: 1, 0, or -1 where it cannot be told."""
    own = set(tokenize(candidate.shown))
    quoted = set(tokenize(clean_markup(item.get("quote") or "")))
    if quoted and own:
        shared = len(quoted & own)
        is_whole = shared >= 0.8 * min(len(quoted), len(own)) and shared >= 3
        if shared >= _SAME_WORDS * len(quoted | own) or is_whole:
            return 1
    flat = candidate.shown.casefold()
    for answer in item["answers"]:
        wanted = set(tokenize(answer)) - question.words
        if answer.casefold() in flat or (wanted and wanted <= own):
            is_here = candidate.hit.document.id.endswith(item.get("doc_id") or "\n")
            near = question.share([*own, *tokenize(candidate.context)]) >= 0.5
            return 1 if near and (is_here or len(wanted) > 1) else -1
    return 0


def ask_all(data: Path, path: Path) -> Iterator[Asked]:
    """Yield the questions of a set with their labelled candidates."""
    settings = Settings(data_dir=data.resolve())
    with closing(open_searcher(settings)) as searcher:
        index = searcher.as_reader(PUBLIC)
        for item in map(json.loads, read_lines(path)):
            found = index.search(item["q"])
            if not found.hits:
                continue
            weights = index.get_word_weights(found.question)
            scorer = SentenceScorer(found.question, weights, index.snapshot.encoder)
            pairs = list(scorer.describe_candidates(found.hits))
            asked = Asked(
                path.stem,
                scorer.question,
                bool(item["answers"] or item.get("quote")),
                [c for c, _ in pairs],
                [f for _, f in pairs],
                is_seen=item.get("seen", False),
                item=item,
            )
            asked.labels = [label(c, item, asked.question) for c in asked.candidates]
            seen = sorted(
                range(len(pairs)),
                key=lambda n: -pairs[n][1]["share_context"] - pairs[n][1]["hit_share"],
            )[:_SEEN_BY_MODELS]
            said = scorer.read([asked.candidates[n] for n in seen])
            asked.models["vectors"] = dict(zip(seen, said, strict=True))
            yield asked


def add_reader(all_asked: Sequence[Asked], reader: Reader) -> None:
    """Let the reader read what the encoder has read; print what that costs."""
    clock, pairs = time.process_time(), 0
    for asked in all_asked:
        places = list(asked.models["vectors"])
        logits = reader.read(asked.question.text, [asked.candidates[n] for n in places])
        said = relate("reader", logits)
        asked.models["reader"] = dict(zip(places, said, strict=True))
        pairs += len(places)
    each_ms = 1000 * (time.process_time() - clock) / max(pairs, 1)
    print(f"reader: {each_ms:.1f} ms of CPU a pair, {READ * each_ms:.0f} a question")


RAISES = frozenset(
    "share share_context share_near density hit_share rank has_wanted has_type cosine"
    " reader best margin passage_share new_words position".split()
)
LOWERS = frozenset(
    "missing passage_missing lacks_wanted lacks_type negated open other_subject"
    " other_side is_question says_nothing cosine_gap reader_gap is_heading".split()
)
"""What a feature can only do to a probability; one that would do the opposite, on the
data at hand, is left out, so that the judgement holds for other documents."""


def fit_model(
    rows: Sequence[Features], truth: Sequence[int], weights: Sequence[float]
) -> LogisticModel:
    """Return a logistic regression, its coefficients those of the raw features."""
    names = sorted(rows[0])
    while True:
        values = np.array([[row[name] for name in names] for row in rows])
        mean, spread = values.mean(0), values.std(0)
        spread[spread == 0] = 1
        model = LogisticRegression(C=0.3, max_iter=2000)
        model.fit((values - mean) / spread, truth, sample_weight=weights)
        raw = dict(zip(names, (model.coef_[0] / spread).tolist(), strict=True))
        wrong = [
            name
            for name, weight in raw.items()
            if (name in RAISES and weight < 0) or (name in LOWERS and weight > 0)
        ]
        if not wrong:
            break
        worst = max(
            wrong, key=lambda name: abs(raw[name]) * values[:, names.index(name)].std()
        )
        names = [name for name in names if name != worst]
    intercept = float(model.intercept_[0]) - sum(
        weight * m for weight, m in zip(raw.values(), mean.tolist(), strict=True)
    )
    return LogisticModel(
        intercept, {name: round(weight, 4) for name, weight in raw.items()}
    )


def fit_candidates(
    all_asked: Sequence[Asked], variant: str, prefilter: LogisticModel | None
) -> LogisticModel:
    """Return the model of candidates: of all by words, or of those a model reads."""
    rows, truth, weights = [], [], []
    for asked in all_asked:
        places = choose(asked, prefilter) if prefilter else range(len(asked.features))
        for n in places:
            if asked.labels[n] >= 0 and (not prefilter or n in asked.models[variant]):
                said = asked.models[variant][n] if prefilter else {}
                rows.append(asked.features[n] | said)
                truth.append(asked.labels[n])
                weights.append(SET_WEIGHTS.get(asked.set_name, 1.0))
    return fit_model(rows, truth, weights)


SET_WEIGHTS = {"dune-fit": 3.0, "off-topic-dune": 2.0, "off-topic-squad2": 2.0}


def choose(asked: Asked, prefilter: LogisticModel) -> list[int]:
    """Return the places of the candidates that are read, best first."""
    scores = [prefilter.predict(features) for features in asked.features]
    return sorted(range(len(scores)), key=lambda n: -scores[n])[:READ]


def rank(
    asked: Asked, variant: str, prefilter: LogisticModel, sentence: LogisticModel
) -> list[tuple[Candidate, int, Features]]:
    """Return the read candidates, best first, with label and what the model says."""
    found = [
        (
            replace(
                asked.candidates[n],
                score=sentence.predict(asked.features[n] | asked.models[variant][n]),
            ),
            asked.labels[n],
            asked.models[variant][n],
        )
        for n in choose(asked, prefilter)
        if n in asked.models[variant]
    ]
    return sorted(found, key=lambda each: -each[0].score)


@dataclass
class Fitted:
    """The models of one variant."""

    prefilter: LogisticModel
    sentence: LogisticModel
    answer: LogisticModel


def fit_variant(all_asked: Sequence[Asked], variant: str) -> Fitted:
    """Return the three models, fitted on some questions."""
    prefilter = fit_candidates(all_asked, variant, None)
    sentence = fit_candidates(all_asked, variant, prefilter)
    rows, truth, weights = [], [], []
    for asked in all_asked:
        ranked = rank(asked, variant, prefilter, sentence)
        if ranked and ranked[0][1] >= 0:
            ordered = [candidate for candidate, *_ in ranked]
            rows.append(describe_answer(asked.question, ordered, ranked[0][2]))
            truth.append(ranked[0][1])
            weights.append(SET_WEIGHTS.get(asked.set_name, 1.0))
    return Fitted(prefilter, sentence, fit_model(rows, truth, weights))


@dataclass(frozen=True)
class Judged:
    """A question as it is answered by models that did not see it."""

    set_name: str
    is_answerable: bool
    is_right: int
    probability: float
    is_read: bool


def judge_all(some: Sequence[Asked], variant: str, fitted: Fitted) -> Iterator[Judged]:
    """Yield how questions are answered."""
    for asked in some:
        ranked = rank(asked, variant, fitted.prefilter, fitted.sentence)
        if not ranked:
            continue
        ordered = [candidate for candidate, *_ in ranked]
        features = describe_answer(asked.question, ordered, ranked[0][2])
        yield Judged(
            asked.set_name,
            asked.is_answerable,
            ranked[0][1],
            fitted.answer.predict(features),
            any(each[1] == 1 for each in ranked),
        )


def cross_validate(all_asked: Sequence[Asked], variant: str) -> list[Judged]:
    """Return how each question is answered by models fitted without it."""
    groups = [asked.candidates[0].hit.document.id for asked in all_asked]
    judged: list[Judged] = []
    for known, unknown in GroupKFold(5).split(all_asked, groups=groups):
        fitted = fit_variant([all_asked[n] for n in known], variant)
        judged += judge_all([all_asked[n] for n in unknown], variant, fitted)
    return judged


def report(judged: Sequence[Judged], title: str) -> None:
    """Print how well the questions of each set are answered."""
    console = Console(width=120)
    table = Table(
        "set", "questions", "right is read", "right is best", "AUC right",
        "AUC answerable", *(f"risk at {share:.0%}" for share in ANSWERED_SHARES),
        title=title,
    )  # fmt: skip
    for name in sorted({each.set_name for each in judged}):
        own = [each for each in judged if each.set_name == name]
        answerable = [each for each in own if each.is_answerable]
        known = [each for each in own if each.is_right >= 0]
        by_probability = sorted(known, key=lambda each: -each.probability)
        risks = []
        for share in ANSWERED_SHARES:
            first = by_probability[: max(1, round(share * len(known)))]
            risks.append(f"{1 - np.mean([each.is_right for each in first]):.3f}")
        table.add_row(
            name,
            f"{len(answerable)} + {len(own) - len(answerable)}",
            _mean([each.is_read for each in answerable]),
            _mean([each.is_right == 1 for each in answerable]),
            _auc(known, lambda each: each.is_right),
            _auc(own, lambda each: each.is_answerable),
            *risks,
        )
    console.print(table)
    for name in sorted({each.set_name for each in judged}):
        _report_thresholds(console, [e for e in judged if e.set_name == name], name)


def _mean(values: Sequence[bool]) -> str:
    return f"{np.mean(values):.3f}" if values else "-"


def _auc(some: Sequence[Judged], truth: Callable[[Judged], int]) -> str:
    labels = [truth(each) for each in some]
    if len(set(labels)) == 1:
        return "-"
    return f"{roc_auc_score(labels, [each.probability for each in some]):.3f}"


def _report_thresholds(console: Console, own: Sequence[Judged], name: str) -> None:
    table = Table("threshold", "right", "wrong", "falsely refused", "rightly refused")
    for threshold in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5):
        yes = [each for each in own if each.is_answerable]
        no = [each for each in own if not each.is_answerable]
        said = [each for each in yes if each.probability >= threshold]
        refused = [each for each in no if each.probability < threshold]
        right = sum(each.is_right != 0 for each in said)
        table.add_row(
            f"{threshold:.2f}",
            *(
                f"{count / len(yes):.3f}" if yes else "-"
                for count in (right, len(said) - right, len(yes) - len(said))
            ),
            f"{len(refused) / len(no):.3f}" if no else "-",
        )
    table.title = name
    console.print(table)


def write(
    fitted: dict[str, Fitted], thresholds: dict[str, tuple[float, float]]
) -> None:
    """Write the coefficients for the product."""
    lines = [
        "# Coefficients of the fitted judgement; see serve/answer/judgement.py.",
        f"# Fitted {dt.date.today()} by benchmarks/judgement.py on dune-fit, SQuAD 2",
        "# and questions about other things.",
        *_format_model("prefilter", fitted["vectors"].prefilter),
    ]
    for variant, models in fitted.items():
        threshold, doubt = thresholds[variant]
        lines += [f"\n[{variant}]", f"threshold = {threshold}", f"doubt = {doubt}"]
        lines += _format_model(f"{variant}.sentence", models.sentence)
        lines += _format_model(f"{variant}.answer", models.answer)
    TARGET.write_text("\n".join(lines) + "\n", "utf-8")


def _format_model(name: str, model: LogisticModel) -> Iterator[str]:
    yield f"\n[{name}]"
    yield f"intercept = {model.intercept:.4f}"
    for feature, weight in sorted(model.coefficients.items()):
        yield f"{feature} = {weight:.4f}"


def write_groups(all_asked: Sequence[Asked], path: Path) -> None:
    """Write what the reader's training reads: questions with candidates as found.

    Where no candidate answers, the known quote is added.
    """
    items = []
    for asked in all_asked:
        places = [n for n in asked.models["vectors"] if asked.labels[n] >= 0]
        contexts = [asked.candidates[n].context for n in places]
        sentences = [asked.candidates[n].shown for n in places]
        answers = [at for at, n in enumerate(places) if asked.labels[n] == 1]
        quote = asked.item.get("quote")
        if quote and not answers:
            answers = [len(sentences)]
            contexts.append(contexts[0] if contexts else "")
            sentences.append(clean_markup(quote))
        items.append(
            {
                "q": asked.question.text,
                "doc_id": asked.item.get("doc_id", ""),
                "contexts": contexts,
                "sentences": sentences,
                "answers": answers,
            }
        )
    _write_lines(path, items)


def prepare_sets(evaluation: Path, out: Path) -> None:
    """Write questions of the development data in this module's form."""
    out.mkdir(parents=True, exist_ok=True)
    lines = read_lines(evaluation / "dune-fit/questions.jsonl")
    fit = [
        {
            "q": item["q"],
            "quote": item["quote"],
            "doc_id": item["doc_id"],
            "answers": [item["answer"]] if item["answer"] else [],
            "seen": not is_kept_back(item["doc_id"]),
        }
        for item in map(json.loads, lines)
    ]
    lines = read_lines(evaluation / "refusal-squad2/items.jsonl.xz")
    squad = [
        {"q": item["question"], "doc_id": item["doc_id"], "answers": item["answers"]}
        for item in map(json.loads, lines)
    ]
    _write_lines(out / "dune-fit.jsonl", fit)
    _write_lines(out / "squad2.jsonl", squad[::12])
    foreign = [{"q": item["q"], "answers": []} for item in squad[4::36]]
    _write_lines(out / "off-topic-dune.jsonl", foreign[:80])
    foreign = [{"q": item["q"], "answers": []} for item in fit[2::9]]
    _write_lines(out / "off-topic-squad2.jsonl", foreign)


def is_kept_back(text: str) -> bool:
    """Return whether the reader's training keeps a text back, as `train.py` does."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 3 == 0


def _write_lines(path: Path, items: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), "utf-8")


def main() -> None:
    """Fit and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepare", type=Path, nargs=2, metavar=("EVAL", "OUT"))
    parser.add_argument(
        "--set", type=Path, nargs=2, action="append", metavar=("DATA", "QUESTIONS")
    )
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--reader", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.prepare:
        prepare_sets(*options.prepare)
        return
    if options.cache and options.cache.exists():
        all_asked = pickle.loads(options.cache.read_bytes())
    else:
        all_asked = [each for pair in options.set for each in ask_all(*pair)]
        if options.cache:
            bare = [
                replace(a, question=Question(a.question.text, a.question.weights))
                for a in all_asked
            ]
            options.cache.write_bytes(pickle.dumps(bare))
    if options.groups:
        write_groups(all_asked, options.groups)
        return
    variants = ["vectors"]
    if options.reader:
        add_reader(all_asked, Reader(options.reader))
        variants.append("reader")
    fitted = {}
    for variant in variants:
        some = [a for a in all_asked if variant == "vectors" or not a.is_seen]
        report(cross_validate(some, variant), variant)
        fitted[variant] = fit_variant(some, variant)
    if options.write:
        write(fitted, THRESHOLDS)


if __name__ == "__main__":
    main()
