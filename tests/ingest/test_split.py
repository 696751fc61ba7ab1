"""Splitting: nothing lost, nothing invented, everything where it says it is."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunegpt.index.passage_text import CONTEXT_TOKENS, make_embedding_text
from dunegpt.ingest.headers_footers import find_body_spans
from dunegpt.ingest.split import Splitter
from dunegpt.types import Box, Figure, Page, Passage

WORDS = ["beam", "HV_CATHODE_01", "475", "V/cm", "drift.", "Purity", "(see", "ü", "-"]
GAPS = [" ", "  ", "\n", "\n\n", " \n", "\t", ". "]


def words(text: str) -> int:
    return len(text.split())


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Prose-like text with odd gaps, long words and runs without any end."""
    word = st.sampled_from(WORDS) | st.text("ab1_é\u4e2d", min_size=1, max_size=40)
    parts = draw(st.lists(st.tuples(word, st.sampled_from(GAPS)), max_size=60))
    return "".join(part for pair in parts for part in pair)


@st.composite
def page_runs(draw: st.DrawFn) -> list[Page]:
    bodies = draw(st.lists(texts() | st.text(max_size=30), max_size=6))
    headings = st.sampled_from(["", "1 Intro", "2 Purity"])
    head = draw(st.sampled_from(["", "DUNE note 7\n"]))
    numbers = [1 + 2 * n for n in range(len(bodies))]  # empty pages are left out
    return [
        Page(n, draw(headings), head + b) for n, b in zip(numbers, bodies, strict=True)
    ]


UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SPLITTERS = [
    Splitter(words, 12, 3),
    Splitter(words, 8, 0),
    Splitter(words, 8, 20),
    Splitter(len, 32, 8),
]


def split(splitter: Splitter, pages: Sequence[Page]) -> list[Passage]:
    return list(splitter.split("docdb:1:1", "a1", pages))


def verbatim(passage: Passage, pages: Sequence[Page]) -> str:
    """Return what the pages hold where the passage says that it stands."""
    spans = dict(zip([p.number for p in pages], find_body_spans(pages), strict=True))
    texts = {p.number: p.text for p in pages}
    parts = []
    for number in [n for n in texts if passage.first_page <= n <= passage.last_page]:
        start, end = spans[number]
        start = passage.start if number == passage.first_page else start
        end = passage.end if number == passage.last_page else end
        parts.append(texts[number][start:end])
    return "\n".join(parts)


@pytest.mark.parametrize("splitter", SPLITTERS, ids=["12", "8", "wide", "letters"])
@UNTIMED
@given(pages=page_runs())
def test_passages(splitter: Splitter, pages: list[Page]) -> None:
    passages = split(splitter, pages)
    covered: dict[int, set[int]] = {page.number: set() for page in pages}
    spans = dict(zip(covered, find_body_spans(pages), strict=True))
    for passage in passages:
        assert passage.text == verbatim(passage, pages)
        assert passage.text == passage.text.strip() != ""
        assert splitter.count_tokens(passage.text) <= splitter.passage_tokens
        for page in pages:
            if passage.first_page <= page.number <= passage.last_page:
                assert page.heading == passage.heading
                start, end = spans[page.number]
                start = passage.start if page.number == passage.first_page else start
                end = passage.end if page.number == passage.last_page else end
                covered[page.number] |= set(range(start, end))
    for page in pages:
        start, end = spans[page.number]
        missed = [i for i in range(start, end) if i not in covered[page.number]]
        assert not "".join(page.text[i] for i in missed).strip()


@pytest.mark.parametrize("splitter", SPLITTERS[:3], ids=["12", "8", "wide"])
@UNTIMED
@given(pages=page_runs())
def test_passages_go_forward(splitter: Splitter, pages: list[Page]) -> None:
    """Each begins and ends after the one before it: none is only an overlap."""
    passages = split(splitter, pages)
    starts = [(p.first_page, p.start) for p in passages]
    ends = [(p.last_page, p.end) for p in passages]
    assert starts == sorted(set(starts))
    assert ends == sorted(set(ends))
    assert [p.record for p in passages] == sorted(p.record for p in passages)
    assert all((p.document_id, p.file_key) == ("docdb:1:1", "a1") for p in passages)


