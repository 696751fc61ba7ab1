"""Spaces between thousands are kept apart from spaces between words."""

import pytest

from dunegpt.ingest.extract.clean import clean_text, join_row, to_one_line
from dunegpt.text.quantities import find_quantities


@pytest.mark.parametrize("space", ["\u00a0", "\u2007", "\u2009", "\u202f"])
def test_spaces_between_thousands_are_part_of_the_number(space: str) -> None:
    text = " a 180 000 of 1 250 000 m, 5 1234".replace(" ", space)
    assert f"180{space}000" in text
    cleaned = "a 180\u202f000 of 1\u202f250\u202f000 m, 5 1234"
    assert clean_text(text) == to_one_line(text) == cleaned
    assert clean_text(cleaned) == cleaned
    assert join_row([text, "b"]) == f"{cleaned} | b"
    assert [q.value for q in find_quantities(cleaned)] == [180000, 1250000, 5, 1234]


def test_other_spaces_are_plain() -> None:
    assert clean_text("475\u00a0V/cm,\u202f123\u2009mm") == "475 V/cm, 123 mm"
