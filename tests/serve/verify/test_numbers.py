"""Numbers, dates and limits that a source has, or that follow from it."""

import pytest

from dunegpt.serve.verify.limits import find_wrong_limit
from dunegpt.serve.verify.numbers import find_missing_number, fold_digits

SOURCE = [
    "Crate 1 holds 12 boards and crate 2 holds 18 boards.",
    "Each board has 64 channels.",
    "Run 7 began on Wednesday, 13 March 2024, at 08:10, and ended at 13:40.",
    "The efficiency is 94 % for muons and 71 % for protons.",
    "The supply tripped in week 2, week 5 and week 9.",
    "The slope is 45^(\u2218), and the tank of 58.4 t is 8.4 m high.",
    "The pressure is at most 1.2 bar and the flow at least 5 l/s.",
    "The level stays between 2 m and 3 m.",
    "The note of July 2023 gives about 100 events per hour.",
]


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("Together they hold 30 boards.", ""),
        ("Together they hold 32 boards.", "32"),
        ("Crate 2 holds six more boards.", ""),
        ("Crate 2 holds nineteen more boards.", "nineteen"),
        ("The efficiency is lower by 23 percentage points for protons.", ""),
        ("The efficiency is lower by 33 percentage points for protons.", "33"),
        ("It tripped in three of the weeks.", ""),
        ("Twelve boards are in crate 1.", ""),
        ("Thirteen boards are in crate 1.", "Thirteen"),
        ("Twenty-one boards are in crate 1.", "Twenty-one"),
        ("The run lasted five and a half hours, 5.5 hours.", ""),
        ("The run began in March.", ""),
        ("The run began in spring on a Wednesday.", ""),
        ("The run began in April.", "April"),
        ("The run began in autumn.", "autumn"),
        ("The run began on a Friday.", "Friday"),
        ("There were 2024 boards.", "2024"),
        ("In 2024 the run began.", ""),
        ("The slope is 45°.", ""),
        ("The slope is 46°.", "46°"),
        ("The tank holds 58,400 kg.", ""),
        ("A third of the boards is in crate 1.", "A third"),
        ("The tank holds ⑤⑨ t.", "59 t"),
        ("The tank holds ⁵⁹ t.", "59 t"),
        ("The tank holds ¾ t.", "0.75 t"),
        ("It measured one millisecond.", "one millisecond"),
    ],
)
def test_missing(sentence: str, missing: str) -> None:
    assert find_missing_number(sentence, "\n".join(SOURCE), SOURCE) == missing


@pytest.mark.parametrize(
    ("sentence", "number"),
    [
        ("The pressure is at most 1.2 bar.", ""),
        ("The pressure is no more than 1.2 bar.", ""),
        ("The pressure stays below 1.2 bar.", ""),
        ("The pressure is at least 1.2 bar.", "1.2 bar"),
        ("The pressure is 1.2 bar.", "1.2 bar"),
        ("The flow must not be less than 5 l/s.", ""),
        ("The flow is less than 5 l/s.", "5 l/s"),
        ("The level is above 3 m.", "3 m"),
        ("The level is above 2 m.", ""),
        ("Exactly 100 events per hour are given.", "100"),
        ("The run took 30 minutes, about 100 events.", ""),
    ],
)
def test_limits(sentence: str, number: str) -> None:
    assert find_wrong_limit(sentence, SOURCE) == number


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("①⑤⓪ TB", "150 TB"),
        ("4 m² at 10⁻⁶", "4 m² at 10⁻⁶"),
        ("³⁹Ar and H₂O", "³⁹Ar and H₂O"),
        ("\uff11\uff19\uff15 and \u0662\u0669", "195 and 29"),
        ("½ and 1½", "0.5 and 1 0.5"),
    ],
)
def test_digits_of_all_scripts(text: str, folded: str) -> None:
    assert fold_digits(text) == folded
