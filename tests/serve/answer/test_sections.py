"""The first sentence of a block of a document."""

import pytest

from dunegpt.serve.answer.sections import find_lead


@pytest.mark.parametrize(
    ("block", "lead"),
    [
        ("7.", ""),
        ("12 / 40", ""),
        ("3. Close the valve first. Then wait.", "Close the valve first."),
        ("The pump runs. It is loud.", "The pump runs."),
        ("Spare parts", "Spare parts"),
    ],
)
def test_a_bare_number_is_no_sentence(block: str, lead: str) -> None:
    assert find_lead(block) == lead
