"""Measures a model server as judge of sentences: what it costs, and how well it tells.

    python -m benchmarks.judge EVAL/answers --config SETTINGS [--server NAME]
        [--prompts 10] [--out FILE]

Each prompt is sent as the product sends it, for an answer of 16 tokens, so that the
server has read it; then each true and each flawed sentence of it is judged behind it,
one token each. Printed are the time of a judgement, its tokens and how many of them the
server had cached, the AUC of its probability over true and flawed sentences, and the
`[answer] judge_trust` that fits it: the weight of its log-odds beside the rules', over
the weight of the strong judge that is recorded in EVAL/answers.
"""

import argparse
import json
import lzma
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.verifier import Case, read_recorded
from dunegpt.config import Settings, load_settings
from dunegpt.errors import ModelError
from dunegpt.serve.llm.messages import Messages, YesNo
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.verify.combination import load_combination
from dunegpt.serve.verify.llm_judge import LLMJudge
from dunegpt.serve.verify.marks import split_marks

_WRITTEN_TOKENS = 16


def read_prompts(folder: Path) -> dict[str, Messages]:
    """Return the messages of each prompt, by its question."""
    packed = (folder / "answers.jsonl.xz").read_bytes()
    items = map(json.loads, lzma.decompress(packed).decode("utf-8").splitlines())
    return {
        i["question"]: [(role, text) for role, text in i["messages"]] for i in items
    }


def judge_all(
    settings: Settings, name: str, folder: Path, prompts: int
) -> Iterator[tuple[Case, YesNo, float, float]]:
    """Yield each sentence, its judgement, its seconds, and those of reading."""
    pool = LLMPool(settings)
    messages = read_prompts(folder)
    cases: dict[str, list[Case]] = {}
    for case in read_recorded(folder):
        cases.setdefault(case.question, []).append(case)
    done = 0
    for question, own in cases.items():
        if done >= prompts:
            return
        started = time.monotonic()
        try:
            with closing(
                pool.stream(name, messages[question], tokens=_WRITTEN_TOKENS)
            ) as pieces:
                "".join(pieces)
        except ModelError as error:
            print(f"{question[:60]}: {error}")
            continue
        done += 1
        read_s = time.monotonic() - started
        table = settings.llm[name]
        judge = LLMJudge(name, table, pool.ask_yes_no, messages[question])
        for case in own:
            plain, marks = split_marks(case.sentence)
            cited = [c for c in case.citations if c.number in marks]
            started = time.monotonic()
            answer = pool.ask_yes_no(name, judge.make_messages(plain, cited))
            yield case, answer, time.monotonic() - started, read_s
        judge.close()


def fit_trust(cases: list[Case], judged: np.ndarray) -> float:
    """Return the weight of a judge's log-odds over that of the recorded judge."""
    truth = np.array([case.kind == "true" for case in cases], dtype=float)
    recorded = np.array([case.judge for case in cases], dtype=float)
    own, strong = (fit_weight(truth, share) for share in (judged, recorded))
    return float(min(1.0, max(0.0, own / strong)))


def fit_weight(truth: np.ndarray, share: np.ndarray, ridge: float = 0.05) -> float:
    """Return the weight of log-odds in a logistic regression with an intercept."""
    limited = np.clip(share, 0.01, 0.99)
    x = np.column_stack([np.ones(len(share)), np.log(limited / (1 - limited))])
    beta = np.zeros(2)
    for _ in range(50):  # Newton's method
        found = 1 / (1 + np.exp(-x @ beta))
        gradient = x.T @ (found - truth) / len(truth) + ridge * np.array([0, beta[1]])
        spread = (x * (found * (1 - found))[:, None]).T @ x / len(truth)
        beta -= np.linalg.solve(spread + ridge * np.diag([1e-9, 1]), gradient)
    return float(beta[1])


def main() -> None:
    """Judge, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("answers", type=Path)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--server")
    parser.add_argument("--prompts", type=int, default=10)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    settings = load_settings(options.config)
    name = options.server or next(iter(settings.llm))
    rows = list(judge_all(settings, name, options.answers, options.prompts))
    seconds = np.array([row[2] for row in rows])
    answers = [row[1] for row in rows]
    reading = np.array(sorted({row[3] for row in rows}))
    print(f"{name}: {len(reading)} prompts, {len(rows)} sentences judged")
    print(f"prompt and {_WRITTEN_TOKENS} tokens: median {np.median(reading):.2f} s")
    print(
        f"a judgement: median {np.median(seconds):.2f} s, p95"
        f" {np.quantile(seconds, 0.95):.2f} s; tokens read"
        f" {np.mean([a.prompt_tokens for a in answers]):.0f}, written 1"
    )
    cached = [a.cached_tokens for a in answers if a.cached_tokens is not None]
    tokens = sum(a.prompt_tokens for a in answers)
    share = f"{sum(cached) / tokens:.1%}" if cached and tokens else "not told"
    print(f"tokens that the server had cached: {share}")
    print(f"with log-probabilities: {sum(a.has_logprobs for a in answers)}")
    known = [row for row in rows if row[1].probability is not None]
    print(f"neither yes nor no: {len(rows) - len(known)}")
    if known:
        judged = np.array([row[1].probability for row in known], dtype=float)
        truth = np.array([row[0].kind == "true" for row in known])
        auc = (judged[truth][:, None] > judged[~truth][None, :]).mean()
        print(
            f"AUC {auc:.3f}; mean P(yes) {judged[truth].mean():.2f} of true,"
            f" {judged[~truth].mean():.2f} of flawed ones"
        )
        print(
            f"judge_trust {fit_trust([row[0] for row in known], judged):.2f}"
            f" (weight of a judge: {load_combination().judge_weight})"
        )
    if options.out:
        fields = [[row[0].sentence, row[1].probability, row[2]] for row in rows]
        options.out.write_text(json.dumps(fields, indent=0) + "\n")


if __name__ == "__main__":
    main()
