"""Numbers that a source says of something else."""

import pytest

from dunegpt.serve.verify.number_context import find_limit, find_misplaced

SOURCE = [
    "The stored energy of the magnet is 14.3 MJ.",
    "Its coil was wound in Genoa.",
    "The yoke has 475 t of iron.",
    "The cooling plant was moved.",
    "Its helium flows at 0.6 g/s.",
    "For the shield a heat load of 530 W was measured.",
]


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("The magnet stores an energy of 14.3 MJ.", ""),
        ("The shield has a heat load of 530 W.", ""),
        ("The helium of the plant flows at 0.6 g/s.", ""),
        ("The shield of the helium plant takes 14.3 MJ.", "14.3 MJ"),
        ("The stored energy of the magnet is 530 W.", "530 W"),
        ("It is 14.3 MJ.", ""),  # too few words to tell
        ("The shield takes 99 W.", ""),  # is nowhere: another check's
    ],
)
def test_misplaced(sentence: str, number: str) -> None:
    assert find_misplaced(sentence, [SOURCE], "Note on SAND") == number


def test_the_head_is_near_everything() -> None:
    sentence = "The helium plant of the shield takes 14.3 MJ."
    assert find_misplaced(sentence, [SOURCE], "The helium plant") == ""


def test_passages_are_apart() -> None:
    sentence = "The shield of the helium plant takes 14.3 MJ."
    assert find_misplaced(sentence, [SOURCE[:1], SOURCE[4:]], "") == "14.3 MJ"


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("The first chip has 6 input channels, the second 64.", "6"),
        ("The first chip has 32 input channels.", ""),
        ("The cable has 64 channels.", ""),  # one of the things is enough
        ("It has 6 of the tunable loops.", ""),  # of what, is not told
        ("Smc5/6 engagements drive the chip.", ""),  # no count
        ("The third chip has 12 input channels.", ""),  # a row: its head has the thing
    ],
)
def test_so_many_of_what(sentence: str, number: str) -> None:
    source = [
        "The first chip has 32 channels, the second 64.",
        "A loop of 6 mm is tunable, and Smc5/6 drives it.",
        "| third | 12 |",
    ]
    assert find_misplaced(sentence, [source], "Chips, input") == number


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("The noise was 1000 electrons.", "1000 electrons"),
        ("The noise was less than 1000 electrons.", ""),
        ("A noise of 1000 electrons is required.", ""),
        ("Half of it, 50%, came from abroad.", "50%"),
        ("The current is 5 A.", ""),  # elsewhere it is the value
        ("The voltage is 90 V.", ""),  # is nowhere: another check's
    ],
)
def test_a_limit_is_no_value(sentence: str, number: str) -> None:
    source = [
        "A noise of less than approximately 1000 electrons is required.",
        "Over 50% of the hours came from abroad.",
        "The current must stay below 5 A.",
        "It was 5 A in March.",
    ]
    assert find_limit(sentence, [source]) == number
