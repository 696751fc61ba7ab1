"""Yes or no, and how far passages back a sentence."""

from pathlib import Path

import pytest

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.serve.verify.support import SupportScorer
from tests.serve.answer.references import hit

TEXTS = (
    "The pump must not be started before the cathode is cold. The valve is open.",
    "The purity monitor measures the electron lifetime every hour.",
)


@pytest.fixture(scope="module")
def support(tiny_encoder: Path) -> SupportScorer:
    hits = [hit(text, n) for n, text in enumerate(TEXTS, start=1)]
    return SupportScorer(hits, Encoder(tiny_encoder))


@pytest.mark.parametrize(
    ("sentence", "number", "denied"),
    [
        ("The pump must not be started before the cathode is cold.", 1, False),
        ("The pump can be started before the cathode is cold.", 1, True),
        ("The valve is open.", 1, False),
        ("The valve is not open.", 1, True),
        ("The purity monitor does not measure the electron lifetime.", 2, True),
        ("The purity monitor measures the electron lifetime.", 2, False),
        ("Wombats do not dig.", 2, False),  # about something else
    ],
)
def test_denies(
    support: SupportScorer, sentence: str, number: int, denied: bool
) -> None:
    assert support.contradicts(sentence, [number]) is denied


def test_support(support: SupportScorer) -> None:
    own = support.score("The purity monitor measures the electron lifetime.", [2])
    assert own > 0.9
    assert own > support.score(
        "The purity monitor measures the electron lifetime.", [1]
    )
    assert support.score("The monitor and the valve.", [1, 2]) > support.score(
        "The monitor and the valve.", [1]
    )
    assert support.score("?!", [1]) == 0.0


def test_without_an_encoder_words_decide() -> None:
    plain = SupportScorer([hit(TEXTS[1])])
    assert plain.score("The purity monitor measures.", [1]) == 1.0
    assert plain.score("Wombats dig burrows.", [1]) == 0.0