PROSE = "\n".join(f"Sentence {n} of the note has words." for n in range(12))


def test_a_sentence_is_not_cut() -> None:
    for passage in split(Splitter(words, 20, 7), [Page(1, "", PROSE)]):
        assert passage.text.startswith("Sentence")
        assert passage.text.endswith("words.")


def test_overlap_is_a_whole_sentence() -> None:
    passages = split(Splitter(words, 21, 7), [Page(1, "", PROSE)])
    for before, after in pairwise(passages):
        assert before.text.split("\n")[-1] == after.text.split("\n")[0]
    alone = split(Splitter(words, 21, 6), [Page(1, "", PROSE)])
    assert "\n".join(p.text for p in alone) == PROSE


def test_a_long_sentence_is_cut_at_lines_then_at_words() -> None:
    table = "\n".join("row " * 5 + f"v{n}" for n in range(10))
    passages = split(Splitter(words, 13, 0), [Page(1, "", table)])
    assert [p.text.count("\n") for p in passages] == [1] * 5
    long = " ".join(f"w{n}" for n in range(50))
    passages = split(Splitter(words, 13, 0), [Page(1, "", long)])
    assert " ".join(p.text for p in passages) == long


@pytest.mark.parametrize("gap", ["  ", "\t \n \n", " " * 9])
def test_a_long_row_with_runs_of_spaces(gap: str) -> None:
    """Space has no tokens: as a piece of its own it must not come twice."""
    row = gap.join(["beam"] * 20)
    passages = split(Splitter(words, 8, 0), [Page(1, "", row)])
    assert [words(p.text) for p in passages] == [8, 8, 4]
    assert all(row[p.start : p.end] == p.text for p in passages)


def test_a_passage_runs_on_over_a_page_break() -> None:
    pages = [Page(1, "Same", "It begins here and"), Page(2, "Same", "ends there.")]
    [passage] = split(Splitter(words, 20, 0), pages)
    assert passage.text == "It begins here and\nends there."
    assert (passage.first_page, passage.last_page) == (1, 2)
    assert (passage.start, passage.end) == (0, len("ends there."))


def test_a_heading_ends_a_passage() -> None:
    pages = [Page(1, "One", "first"), Page(2, "Two", "second"), Page(3, "One", "last")]
    found = [(p.heading, p.text) for p in split(Splitter(words, 20, 5), pages)]
    assert found == [("One", "first"), ("Two", "second"), ("One", "last")]


@pytest.mark.parametrize("pages", [[], [Page(1, "", "")], [Page(1, "H", " \n\t\n ")]])
def test_nothing_to_split(pages: list[Page]) -> None:
    assert split(Splitter(words, 20, 5), pages) == []


# ── running lines ─────────────────────────────────────────────────────────────────


def bodies(pages: Sequence[Page]) -> list[str]:
    spans = find_body_spans(pages)
    return [p.text[a:b].strip() for p, (a, b) in zip(pages, spans, strict=True)]


def with_edges(
    body: str, number: int, head: str = "DUNE-doc-7", foot: str = "Page "
) -> Page:
    return Page(number, "", f"{head}\n{body}\n{foot}{number}")


def test_running_lines_are_left_out() -> None:
    own = ["The drift field.", "Purity monitors.", "A cathode\nof two lines."]
    pages = [with_edges(body, n) for n, body in enumerate(own, start=8)]
    assert bodies(pages) == own
    for passage in split(Splitter(words, 6, 0), pages):
        assert "DUNE-doc" not in passage.text
        assert "Page" not in passage.text


def test_a_title_outside_of_a_running_line_is_kept() -> None:
    titles = ["The pumps", "The valves", "The filters"]
    pages = [
        Page(n, "", f"{title}\nLarch, May\nbody {title}\nEnd of {title}")
        for n, title in enumerate(titles)
    ]
    for title, body in zip(titles, bodies(pages), strict=True):
        assert body.startswith(f"{title}\n")
        assert body.endswith(f"End of {title}")


