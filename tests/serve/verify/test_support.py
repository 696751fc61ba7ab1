"""What speaks for a sentence and against it, in numbers."""

from pathlib import Path

import pytest

from dunegpt.index.encoder.onnx import Encoder
from dunegpt.serve.verify.support import FEATURES, SupportScorer
from tests.serve.answer.references import hit

TEXTS = (
    "The pump must not be started before the cathode is cold. The valve is open.",
    "The purity monitor measures the electron lifetime every hour.",
    "A second monitor will be installed in May. Most of the sensors work.",
)


@pytest.fixture(scope="module")
def support(tiny_encoder: Path) -> SupportScorer:
    hits = [hit(text, n) for n, text in enumerate(TEXTS, start=1)]
    return SupportScorer(hits, Encoder(tiny_encoder))


@pytest.mark.parametrize(
    ("sentence", "number", "names"),
    [
        ("The pump must not be started before the cathode is cold.", 1, set()),
        ("The pump can be started before the cathode is cold.", 1, {"strict_denial"}),
        ("The valve is open.", 1, set()),
        ("The valve is closed.", 1, {"rival_pole"}),
        ("The purity monitor never measures the electron lifetime.", 2, {"denial"}),
        ("The purity monitor measures the electron lifetime.", 2, set()),
        ("Wombats do not dig.", 2, set()),  # about something else
        ("A second monitor was installed in May.", 3, {"certainty"}),
        ("A second monitor will be installed in May.", 3, set()),
        ("All of the sensors work.", 3, {"rival_scope"}),
        ("Most of the sensors work because they are new.", 3, {"cause", "new_tail"}),
    ],
)
def test_what_speaks_against(
    support: SupportScorer, sentence: str, number: int, names: set[str]
) -> None:
    values = support.measure(sentence, [number])
    assert tuple(values) == FEATURES
    conflicts = {
        name
        for name in (
            "denial",
            "strict_denial",
            "rival_pole",
            "rival_scope",
            "certainty",
        )
        if values[name] > 0.3
    }
    if names:
        assert names <= {name for name in FEATURES if values[name] > 0.3}
    else:
        assert not conflicts


def test_words_and_meaning(support: SupportScorer) -> None:
    sentence = "The purity monitor measures the electron lifetime."
    own, other = support.measure(sentence, [2]), support.measure(sentence, [1])
    for name in ("words", "meaning", "nearest"):
        assert own[name] > other[name]
    both = support.measure("The monitor and the valve.", [1, 2])
    assert both["words"] == 1.0


def test_without_an_encoder_words_decide() -> None:
    plain = SupportScorer([hit(TEXTS[1])])
    assert plain.measure("The purity monitor measures.", [1])["meaning"] == 1.0
    assert plain.measure("Wombats dig burrows.", [1])["meaning"] == 0.0


TABLE = """
| Wire | Load [N] | Width [mm] |
| A | 25 | 0.1 |
| B | 32 | 0.2 |"""


@pytest.mark.parametrize(
    ("sentence", "is_told"),
    [
        ("Wire A takes 25 N and wire B 32 N.", False),
        ("Wire A takes 32 N.", True),
        ("Wire B has a width of 0.1 mm.", True),
        ("A load of 32 N is possible.", False),
    ],
)
def test_a_value_of_another_row_is_at_odds(sentence: str, is_told: bool) -> None:
    values = SupportScorer([hit(TABLE, 1)]).measure(sentence, [1])
    assert (values["exact_conflict"] == 1.0) == is_told


def test_now_and_still_must_be_in_the_source() -> None:
    support = SupportScorer([hit("The old camera was used in May.", 1)])
    assert support.measure("The old camera is still used.", [1])["currency"] == 1.0
    assert support.measure("The old camera was used.", [1])["currency"] == 0.0
