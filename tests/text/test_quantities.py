"""Numbers, units and dates: what a source has of a sentence."""

# ruff: noqa: RUF001 - times signs are part of numbers

import pytest

from dunegpt.text.quantities import find_missing, find_quantities


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("10,000 t", "10 kt"),
        ("57 kV", "57.3 kV"),
        ("about 1,300 L", "1312 L"),
        ("more than 1,300 visitors", "1,312 visitors"),
        ("-180 kV", "a voltage of minus 180 kV"),
        ("\u2212180 kV", "-180 kV"),
        ("5.0 kV", "5.0 ± 0.2 kV"),
        ("0.2 kV", "5.0 ± 0.2 kV"),
        ("10 kV", "from 10 to 20 kV"),
        ("20 kV", "10\u201320 kV"),
        ("2 m", "2 x 3 x 4.5 m"),
        ("three detectors", "3 detectors"),
        ("12 panels", "twelve panels"),
        ("1.3 million", "1,300,000"),
        ("87 K", "-186.15 °C"),
        ("20 °C", "68 °F"),
        ("5 %", "5 percent"),
        ("0.5 ppm", "500 ppb"),
        ("1e5 electrons", "10^5 electrons"),
        ("10⁻⁶ mbar", "1.0 x 10^-6 mbar"),
        ("475 V/cm", "0.475 kV/cm"),
        ("47.5 kV/m", "475 V / cm"),
        ("7 m/s", "7 meters per second"),
        ("30 min", "0.5 h"),
        ("2 GB", "2000 MB"),
        ("$5", "5 dollars"),
        ("12.7 mm", "0.5 in"),
        ("13 mm", "half an inch, 0.50 in"),
        ("12 photons", "12 of the photons"),
        ("4 m²", "4 m^2"),
        ("17 May 2024", "2024-05-17"),
        ("May 17, 2024", "17.5.2024"),
        ("May 2024", "2024-05-17"),
        ("in 2024", "2024-05-17"),
        ("at 9:30", "09:30"),
        ("the field of 57 kV", "Voltage (kV)\n57"),
        ("one of them", "two"),
        ("1e6 events", "10⁶ events"),
        ("10^{6} events", "10⁶ events"),
        ("5.0 × 10²⁵ protons", "5e25 protons"),
        ("5.0e25 protons", "5.0 \u22c5 10^{25} protons"),
        ("2.3 µs", "(2.3 ± 0.1) × 10⁻⁶ s"),
        ("0.1 µs", "(2.3 ± 0.1) × 10⁻⁶ s"),
        ("2.3e-6 s", "2.3(1) × 10⁻⁶ s"),
        ("5 kV", "(5 ± 1) kV"),
        ("0.95e-38 cm²", "(0.95 ± 0.02 (stat)) cm², (0.95 ± 0.03) × 10⁻³⁸ cm²"),
        ("180 kV", "180,000 V"),
        ("180 kV", "180 000 V"),
        ("180,000", "180\u202f000"),
        ("180,000", "180\u2019000"),
        ("1250000", "1 250 000"),
        ("98.5 %", "98,5 %"),
        ("1024 bins", "2¹⁰ bins"),
        ("-40 °C", "at \u201340 °C"),
        ("152 µm", "152 \u03bcm"),
        ("50 kΩ", "50000 Ω"),
        ("2.5e-9 mbar L s⁻¹", "2.5 × 10⁻⁹ mbar L/s"),
        ("10^8 cm^-2 s^-1", "10⁸ cm⁻² s⁻¹"),
        ("10³ Bq per m³", "1000 Bq/m^3"),
        ("4.2 MCHF", "4200 kCHF"),
    ],
)
def test_there(sentence: str, source: str) -> None:
    assert find_missing(sentence, source) == []


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("57.3 kV", "57 kV"),
        ("57.4 kV", "57.3 kV"),
        ("1,300 L", "1312 L"),
        ("about 1,500 L", "1312 L"),
        ("60 kV", "57.3 kV"),
        ("1 V", "1.4 V"),
        ("180 kV", "-180 kV"),
        ("15 kV", "10-20 kV"),
        ("two", "three"),
        ("475 V", "475 kV"),
        ("35 ms", "35 s"),
        ("3 Hz", "3 m"),
        ("57 m", "Voltage (kV)\n57"),
        ("57 m", "57 of them, each 5 m long"),
        ("1 m wide", "1-cm wide, 5-m long"),
        ("10 kt", "10 t"),
        ("5 ppm", "5 ppb"),
        ("87 K", "87 °C"),
        ("4 m²", "4 m"),
        ("run 5141", "run 5142"),
        ("1e-6 mbar", "1e6 mbar"),
        ("18 May 2024", "2024-05-17"),
        ("June 2024", "2024-05-17"),
        ("17 May 2024", "May 2024"),
        ("2025", "2024-05-17"),
        ("at 10:30", "10:31"),
        ("5", ""),
        ("106 events", "10⁶ events"),
        ("10 events", "10⁶ events"),
        ("103 Hz", "10³ Hz"),
        ("2 bins", "2¹⁰ bins"),
        ("2.3 s", "(2.3 ± 0.1) × 10⁻⁶ s"),
        ("5 %", "98,5 %"),
        ("180 V", "180 000 V"),
        ("100 ppt", "2 x 10² ppt"),
        ("2 MCHF", "4.2 MCHF"),
        ("4.2 kCHF", "4.2 MCHF"),
    ],
)
def test_missing(sentence: str, source: str) -> None:
    assert find_missing(sentence, source)


def test_as_it_is_written() -> None:
    assert find_missing("It takes 12 s and 57 kV.", "12 s, 57 V") == ["57 kV"]
    found = find_quantities("from -57.0 kV to 1,300 V/cm, 10-20 of them")
    assert [(q.value, q.unit) for q in found] == [
        (-57.0, "kV"),
        (1300.0, "V/cm"),
        (10.0, ""),
        (20.0, ""),
    ]


@pytest.mark.parametrize("text", ["LTS-0003", "v15_01_00", "FD1-HD", "", "abc"])
def test_parts_of_identifiers_are_no_numbers(text: str) -> None:
    assert find_quantities(text) == []


@pytest.mark.parametrize(
    "text", ["9" * 400, "1" + ",000" * 200, "10^" + "9" * 30, "0 K"]
)
def test_odd_numbers_end(text: str) -> None:
    assert find_missing(text, text) == []


@pytest.mark.parametrize(
    ("sentence", "source", "gone"),
    [
        ("It is the 2nd run.", "the 2nd run of 5", []),
        ("It is the 2nd run.", "the second run", []),
        ("It is the 12th run.", "the 12TH run", []),
        ("It is the 1st run.", "one run of 1 h", ["1st"]),
        ("It is the 3rd run.", "the 13rd of 3 runs", ["3rd"]),
        ("It ran on March 5th.", "on 5 March", []),
    ],
)
def test_ordinals(sentence: str, source: str, gone: list[str]) -> None:
    assert find_missing(sentence, source) == gone
