"""Citation marks as models write them."""

import pytest

from dunegpt.serve.verify.marks import split_marks
from dunegpt.text.sentences import split_stream


@pytest.mark.parametrize(
    ("text", "plain", "marks"),
    [
        ("It is 5 K [1].", "It is 5 K.", [1]),
        ("It is 5 K. [1]", "It is 5 K.", [1]),
        ("It is 5 K [1][3], cold [2, 4].", "It is 5 K, cold.", [1, 3, 2, 4]),
        ("It is 5 K【1】.", "It is 5 K.", [1]),
        ("It is 5 K【3†L1-L5】.", "It is 5 K.", [3]),
        ("It is 5 K (1).", "It is 5 K.", [1]),
        ("It is 5 K. (2)", "It is 5 K.", [2]),
        ("It is 5 K [Passage 1].", "It is 5 K.", [1]),
        ("It is 5 K (passages 1 and 2).", "It is 5 K.", [1, 2]),
        ("It is 5 K [1-3].", "It is 5 K.", [1, 2, 3]),
        ("It is 5 K ([1], [2]).", "It is 5 K.", [1, 2]),
        (
            "See f(1) and [a] in 2 (two) places.",
            "See f(1) and [a] in 2 (two) places.",
            [],
        ),
        ("It has a length (12) of wires.", "It has a length (12) of wires.", []),
    ],
)
def test_split_marks(text: str, plain: str, marks: list[int]) -> None:
    assert split_marks(text) == (plain, marks)


@pytest.mark.parametrize("size", [1, 5, 100])
def test_marks_stay_with_their_sentence(size: int) -> None:
    text = "It is cold【1】. It is dry.【2】 It is dark. (3) It is far [Passage 1]. So."
    pieces = (text[n : n + size] for n in range(0, len(text), size))
    assert list(split_stream(pieces)) == [
        "It is cold【1】.",
        "It is dry.【2】",
        "It is dark. (3)",
        "It is far [Passage 1].",
        "So.",
    ]
