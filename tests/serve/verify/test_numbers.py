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


@pytest.mark.parametrize(
    ("source", "sentence", "missing"),
    [
        ("It uses 60 l/h.", "It uses 1,440 litres a day.", ""),
        ("It uses 60 l/h.", "It uses 1,240 litres a day.", "1,240 litres"),
        ("It wrote 84 TB in 36 days.", "On average it wrote 2.3 TB per day.", ""),
        ("It wrote 84 TB in 36 days.", "On average it wrote 3.2 TB per day.", "3.2 TB"),
        ("Off from 23:30 to 01:00.", "It was off for an hour and a half.", ""),
        ("Warm from 3 May to 6 May.", "It was warm for three days.", ""),
        ("Warm from 3 May to 6 May.", "It was warm for five days.", "five days"),
        ("Begun in 2019, ended in 2021.", "It ended two years later.", ""),
        ("30 of the 40 tiles work.", "75 % of the tiles work.", ""),
        ("30 of the 40 tiles work.", "Three quarters of the tiles work.", ""),
        ("Of 150, 100 passed and 38 failed.", "The remaining 12 were not tested.", ""),
        ("The gap was halved.", "The gap shrank by a factor of two.", ""),
        ("The gap was halved.", "The gap shrank by a factor of three.", "three"),
        ("Wires A, B and C.", "The other two are thinner than A.", ""),
        ("Modules 12-15 are broken.", "Four modules are broken.", ""),
        ("5 ms were asked for, 7.5 ms reached.", "It is half as much again.", ""),
    ],
)
def test_what_a_reader_can_redo(source: str, sentence: str, missing: str) -> None:
    found = find_missing_number(sentence, source, [source])
    assert found.startswith(missing) if missing else found == ""
