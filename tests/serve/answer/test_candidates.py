"""What of a passage may answer, and how it is shown."""

from dataclasses import replace

import pytest

from dunegpt.serve.answer.candidates import (
    Candidate,
    Kind,
    clean_markup,
    extract_candidates,
    format_answer,
)
from dunegpt.text.sentences import MAX_QUOTE
from tests.serve.answer.references import hit


def shown(text: str) -> list[str]:
    return [candidate.shown for candidate in extract_candidates(hit(text))]


def find(text: str, word: str) -> Candidate:
    return next(c for c in extract_candidates(hit(text)) if word in c.text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Note:** the *lid* is `open`.", "Note: the lid is open."),
        ("## Valves", "Valves"),
        ("- [ ] Close V1", "[ ] Close V1"),
        ("* See [the plan](https://larch.test/plan).", "See the plan (https://larch.test/plan)."),
        ("See [below](#valves).", "See below."),
        ("![A plot](plot.png) of 3 runs", "A plot of 3 runs"),
        ("> It is<br/>cold.", "It is cold."),
        ("a_b * c_d * 2 and x**2", "a_b * c_d * 2 and x**2"),
        ("p < 5 and q > 3", "p < 5 and q > 3"),
    ],
)  # fmt: skip
def test_markup_is_not_shown(text: str, expected: str) -> None:
    assert clean_markup(text) == expected


@pytest.mark.parametrize(
    "table",
    [
        "| Valve | Limit |\n|---|---|\n| V1 | 3 bar |\n| V10 | 5 bar |",
        "Valve   Limit\nV1      3 bar\nV10     5 bar",
        "Valve\tLimit\nV1\t3 bar\nV10\t5 bar",
    ],
)
def test_a_row_has_the_names_of_its_columns(table: str) -> None:
    assert shown(table)[1:] == ["Valve: V1; Limit: 3 bar", "Valve: V10; Limit: 5 bar"]
    row = find(table, "V10")
    assert row.kind is Kind.ROW
    assert row.text in table


def test_a_line_with_gaps_is_no_row() -> None:
    assert shown("Larch laboratory     2 May 2024") == ["Larch laboratory 2 May 2024"]


def test_keys_and_values_name_no_columns() -> None:
    assert shown("| Mass | 3 kg |\n| Length | 2 m |")[1] == "Length; 2 m"


def test_another_table_has_its_own_header() -> None:
    rule = "|---|---|"
    one, other = f"| A | B |\n{rule}\n| 1 | 2 |", f"| C | D |\n{rule}\n| 3 | 4 |"
    assert shown(f"{one}\n\nText between.\n\n{other}")[-1] == "C: 3; D: 4"


def test_a_line_has_its_heading() -> None:
    text = "# On call\n\n## Week 7\n\n- Cold: Ines\n\n## Week 8\n\n- Cold: Pavel"
    assert format_answer(find(text, "Pavel")) == "Week 8: Cold: Pavel"
    sentence = "# 2.1 Lid\n\nThe seal is made of copper.\n\n- brass, once"
    assert format_answer(find(sentence, "seal")) == "The seal is made of copper."
    assert format_answer(find(sentence, "brass")) == "Lid: brass, once"


def test_a_pronoun_has_its_sentence_before() -> None:
    text = "The pump came in May. It weighs 40 kg."
    assert format_answer(find(text, "40")) == text


@pytest.mark.parametrize("start", ["Therefore it", "Because of this it", "These"])
def test_a_sentence_that_refers_back_is_read_with_the_one_before(start: str) -> None:
    found = find(f"Two pumps are worn. {start} will be replaced.", start)

    assert found.statement == f"Two pumps are worn. {start} will be replaced."
    assert found.with_context.endswith(found.statement)


def test_a_line_that_ends_in_a_colon_has_its_list() -> None:
    text = "The crew provides:\n\n- two pumps\n- a spare lid\n\nThe rest is late."

    assert format_answer(find(text, "crew")) == (
        "The crew provides: two pumps; a spare lid"
    )


def test_an_item_has_the_line_that_introduces_its_list() -> None:
    text = "# Crew\n\nThe crew provides:\n\n- two pumps\n- a spare lid"

    assert format_answer(find(text, "lid")) == "The crew provides: a spare lid"


def test_a_quoted_message_is_told_apart() -> None:
    mail = (
        "No, keep 3 bar.\n\nOn Mon, 6 May 2024, Ines <i@larch.test> wrote:\n"
        "> Shall we take 5 bar?\n> It would be faster."
    )
    assert not find(mail, "3 bar").is_quoted
    assert find(mail, "5 bar").is_quoted
    assert "earlier message" in format_answer(find(mail, "5 bar"))
    forwarded = "Fine.\n\n-----Original Message-----\nPlease order six."
    assert find(forwarded, "six").is_quoted


def test_long_lines_are_cut_between_words() -> None:
    text = " ".join(f"word{n}" for n in range(200))
    found = list(extract_candidates(hit(text)))
    assert len(found) > 1
    assert all(len(candidate.text) <= MAX_QUOTE for candidate in found)
    assert " ".join(candidate.text for candidate in found) == text


def test_what_has_no_words_is_no_candidate() -> None:
    assert shown("---\n\n* * *\n\nIt is cold.") == ["It is cold."]


def test_context_has_title_and_headings() -> None:
    own = hit("# Valves\n\nV1 leaks.", title="Status")
    own = replace(own, passage=replace(own.passage, heading="Monday"))
    [sentence] = extract_candidates(own)
    assert sentence.context == "Status - Monday - Valves"
    assert sentence.with_context == "Status - Monday - Valves. V1 leaks."
