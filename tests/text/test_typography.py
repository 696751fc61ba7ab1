"""Tests of raised, lowered and symbol-font characters as Unicode text."""

# ruff: noqa: RUF001 - the signs are the subject

import pytest

from dunegpt.text.typography import (
    UNKNOWN,
    decode_symbol,
    decode_symbols,
    join_runs,
    to_subscript,
    to_superscript,
)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        ("6", "⁶"), ("-9", "⁻⁹"), ("\u221210", "⁻¹⁰"), ("\u201312", "⁻¹²"),
        ("+", "⁺"), ("n+1", "ⁿ⁺¹"), ("x/2", "^(x/2)"), ("0.5", "^(0.5)"),
        (" 3 ", " ³ "), ("", ""), (" ", " "), ("²", "²"), ("th", "th"), ("o", "°"),
        ("(a)", " [note a]"), ("3)", " [note 3]"),
        ("(n)", " [note n]"), ("(n+1)", "⁽ⁿ⁺¹⁾"), ("*", "*"), ("/", "/"),
        ("TM", "™"), ("μ", "^(μ)"),
    ],
)  # fmt: skip
def test_raised_text_keeps_its_meaning_on_the_line(raised: str, expected: str) -> None:
    assert to_superscript(raised) == expected


@pytest.mark.parametrize(
    ("lowered", "expected"),
    [("2", "₂"), ("e", "ₑ"), ("max", "ₘₐₓ"), ("HV", "_(HV)"), ("4-", "₄₋"), ("", "")],
)
def test_lowered_text_keeps_its_meaning_on_the_line(
    lowered: str, expected: str
) -> None:
    assert to_subscript(lowered) == expected


def test_neighbouring_runs_of_one_kind_are_one_script() -> None:
    runs = [("10", ""), ("x", "super"), ("", ""), ("/2", "super"), (" of H", "")]
    assert join_runs([*runs, ("2", "sub"), ("O", "")]) == "10^(x/2) of H₂O"  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("code", "font", "expected"),
    [
        (0xF06D, "Symbol", "µ"), (0xF057, "Symbol", "Ω"), (0xF0B1, "Symbol", "±"),
        (0xF0A3, "Symbol", "≤"), (0xF0B3, "Symbol", "≥"), (0xF02D, "Symbol", "−"),
        (0xF0B4, "Symbol", "×"), (0xF0B0, "Symbol", "°"), (0xF074, "Symbol", "τ"),
        (0x6D, "Symbol", "µ"), ("\uf0ae", "", "→"), (0xF0FE, "Wingdings", "☑"),
        (0xF0A8, "Wingdings", "☐"), (0xF078, "Wingdings", "☒"),
        (0xF0E0, "Wingdings", "→"),
        (0xF050, "Wingdings 2", "✓"), (0xF0B7, "ABCDEF+SymbolMT", "•"),
        (0xF041, "Company Logos", ""), (0xF0FF, "Symbol", ""),
        (0x2612, "MS Gothic", "☒"),
    ],
)  # fmt: skip
def test_symbols_become_the_characters_that_they_show(
    code: int | str, font: str, expected: str
) -> None:
    assert decode_symbol(code, font) == expected


def test_letters_are_signs_only_in_a_font_of_signs() -> None:
    assert decode_symbols("m = 5", "Arial") == ("m = 5", 0)
    assert decode_symbols("W \u00b1 \u2264", "Symbol") == ("Ω ± ≤", 0)


def test_unknown_symbols_are_marked_and_counted() -> None:
    assert decode_symbols("a \uf0ff \uf06d", "Arial") == (f"a {UNKNOWN} µ", 1)
