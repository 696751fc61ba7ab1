"""Times in the words of a question: what is found, and where nothing must be found."""

import datetime as dt

import pytest

from dunegpt.serve.question.dates import find_time_expressions

TODAY = dt.date(2026, 11, 26)  # a Thursday


def found(question: str) -> list[tuple[str, str, str]]:
    return [
        (question[t.start : t.end], str(t.first or ""), str(t.last or ""))
        for t in find_time_expressions(question, TODAY)
    ]


@pytest.mark.parametrize(
    ("question", "text", "first"),
    [
        ("Why was the voltage lowered last year?", "last year", "2025-01-01"),
        ("What was installed last month", "last month", "2026-10-01"),
        ("What happened last week?", "last week", "2026-11-16"),
        ("What happened yesterday?", "yesterday", "2026-11-25"),
        ("What was installed this year?", "this year", "2026-01-01"),
        ("What changed in the last three months?", None, "2026-08-26"),
        ("What changed over the past 10 days?", None, "2026-11-16"),
        ("Which pumps failed in the last two years?", None, "2024-11-26"),
        ("What changed since March 2024?", "since March 2024", "2024-03-01"),
        ("What changed since 2024-03-17?", "since 2024-03-17", "2024-03-17"),
        ("What changed since 17 March 2024?", "since 17 March 2024", "2024-03-17"),
        ("What changed since March 17, 2024?", None, "2024-03-17"),
        ("What changed after 2022?", "after 2022", "2022-01-01"),
        ("What changed since May?", "since May", "2026-05-01"),
        ("What changed since December?", "since December", "2025-12-01"),
        ("What changed since last week?", "since last week", "2026-11-16"),
    ],
)
def test_a_time_of_what_is_asked_gives_a_first_day_only(
    question: str, text: str | None, first: str
) -> None:
    [(words, since, until)] = found(question)
    assert (since, until) == (first, "")
    assert words == (text or words)


@pytest.mark.parametrize(
    ("question", "days"),
    [
        ("talks in 2023 about purity", ("2023-01-01", "2023-12-31")),
        ("minutes of March 2024", ("2024-03-01", "2024-03-31")),
        ("What did Okonjo report in 2023?", ("2023-01-01", "2023-12-31")),
        ("notes written before 2020", ("", "2019-12-31")),
        ("slides until May 2023 on CRP", ("", "2023-05-31")),
        ("papers published between 2019 and 2021", ("2019-01-01", "2021-12-31")),
        ("talks last year on xenon", ("2025-01-01", "2025-12-31")),
        ("log entries on 5 October 2026", ("2026-10-05", "2026-10-05")),
        ("documents from 2024-02", ("2024-02-01", "2024-02-29")),
    ],
)
def test_a_time_of_documents_gives_both(question: str, days: tuple[str, str]) -> None:
    [(_, *both)] = found(question)
    assert tuple(both) == days


@pytest.mark.parametrize(
    "question",
    [
        "What does the 2018 Interim Design Report say?",
        "What was run 2023?",
        "What is the length in 2023 units?",
        "What happened on 5 October 2026?",
        "What was the drift field in 2023?",
        "What was the drift field before 2020?",
        "Which document says what the field was in 2023?",
        "What will be installed this year?",
        "What is planned since March 2024?",
        "Which milestones are due in the last two months of 2027?",
        "What is the drift field this year?",
        "What is the beam status today?",
        "Is the purity better than last year?",
        "What did last week's meeting decide?",
        "How many events had the last year of running?",
        "What stands in the last section?",
        "What happened the last time?",
        "Does the current rise after 2000 V?",
        "Which runs were taken after 2030?",
        "What may happen after march or may?",
        "What was installed before last year?",
        "Talks in the year 12345",
        "notes of 31 February 2024",
        "1999 and 2001",
        "",
    ],
)
def test_nothing(question: str) -> None:
    assert found(question) == []


def test_long_questions_take_no_time() -> None:
    for piece in ("did report talk in 2023 ", "the last ", "by 2023 and 2024 "):
        list(find_time_expressions(piece * (4000 // len(piece)), TODAY))
