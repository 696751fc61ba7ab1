"""Fits the combination by which the verifier weighs what it measures of a sentence.

    python -m benchmarks.fit_verifier EVAL/answers --encoder FOLDER [--write]

A logistic regression with a ridge penalty, on the sentences of EVAL/answers (the
development half) and of our own sets, but the unseen one, that pass the hard checks;
on true ones with the passages of another question; and on every second claim of
ExpertQA and SciFact (EVAL/support-...), which experts have labelled.
What speaks
against a sentence has a coefficient of at most 0, what speaks for it of at least 0.
The threshold is the one that calls at most the given share of the true sentences of
EVAL/answers and of our own sets unsupported, and at most a tenth of the experts'
claims, each time on questions that were not fitted to (folds).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.support import expertqa, scifact
from benchmarks.verifier import OWN, Case, make_citation, read_own, read_recorded
from dunegpt.index.encoder.onnx import Encoder
from dunegpt.serve.verify.context import leans
from dunegpt.serve.verify.marks import split_marks
from dunegpt.serve.verify.support import (
    FEATURES,
    SPEAKS_FOR,
    is_exact_conflict,
)
from dunegpt.serve.verify.verifier import Verifier

TARGET = Path("serve/verify/combination.json")
_RIDGE = 0.001
_JUDGE_RIDGE = 0.002
_FOLDS = 7
_ANSWERS = {"recorded", "seen", "answers_seen"}
_EXPERT_ALARMS = 0.1
"""Of long claims of other fields: so many may be called unsupported at most."""
_STEPS, _RATE = 20_000, 0.5
_WEIGHTS = {
    "recorded": 2.0,
    "seen": 1.0,
    "answers_seen": 1.0,
    "hostile": 0.5,
    "exchanged": 0.5,
    "experts": 0.3,
}


def exchange_passages(cases: Sequence[Case]) -> list[Case]:
    """Return the true sentences with the passages of another question."""
    true = [case for case in cases if case.kind == "true"]
    step = len(true) // 2
    return [
        replace(
            case,
            set="exchanged",
            kind="passage",
            citations=other.citations,
            sentence=f"{split_marks(case.sentence)[0]} [1]",
        )
        for case, other in zip(true, true[step:] + true[:step], strict=True)
        if case.question != other.question
    ]


def read_experts(folder: Path) -> list[Case]:
    """Return claims that experts called supported, and claims with their label."""
    if not (folder / "support-expertqa").is_dir():
        print(f"No claims of experts in {folder}: fitted without them.")
        return []
    found: list[Case] = []
    labelled = scifact(folder / "support-scifact", folder / "scifact")
    experts = (("SUPPORT", case) for case in expertqa(folder / "support-expertqa"))
    for number, (label, case) in enumerate([*experts, *labelled]):
        if number % 2:  # the other half stays for benchmarks.support
            continue
        kind = "true" if label == "SUPPORT" else label
        citations = (make_citation(1, "note", "", case.source),)
        found.append(
            Case("experts", case.group, citations, f"{case.sentence} [1]", kind)
        )
    return found


def measure(
    cases: Sequence[Case], encoder: Encoder | None
) -> tuple[np.ndarray, np.ndarray, list[Case]]:
    """Return values, truth, and the cases, of those that pass the hard checks."""
    rows, truth, kept = [], [], []
    for case in cases:
        plain, marks = split_marks(case.sentence)
        before = case.before[-1] if case.before and leans(plain) else ""
        verifier = Verifier(case.citations, encoder, case.question)
        verdict = verifier.judge(plain, marks, split_marks(before)[0])
        if marks and verdict.values and not is_exact_conflict(verdict.values):
            rows.append([verdict.values[name] for name in FEATURES])
            truth.append(case.kind == "true")
            kept.append(case)
    return np.array(rows), np.array(truth, dtype=float), kept


def fit(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return intercept and coefficients."""
    signs = np.array([1.0] + [1.0 if name in SPEAKS_FOR else -1.0 for name in FEATURES])
    ones = np.column_stack([np.ones(len(x)), x])

    beta = np.zeros(ones.shape[1])
    for _ in range(_STEPS):  # gradient descent, projected on the allowed signs
        share = 1 / (1 + np.exp(-ones @ beta))
        ridge = _RIDGE * np.append(0, beta[1:])
        beta -= _RATE * (ones.T @ (weights * (share - y)) / weights.sum() + ridge)
        beta[1:] = np.where(beta[1:] * signs[1:] > 0, beta[1:], 0)
    return beta


