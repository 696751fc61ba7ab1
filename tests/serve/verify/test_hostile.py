"""What no wording should get past the rules, by kind, and what must pass nearby."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from dunegpt.serve.verify.verifier import verify_sentence
from dunegpt.types import Citation
from tests.serve.answer.references import hit

SET = Path(__file__).parents[3] / "benchmarks/verifier_sets/hostile.toml"
GROUPS = tomllib.loads(SET.read_text("utf-8"))["group"]
MAX_PASSED = 16
"""Of 136; without the encoder, which weighs little here."""


MAX_ALARMS = 2
"""Of the true ones beside them."""


def cite(group: dict[str, Any]) -> list[Citation]:
    return [
        Citation(n, hit(p["text"].strip(), n, title=p["title"]), "", 1, "")
        for n, p in enumerate(group["passage"], start=1)
    ]


def test_true_sentences_pass() -> None:
    found = [
        verify_sentence(text, cite(group)) for group in GROUPS for text in group["true"]
    ]
    assert len(found) >= 30
    assert sum(not sentence.supported for sentence in found) <= MAX_ALARMS


def test_hostile_sentences_are_caught() -> None:
    passed: Counter[str] = Counter()
    total = 0
    for group in GROUPS:
        for kind, texts in group["wrong"].items():
            total += len(texts)
            passed[kind] += sum(
                verify_sentence(text, cite(group)).supported for text in texts
            )
    assert total >= 120
    assert len(passed) >= 40
    assert passed.total() <= MAX_PASSED, +passed