def test_two_running_lines_and_one_page_without() -> None:
    own = ["alpha", "beta", "gamma", "delta"]
    pages = [with_edges(b, n, "DUNE\nInternal note") for n, b in enumerate(own)]
    pages.append(Page(9, "", "A title page\nthat differs"))
    assert bodies(pages) == [*own, "A title page\nthat differs"]


@pytest.mark.parametrize(
    "pages",
    [
        [Page(1, "", "Only\none page")],
        [Page(1, "", "first\nx"), Page(2, "", "second\ny"), Page(3, "", "third\nz")],
        [
            with_edges("a", 1),
            with_edges("b", 2, head="Other", foot="Sheet "),
            Page(3, "", "c"),
        ],
    ],
)
def test_what_does_not_run_stays(pages: list[Page]) -> None:
    assert bodies(pages) == [page.text for page in pages]


def test_pages_that_are_nothing_but_running_lines() -> None:
    pages = [Page(n, "", f"DUNE\n{n}") for n in range(3)]
    assert bodies(pages) == ["", "", ""]
    assert split(Splitter(words, 9, 0), pages) == []


def test_pages_of_one_sentence_are_not_lost() -> None:
    """Alike but for their numbers, and the numbers are what they are about."""
    texts = [f"Electron lifetime in run {n}: {n}.5 ms." for n in (1, 2)]
    pages = [Page(n, "", text) for n, text in enumerate(texts, start=1)]
    assert bodies(pages) == texts


def test_rows_of_a_table_do_not_run() -> None:
    """A log or a table: all its lines are alike but for the numbers, on every page."""
    rows = [f"run {n} voltage {n}.5 V" for n in range(180)]
    pages = [Page(i + 1, "", "\n".join(rows[60 * i : 60 * i + 60])) for i in range(3)]
    text = "\n".join(p.text for p in split(Splitter(words, 200, 0), pages))
    assert [row for row in rows if row not in text] == []


# ── records ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lengths", "records"),
    [
        ([10, 10, 10], [0, 0, 0]),
        ([300, 10], [0, 1]),
        ([299, 10, 10], [0, 0, 1]),
        ([200, 900, 10], [0, 1, 2]),
        ([2000, 10, 10], [0, 2, 2]),
    ],
)
def test_records(lengths: list[int], records: list[int]) -> None:
    pages = [
        Page(n + 1, f"Head {n}", f"{chr(97 + n)}eam " * length)
        for n, length in enumerate(lengths)
    ]
    found: dict[str, set[int]] = {}
    for passage in split(Splitter(words, 100, 0), pages):
        found.setdefault(passage.heading, set()).add(passage.record)
    assert [min(record) for record in found.values()] == records


def test_a_long_section_has_several_records() -> None:
    """A record's vector stands for what a model can read at once."""
    page = Page(1, "Head", "beam " * 2500)
    found = [p.record for p in split(Splitter(words, 100, 0), [page])]
    assert found == [0] * 10 + [1] * 10 + [2] * 5


def sized(passage_tokens: int) -> Splitter:
    return Splitter(words, passage_tokens, 0)


@pytest.mark.parametrize(
    "sentence",
    [
        "The field of Fig. Two is 500 V/cm in all.",
        "See Eq. A for the drift, e.g. Larch and J. Smith et al. Their note holds.",
        "The cold box of approx. Ten metres was closed by Prof. Okonjo.",
    ],
)
def test_a_short_form_ends_no_sentence(sentence: str) -> None:
    text = f"Before it. {sentence} After it."
    sizes = len(sentence.split())
    found = [p.text for p in split(sized(sizes), [Page(1, "", text)])]
    assert sentence in found


def table(rows: int) -> str:
    lines = ["Part | Setting | Unit"]
    lines += [f"valve {n} | {n}.5 | mbar" for n in range(rows)]
    return "\n".join(lines)


def test_a_passage_within_a_table_leads_with_its_head() -> None:
    found = split(sized(20), [Page(1, "", table(12))])
    assert len(found) > 2
    assert found[0].lead == ""
    assert {p.lead for p in found[1:]} == {"Part | Setting | Unit"}
    rows = [row for p in found for row in p.text.split("\n")]
    assert set(rows) == set(table(12).split("\n"))


