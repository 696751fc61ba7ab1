"""Markdown and TeX, as models write them."""

import pytest

from dunegpt.serve.answer.plain_text import clean_sentence, is_reference_list


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**Answer:** The gain is **12** [1].", "The gain is 12 [1]."),
        ("- The gain is 12 [1].", "The gain is 12 [1]."),
        ("2. The gain is 12 [1].", "The gain is 12 [1]."),
        ("### The gain", "The gain"),
        (r"It is $1.6\,\mathrm{mm/\mu s}$ [1].", "It is 1.6 mm/μs [1]."),
        (r"It is \(45^{\circ}\) and $\pm 2\%$ [1].", "It is 45° and ±2% [1]."),
        (
            r"Up to $10^{-6}$ and $3 \times 10^{5}$ [1].",
            "Up to 10^-6 and 3 \u00d710^5 [1].",
        ),
        (r"It is \qty{5}{kV}.", "It is 5 kV."),
        (
            "Run `a **b** c` with snake_case_name [1].",
            "Run `a **b** c` with snake_case_name [1].",
        ),
        ("2024 was cold [1].", "2024 was cold [1]."),
    ],
)
def test_clean_sentence(text: str, plain: str) -> None:
    assert clean_sentence(text) == plain


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Sources:", True),
        ("**References**", True),
        ("[1] purity-note.pdf", True),
        ("[2]: Minutes of May", True),
        ("[1] It is cold.", False),
        ("It is cold [1].", False),
    ],
)
def test_lists_of_sources(text: str, is_one: bool) -> None:
    assert is_reference_list(text) is is_one
