"""Numbers that follow from others, and those that only might."""

import pytest

from dunegpt.serve.verify.derived import is_derived
from dunegpt.text.quantities import find_quantities


def follows(sentence: str, source: str) -> bool:
    return is_derived(find_quantities(sentence)[0], sentence, [source])


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("About 40 % of the boards failed.", "20 of the 50 boards failed."),
        ("The stop took 20 minutes.", "It stopped at 10:00 and ran again at 10:20."),
        ("It uses 30 W less power.", "The old one used 90 W, the new one 60 W."),
    ],
)
def test_what_a_reader_can_redo_follows(sentence: str, source: str) -> None:
    assert follows(sentence, source)


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        # The source gives another share, or another time, itself.
        (
            "About 40 % of the boards failed.",
            "20 of the 50 boards were tested, and 10 % failed.",
        ),
        (
            "The stop took 20 minutes.",
            "It stopped at 10:00 for 35 minutes; at 10:20 a visitor came.",
        ),
        # What is less by an amount is no sum.
        ("It uses 150 W less power.", "The old one used 90 W, the new one 60 W."),
    ],
)
def test_what_the_source_gives_otherwise_does_not(sentence: str, source: str) -> None:
    assert not follows(sentence, source)