def test_the_parts_of_a_row_that_is_too_long_say_so() -> None:
    row = "valve 7 | " + " ".join(f"w{n}" for n in range(50)) + " | mbar"
    found = split(sized(20), [Page(1, "", f"Part | Text | Unit\n{row}")])
    parts = [p for p in found if "(continued)" in p.lead]
    assert parts
    assert all("valve 7" in p.lead for p in parts)


def slide(number: int, heading: str, text: str) -> Page:
    return Page(number, heading, text, label=f"slide {number}")


def test_small_slides_of_one_section_go_together() -> None:
    deck = [
        slide(1, "Status > Pump", "The pump runs."),
        slide(2, "Status > Valve", "The valve leaks."),
        slide(3, "Plans > Next", "Close the valve."),
    ]
    first, second = split(sized(50), deck)
    assert (first.first_page, first.last_page) == (1, 2)
    assert first.heading == "Status > Pump / Valve"
    assert (second.first_page, second.heading) == (3, "Plans > Next")


def test_a_full_slide_stays_alone() -> None:
    deck = [
        slide(1, "Status > Pump", "pump " * 90),
        slide(2, "Status > Valve", "valve " * 90),
    ]
    assert len({p.heading for p in split(sized(200), deck)}) == 2


@pytest.mark.parametrize("size", [1, 56, 400])
def test_the_context_line_leaves_room(size: int) -> None:
    """Title, heading and head of table take 56 tokens at most, two of them special."""
    [passage] = split(sized(200), [Page(1, "h " * size, "The text.")])
    text = make_embedding_text(
        "title " * size, replace(passage, lead="lead " * size), words
    )
    line = text.removesuffix("The text.")
    assert words(line) <= CONTEXT_TOKENS - 2
    assert text.endswith("\nThe text.")


# ── figures ───────────────────────────────────────────────────────────────────────


def with_figure(before: str, figure: str, after: str, label: str = "Figure 7") -> Page:
    own = Figure(label, len(before), len(before + figure), Box(1, 0.1, 0.2, 0.5, 0.6))
    return Page(1, "", before + figure + after, figures=(own,))


def test_a_figure_is_a_passage_of_its_own() -> None:
    text = "Figure 7: Purity over time.\n[in the figure: Days; 0 10 20]"
    page = with_figure(
        "The purity was\n\n", text, "\n\nmeasured on each day of the run."
    )
    running, figure = split(sized(100), [page])
    assert running.text == "The purity was\nmeasured on each day of the run."
    assert (running.figure, running.box) == ("", None)
    assert figure.text == text
    assert (figure.figure, figure.box) == ("Figure 7", page.figures[0].box)
    assert page.text[figure.start : figure.end] == text
    assert figure.lead == ""


def test_a_long_figure_says_in_each_part_which_it_is() -> None:
    text = "Fig. 7. " + " ".join(f"Part {n} of it is here." for n in range(12))
    parts = split(sized(20), [with_figure("", text, "")])
    assert len(parts) > 2
    assert {part.figure for part in parts} == {"Figure 7"}
    assert all(part.lead.startswith("Figure 7") for part in parts)
    assert " ".join(part.text for part in parts) == text


def test_a_foot_above_figures_still_runs() -> None:
    bodies = ["Pumps ran.", "Valves were shut.", "Fields rose.", "Tracks bent."]
    pages = []
    for number, own in enumerate(bodies, start=1):
        body = f"{own}\n{own} again\n{own} at last"
        before = f"{body}\nLarch note 7, page {number}\n\n"
        page = with_figure(before, "Figure 7: Purity.", "")
        pages.append(replace(page, number=number))
    running = [p.text for p in split(sized(200), pages) if not p.figure]
    assert "Larch note" not in running[0]
    assert all(body in running[0] for body in bodies)


def test_a_table_leads_with_its_caption() -> None:
    text = (
        f"The valves are set once.\n\nTable 4: Valves of the\nnorth hall\n\n{table(12)}"
    )
    found = split(sized(24), [Page(1, "", text)])
    caption = "Table 4: Valves of the north hall"
    assert all(
        caption in f"{p.lead} {' '.join(p.text.split())}"
        for p in found
        if " | " in p.text
    )
    assert {p.lead for p in found[2:]} == {f"{caption} Part | Setting | Unit"}
