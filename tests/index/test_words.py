"""Words: compounds whole and in parts, decimals whole, stop words, stems."""

import pytest

from dunegpt.index.words import humps, symbols, words


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
        (
            "PDSPTPCRawDecoder::produce",
            ["pdsptpcrawdecoder::produce", "pdsptpcrawdecod", "produc"],
        ),
        (
            "physics.producers.caldata",
            ["physics.producers.caldata", "physic", "produc", "caldata"],
        ),
        ("note: this", ["note"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_compound_is_found_by_itself_and_by_its_parts() -> None:
    indexed = set(words("See DUNE-doc-12345-v3 for the value."))
    for asked in ("dune-DOC-12345-v3", "12345", "DUNE doc"):
        assert set(words(asked)) <= indexed
    assert not set(words("12346")) & indexed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("computeDriftVelocity", "compute Drift Velocity"),
        ("PDSPTPCRawDecoder", "PDSPTPC Raw Decoder"),
        ("drift_velocity", ""),
        ("plain words, 475 V/cm, run005141", ""),
        ("hitFinder2Pass", "hit Finder 2 Pass"),
    ],
)
def test_humps(text: str, expected: str) -> None:
    assert " ".join(humps(text)) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("computeDriftVelocity", ["computeDriftVelocity"]),
        ("where is PDSPTPCRawDecoder::produce?", ["PDSPTPCRawDecoder::produce"]),
        ("what does produce() return", ["produce"]),
        ("drift_velocity", ["drift_velocity"]),
        ("decoder->unpack", ["decoder.unpack"]),
        ("What is the drift velocity at 500 V/cm?", []),
        ("e-log entry 8812", []),
    ],
)
def test_symbols(question: str, expected: list[str]) -> None:
    assert symbols(question) == expected
