"""Thoughts of a model are no part of its answer."""

import pytest

from dunegpt.serve.llm.reasoning import FORGET, strip_reasoning

THOUGHT = "The user asks for 1.55. Passage 1 says [1]. "


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"<think>\n{THOUGHT}</think>\n\nIt is 1.61 [1].", "It is 1.61 [1]."),
        (f"{THOUGHT}</think>It is 1.61 [1].", "It is 1.61 [1]."),
        (f"<think>{THOUGHT}", ""),
        (f"<THINKING>{THOUGHT}</THINKING>Yes [1].", "Yes [1]."),
        (
            f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
            "<|channel|>final<|message|>It is 1.61 [1].<|return|>",
            "It is 1.61 [1].",
        ),
        ("It is <3 K and a < b [1].", "It is <3 K and a < b [1]."),
        ("Use `<T>` there [1].", "Use `<T>` there [1]."),
    ],
)
def test_thoughts_are_taken_out(text: str, left: str, size: int) -> None:
    pieces = (text[n : n + size] for n in range(0, len(text), size))
    found = "".join(strip_reasoning(pieces)).rpartition(FORGET)[2]
    assert found.strip() == left
