"""Units: our definitions against pint's own, and those that pint cannot tell."""

from collections.abc import Iterator
from typing import Any

import pint
import pytest

from dunegpt.text import units
from dunegpt.text.quantities import find_missing
from dunegpt.text.units import parse_unit

COUNTED = {
    "electron", "photon", "photoelectron", "euro", "dollar", "franc", "ppb", "ppt",
}  # fmt: skip
"""Not in pint's own definitions, or another thing there."""


@pytest.fixture(scope="module")
def full_registry() -> Any:
    """Pint with all its own definitions."""
    return pint.UnitRegistry()


def simple_names() -> Iterator[str]:
    """Yield the units that a number may be followed by, products and powers aside."""
    yield from units._ALIASES
    yield from units._SPELLED
    yield from (f"{word}s" for word in units._SPELLED)
    for prefix in ("", *units._PREFIXES):
        yield from (prefix + symbol for symbol in units._SYMBOLS)


@pytest.mark.slow
def test_simple_units_are_those_of_pint(full_registry: Any) -> None:
    compared = 0
    for name in simple_names():
        found = parse_unit(name)
        pint_name = units._to_pint(name)
        if found is None or any(pint_name.endswith(own) for own in COUNTED):
            continue
        spelled = pint_name.replace("Torr", "torr")
        if spelled in {"ton", "kiloton"}:
            spelled += "ne"  # here a ton is metric
        amount = full_registry.Quantity(1.0, spelled).to_base_units()
        assert found[1] == pytest.approx(amount.magnitude, rel=1e-12), name
        assert (found[0] in {"share", "angle"}) == amount.dimensionless, name
        compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    ("unit", "same", "factor"),
    [
        ("kV/cm", "V/m", 1e5),
        ("kg·m/s²", "N", 1),
        ("photons per MeV", "photon/eV", 1e-6),
        ("mTorr", "torr", 1e-3),
        ("newtons", "N", 1),
        ("kiloton", "kg", 1e6),
        ("feet", "in", 12),
        ("henries", "H", 1),
        ("μs", "s", 1e-6),
    ],
)
def test_units_of_one_dimension_convert(unit: str, same: str, factor: float) -> None:
    found, other = parse_unit(unit), parse_unit(same)
    assert found
    assert other
    assert found[0] == other[0]
    assert found[1] / other[1] == pytest.approx(factor)


def assert_unit(unit: str, dimension: str, factor: float) -> None:
    found = parse_unit(unit)
    assert found
    assert found[0] == dimension
    assert found[1] == pytest.approx(factor)


def test_b_is_a_bit_with_large_prefixes_and_a_barn_with_small_ones() -> None:
    assert_unit("Gb", "share", 1e9)
    assert_unit("GB", "share", 8e9)
    assert_unit("fb", "[length] ** 2", 1e-43)
    assert_unit("fb⁻¹", "1 / [length] ** 2", 1e43)


@pytest.mark.parametrize("unit", ["dB", "mB", "daB", "foo", "m**", "^"])
def test_what_is_no_unit_has_none(unit: str) -> None:
    assert parse_unit(unit) is None


def test_a_number_of_an_unknown_unit_is_compared_as_it_is_written() -> None:
    assert find_missing("The loss is 3 dB.", "A loss of 3 dB was seen.") == []
    assert find_missing("The loss is 3 dB.", "A loss of 4 dB was seen.") == ["3 dB"]
    assert find_missing("We have 5 fb⁻¹.", "It took 0.005 ab⁻¹.") == []
