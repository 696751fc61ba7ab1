"""Words: compounds whole and in parts, decimals whole, stop words, stems."""

# ruff: noqa: RUF001 - times signs are part of numbers

import pytest

from dunegpt.text.analyzer import find_symbols, split_camel_case, tokenize


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
    assert tokenize(text) == expected


@pytest.mark.parametrize(
    "spellings",
    [
        ("10^6", "1e6", "10⁶", "10^{6}", "10**6", "10^(6)", "1E+06", "10 ^ 6"),
        ("10⁻⁹", "1e-9", "10^-9", "10^{-9}", "10^\u22129", "1E\u221209"),
        ("2¹⁰ bins", "2^10 bins", "2^{10} bins"),
        ("cm⁻² s⁻¹", "cm^-2 s^-1", "cm^{-2} s^{-1}"),
        ("12 m²", "12 m^2", "12 m^{2}", "12 m2"),
        ("χ²", "χ^2", "χ2"),
        ("H₂O", "H2O"),
        ("¹⁴C", "14C"),
        ("Vₘₐₓ", "V_max"),
        ("5 \u00b5m", "5 \u03bcm"),
    ],
)
def test_spellings_of_powers_are_one_word(spellings: tuple[str, ...]) -> None:
    first, *others = (tokenize(spelling) for spelling in spellings)
    assert all(other == first for other in others)


def test_power_is_not_the_number_without_it() -> None:
    assert not set(tokenize("10⁶ events at 10³ Hz")) & {"106", "103", "10", "6", "3"}


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("5.0 × 10²⁵ protons", "5e25"),
        ("5.0 × 10²⁵ protons", "10^25"),
        ("50 x 10^24", "5.0e25"),
        ("180,000 V", "180000"),
        ("180\u202f000 V", "180000"),
        ("1'250'000", "1250000"),
        ("180,000 V", "180"),
    ],
)
def test_forms_of_large_numbers_are_found(text: str, asked: str) -> None:
    assert set(tokenize(asked)) & set(tokenize(text))


def test_identifiers_with_an_e_are_no_powers() -> None:
    assert tokenize("550e8400-e29b") == ["550e8400-e29b", "550e8400", "e29b"]
    assert tokenize("1,2,3 and 2024,2025,100") == ["1", "2", "3", "2024", "2025", "100"]


def test_compound_is_found_by_itself_and_by_its_parts() -> None:
    indexed = set(tokenize("See DUNE-doc-12345-v3 for the value."))
    for asked in ("dune-DOC-12345-v3", "12345", "DUNE doc"):
        assert set(tokenize(asked)) <= indexed
    assert not set(tokenize("12346")) & indexed


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
    assert " ".join(split_camel_case(text)) == expected


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
    assert find_symbols(question) == expected