def estimate(beta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return probabilities."""
    return np.asarray(1 / (1 + np.exp(-(beta[0] + x @ beta[1:]))))


def cross_estimate(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, groups: Sequence[str]
) -> np.ndarray:
    """Return probabilities of cases whose question was not fitted to."""
    names = sorted(set(groups))
    fold_of = {name: number % _FOLDS for number, name in enumerate(names)}
    folds = np.array([fold_of[name] for name in groups])
    found = np.zeros(len(x))
    for fold in range(_FOLDS):
        kept = folds != fold
        beta = fit(x[kept], y[kept], weights[kept])
        found[~kept] = estimate(beta, x[~kept])
    return found


def main() -> None:
    """Fit, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("answers", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--alarms", type=float, default=0.02)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    encoder = Encoder(options.encoder)
    looked_at = [name for name in OWN if "unseen" not in name]
    cases = [*read_recorded(options.answers)]
    cases += [case for name in looked_at for case in read_own(name)]
    cases += exchange_passages(cases)
    cases += read_experts(options.answers.parent)
    x, y, kept = measure(cases, encoder)
    weights = np.array([_WEIGHTS[case.set] for case in kept])
    crossed = cross_estimate(x, y, weights, [case.question for case in kept])
    beta = fit(x, y, weights)
    for name in dict.fromkeys(case.set for case in kept):
        own = np.array([case.set == name for case in kept])
        show(name, crossed[own], y[own], options.alarms)
    unseen_x, unseen_y, _ = measure(list(read_own("unseen")), encoder)
    show("unseen", estimate(beta, unseen_x), unseen_y, options.alarms)
    recorded = np.array([case.set == "recorded" for case in kept])
    experts = np.array([case.set == "experts" for case in kept])
    answers = np.array([case.set in _ANSWERS for case in kept])
    threshold = float(np.quantile(crossed[answers & (y == 1)], options.alarms))
    if experts.any():
        by_experts = np.quantile(crossed[experts & (y == 1)], _EXPERT_ALARMS)
        threshold = min(threshold, float(by_experts))
    for name, value in zip(("intercept", *FEATURES), beta, strict=True):
        print(f"{name:15s} {value:8.3f}")
    print(f"threshold {threshold:.3f}")
    weight = fit_judge(
        crossed[recorded], y[recorded], [kept[i] for i in recorded.nonzero()[0]]
    )
    print(f"judge_weight {weight:.3f}")
    if options.write:
        write(beta, threshold, weight, len(x), int(y.sum()))


def show(name: str, found: np.ndarray, y: np.ndarray, alarms: float) -> None:
    """Print how well true and wrong sentences are told apart."""
    true, wrong = found[y == 1], found[y == 0]
    if not len(true) or not len(wrong):
        print(f"{name}: mean {found.mean():.2f}")
        return
    auc = (true[:, None] > wrong[None, :]).mean()
    shares = [
        f"{(wrong >= np.quantile(true, share)).mean():.0%} at {share:.0%}"
        for share in (0.0, alarms, 0.05, 0.1)
    ]
    print(f"{name}: AUC {auc:.3f}; wrong passed at alarms: {', '.join(shares)}")


def fit_judge(rules: np.ndarray, y: np.ndarray, cases: Sequence[Case]) -> float:
    """Return the weight of a strong judge's log-odds, beside those of the rules.

    The recorded judge errs nowhere, so that the ridge penalty decides.
    """
    judged = np.clip([float(case.judge or 0) for case in cases], 0.01, 0.99)
    odds = np.log(judged / (1 - judged))
    own = np.log(rules / (1 - rules))

    candidates = np.linspace(0, 5, 501)
    totals = own + candidates[:, None] * odds
    losses = (np.logaddexp(0, totals) - y * totals).mean(axis=1)
    return float(candidates[np.argmin(losses + _JUDGE_RIDGE * candidates**2)])


def write(
    beta: np.ndarray, threshold: float, weight: float, cases: int, true: int
) -> None:
    """Write the data file of the verifier."""
    named = zip(FEATURES, beta[1:], strict=True)
    fields = {
        "fitted": f"{datetime.now(UTC):%Y-%m-%d}, benchmarks/fit_verifier.py: logistic"
        f" regression, ridge {_RIDGE}, signs fixed, on {cases} sentences ({true} true)"
        " that pass the hard checks: EVAL/answers (development half),"
        " seen.toml, answers_seen.toml and hostile.toml, true ones with passages"
        " of another question, and every second claim of ExpertQA and SciFact",
        "intercept": round(float(beta[0]), 3),
        "coefficients": {name: round(float(value), 3) for name, value in named},
        "threshold": round(threshold, 3),
        "attached_threshold": round(1 - 0.7 * (1 - threshold), 3),
        "judge_weight": round(weight, 3),
        "judge_threshold": 0.5,
    }
    TARGET.write_text(json.dumps(fields, indent=1) + "\n")


if __name__ == "__main__":
    main()
