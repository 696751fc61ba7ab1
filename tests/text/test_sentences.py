"""Sentences of captions: the number of a figure is no sentence of its own."""

import pytest

from dunegpt.text.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Fig. 4. Pressure over time.", ["Fig. 4. Pressure over time."]),
        (
            "FIG. 15. (color online) Velocity. The points are data.",
            ["FIG. 15. (color online) Velocity.", "The points are data."],
        ),
        ("Figure 2.1. Layout of the cage.", ["Figure 2.1. Layout of the cage."]),
        (
            "It is cold.\n\nTable 3. Sizes of modules.",
            ["It is cold.", "Table 3. Sizes of modules."],
        ),
        (
            "It is seen in Figure 4. It has a lid.",
            ["It is seen in Figure 4.", "It has a lid."],
        ),
    ],
)
def test_a_caption_keeps_its_number(text: str, sentences: list[str]) -> None:
    assert list(split_sentences(text)) == sentences
