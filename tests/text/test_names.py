"""A name asked for is that of one author, however it is written."""

import doctest

import pytest

from dunegpt.text import names
from dunegpt.text.names import has_person, split_people

TARA = [
    ["Tara Smith"],
    ["Smith, Tara"],
    ["TARA SMITH"],
    ["Li Wu", "Tara Ann Smith"],
    ["Dr. Tara Smith (FNAL)"],
    ["Smith, Tara; Wu, Li"],
    ["Li Wu and Tara Smith"],
    ["Li Wu, Tara Smith"],
    ["Smith, Tara, Wu, Li"],
    ["Tara Smith, Jr."],
    ["Smith, Tara Ann"],
]
OTHERS = [
    ["Li Smith", "Tara Smythe"],
    ["Smith, Li", "Smythe, Tara"],
    ["Li Smith, Tara Smythe"],
    ["Smith, Li; Smythe, Tara"],
    ["Smith, Li, Smythe, Tara"],
    ["Li Smith and Tara Smythe"],
    ["Li Smith & Tara Smythe"],
    ["Tara Smithers"],
    ["Smith, Taraneh"],
    ["Tara", "Smith"],
    [],
]


def test_examples() -> None:
    assert doctest.testmod(names).failed == 0


@pytest.mark.parametrize("wanted", ["Tara Smith", "smith, tara", "T. Smith", "Smith T"])
def test_one_person(wanted: str) -> None:
    for authors in TARA:
        assert has_person(authors, wanted), authors
    for authors in OTHERS:
        if "Taraneh" not in str(authors) or "ara" in wanted:
            assert not has_person(authors, wanted), authors


@pytest.mark.parametrize(
    ("author", "wanted", "expected"),
    [
        ("T. Smith", "T. Smith", True),
        ("Tom T. Smith", "T. T. Smith", True),
        ("Tom Smith", "T. T. Smith", False),
        ("T. Smith", "Tara Smith", False),  # maybe Tom
        ("Julia Smith", "Li Smith", False),
        ("Zoë Müller", "zoe muller", True),
        ("Zoe\u0308 Mu\u0308ller", "Zoë Mueller", True),
        ("Mueller", "Müller", True),
        ("Bjørn Łukasz", "bjorn lukasz", True),
        ("Jean-Pierre O\u2019Neill", "O'Neill Jean", True),
        ("Jean-Pierre Dupont", "J.-P. Dupont", True),
        ("van der Berg, Ada Maria", "ada van der berg", True),
        ("Smith, Tara", "smith", True),
        ("Smith, Tara", "T.", False),
        ("Smith, Tara", "", False),
        ("李 小龙", "李", True),
        ("APA Consortium", "the APA consortium", False),
        ("APA Consortium", "apa consortium", True),
        (
            "Science and Technology Facilities Council",
            "Science and Technology Facilities Council",
            True,
        ),
    ],
)
def test_spellings(author: str, wanted: str, *, expected: bool) -> None:
    assert has_person([author], wanted) == expected


def test_people() -> None:
    assert split_people("") == []
    assert split_people("Smith") == ["Smith"]
    assert split_people("Wu, Smith, Okonjo") == ["Wu", "Smith", "Okonjo"]
