"""Words: compounds whole and in parts, decimals whole, stop words, stems."""

import pytest

from dunegpt.index.words import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DUNE-doc-12345-v3", ["dune-doc-12345-v3", "dune", "doc", "12345", "v3"]),
        ("v15_01_00", ["v15_01_00", "v15", "01", "00"]),
        ("standard_g4.fcl", ["standard_g4.fcl", "standard", "g4", "fcl"]),
        ("run005141", ["run005141", "5141"]),
        (
            "np04_run005141.root",
            ["np04_run005141.root", "np04", "run005141", "5141", "root"],
        ),
        (
            "00005141 and 2024, CD133, 0001",
            ["00005141", "5141", "2024", "cd133", "0001"],
        ),
        ("475 V/cm", ["475", "v/cm", "v", "cm"]),
        ("0.042", ["0.042"]),
        ("192.168.0.1 at 10:30", ["192.168.0.1", "10:30"]),
        ("-180 kV.", ["180", "kv"]),
        ("the purity of the argon", ["puriti", "argon"]),
        ("measured measuring measures", ["measur"] * 3),
        ("Müller Čerenkov", ["müller", "čerenkov"]),
        ("", []),
        ("?! … 🚀 --- ___", []),
        ("what is it and why", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_compound_is_found_by_itself_and_by_its_parts() -> None:
    indexed = set(words("See DUNE-doc-12345-v3 for the value."))
    for asked in ("dune-DOC-12345-v3", "12345", "DUNE doc"):
        assert set(words(asked)) <= indexed
    assert not set(words("12346")) & indexed
