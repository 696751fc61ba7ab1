"""The facade: what a reader gets from it, and the examples of its page."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dunegpt
from dunegpt import Assistant, Filters
from dunegpt.config import load_settings
from dunegpt.errors import IndexMissingError, UsageError
from dunegpt.index.build import build
from dunegpt.index.snapshot import snapshot
from dunegpt.ingest.crawl import crawl
from dunegpt.types import Mode, Notice, Outcome, QuestionEvent, References, Sentence
from tests.made_once import MakeOnce

pytestmark = pytest.mark.same_place

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
QUESTION = "What is the drift field of the far detector?"
FACT = "The drift field of the far detector is 475 V/cm."
SECRET = "The drift field of the secret wombat detector is 999 V/cm."
LIST = """
[[document]]
id = "LTS-0001"
title = "Drift field of the far detector"
authors = ["Ada Okonjo"]
date = 2024-02-29
files = ["field.txt"]
[[document]]
id = "SEC-0002"
title = "Secret wombats"
access = ["papers:lar"]
files = ["secret.txt"]
"""


def write_papers(papers: Path) -> None:
    (papers / "documents.toml").write_text(LIST)
    (papers / "field.txt").write_text(f"{FACT} It was 500 V/cm before the upgrade.")
    (papers / "secret.txt").write_text(SECRET)


@pytest.fixture
def config(
    config_file: Callable[[str], Path],
    papers: Path,
    tmp_path: Path,
    make_once: MakeOnce,
) -> Path:
    write_papers(papers)
    file = config_file("")

    def make() -> None:
        settings = load_settings(file)
        assert not crawl("papers", settings).error
        build(settings)

    make_once("assistant", tmp_path, make)
    return file


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page(
    example: str,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(config.parent)
    exec(compile(example, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    assert printed
    assert "475" in printed or "LTS-0001" in printed or "file:" in printed


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 4


def test_what_the_package_offers() -> None:
    assert dunegpt.Assistant is Assistant
    assert dunegpt.Filters is Filters
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = dunegpt.Nothing


def test_an_answer_is_that_of_its_stream(config: Path) -> None:
    with Assistant.open(config) as assistant:
        reader = assistant.as_reader({"public"})
        whole = reader.ask(QUESTION)
        with reader.stream(QUESTION) as stream:
            kinds = [type(event) for event in stream]
        assert stream.response.model_copy(update={"receipt": whole.receipt}) == whole
    assert (whole.outcome, whole.mode) == (Outcome.ANSWERED, Mode.EXTRACTIVE)
    assert "475 V/cm" in whole.answer
    assert kinds.index(QuestionEvent) < kinds.index(References) < kinds.index(Sentence)


def test_each_reader_sees_their_own(config: Path) -> None:
    with Assistant.open(config) as assistant:
        public = assistant.as_reader({"public"})
        member = assistant.as_reader({"papers:lar"})
        assert [d.document.id for d in member.show("SEC-0002").documents]
        assert public.show("SEC-0002") == public.show("SEC-0003")
        assert not public.show("SEC-0002").documents
        found = member.search("secret wombat detector").hits
        assert any("999" in hit.text for hit in found)
        hidden = public.search("secret wombat detector").model_dump_json()
        assert "999 V/cm" not in hidden
        assert "Secret" not in hidden


def test_the_default_reader_is_that_of_the_settings(
    config_file: Callable[[str], Path], config: Path
) -> None:
    assert Assistant.open(config).as_reader().principals == {"public"}
    file = config_file('[cli]\nprincipals = ["papers:lar"]\n')
    assert "papers:lar" in Assistant.open(file).as_reader().principals


def test_a_stream_that_is_left_early_ends(config: Path) -> None:
    with Assistant.open(config) as assistant:
        with assistant.as_reader().stream(QUESTION) as stream:
            next(iter(stream))
        assert len(stream.events) == 1
        with pytest.raises(RuntimeError, match="not finished"):
            _ = stream.response


def test_an_index_is_opened_once(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    open_files = snapshot.Snapshot.__init__

    def count(self: Any, *arguments: Any) -> None:
        opened.append(arguments)
        open_files(self, *arguments)

    monkeypatch.setattr(snapshot.Snapshot, "__init__", count)
    with Assistant.open(config) as assistant:
        conversation = assistant.as_reader().conversation()
        for question in (QUESTION, "Who wrote that?", QUESTION):
            with conversation.ask(question) as stream:
                assert list(stream)
    assert len(opened) == 1
    assert len(conversation.turns) == 3


def test_what_was_closed_since_is_closed_at_once(config: Path, papers: Path) -> None:
    """A conversation that goes on sees a new record of access at its next question."""
    with Assistant.open(config) as assistant:
        reader = assistant.as_reader({"public"})
        assert "475" in reader.ask(QUESTION).answer
        closed = LIST.replace(
            'title = "Drift', 'access = ["papers:lar"]\ntitle = "Drift'
        )
        (papers / "documents.toml").write_text(closed)
        assert not crawl("papers", assistant.settings).error
        answer = reader.ask(QUESTION)
        assert "475 V/cm" not in answer.model_dump_json()
        assert answer.outcome is Outcome.NOT_IN_DOCUMENTS


def test_follow_ups_and_filters(config: Path) -> None:
    with Assistant.open(config) as assistant:
        conversation = assistant.as_reader().conversation()
        with conversation.ask("What is the drift field since 2023?") as stream:
            assert list(stream)
        assert conversation.chips == ["since 2023"]
        with conversation.ask_without(1) as stream:
            assert list(stream)
        assert stream.response.chips == []
        assert len(conversation.turns) == 1  # asked again, not once more
        with pytest.raises(UsageError, match="no filter 7"):
            conversation.ask_without(7)
        conversation.clear()
        assert (conversation.turns, conversation.question) == ([], "")


def test_a_rejected_question_is_no_turn(config: Path) -> None:
    with Assistant.open(config) as assistant:
        conversation = assistant.as_reader().conversation()
        for question in ("x" * 5000, ""):
            with pytest.raises(UsageError):
                list(conversation.ask(question))
        assert conversation.turns == []
        assert list(conversation.ask(QUESTION))
        assert len(conversation.turns) == 1


def test_answers_that_overlap_are_turns_of_their_own(config: Path) -> None:
    with Assistant.open(config) as assistant:
        conversation = assistant.as_reader().conversation()
        first, second = conversation.ask(QUESTION), conversation.ask("Purge flow?")
        assert list(second)
        assert list(first)
        assert {turn.question for turn in conversation.turns} == {
            QUESTION,
            "Purge flow?",
        }
        running = conversation.ask(QUESTION)
        next(iter(running))
        conversation.clear()
        running.close()
        assert conversation.turns == []


def test_another_thread_may_stop_an_answer(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Assistant.open(config) as assistant:
        stream = assistant.as_reader().stream(QUESTION)
        events = []
        for event in stream:
            events.append(event)
            closing = threading.Thread(target=stream.close)
            closing.start()
            closing.join()
        assert len(events) == 1
        assert not list(stream)


def test_closing_waits_for_those_who_ask(config: Path) -> None:
    """Whoever asks gets an answer, or is told that it is closed."""
    for _ in range(20):
        assistant = Assistant.open(config)
        reader = assistant.as_reader({"public"})
        found: list[object] = []

        def ask(reader: Any = reader, found: list[object] = found) -> None:
            try:
                found.append(len(reader.show("LTS-0001").documents))
            except RuntimeError as error:
                found.append(str(error))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        threads.append(threading.Thread(target=assistant.close))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert set(found) <= {1, "the assistant was closed"}


def test_arguments_are_checked(config: Path) -> None:
    with Assistant.open(config) as assistant:
        reader = assistant.as_reader()
        for k in (0, -1):
            with pytest.raises(UsageError, match="at least 1"):
                reader.ask(QUESTION, k=k)
            with pytest.raises(UsageError, match="at least 1"):
                reader.search(QUESTION, k=k)
        answer = reader.ask("What is the drift field since 2023?", without="since 2023")
        assert answer.chips == []


def test_text_that_is_not_unicode_is_no_damage(config: Path) -> None:
    with Assistant.open(config) as assistant:
        reader = assistant.as_reader()
        assert not reader.show("\udcff").documents
        assert reader.replay("\udcff") is None
        assert reader.search("\udcff drift field").model_dump_json()
        assert "475" in reader.ask(f"{QUESTION} \udcff").model_dump_json()


def test_without_an_index(config_file: Callable[[str], Path]) -> None:
    reader = Assistant.open(config_file("")).as_reader()
    answer = reader.ask(QUESTION)
    assert answer.outcome is Outcome.SEARCH_UNAVAILABLE
    assert "dunegpt index" in answer.notices[0]
    with pytest.raises(IndexMissingError):
        reader.search(QUESTION)


def test_a_question_that_cannot_be_asked(config: Path) -> None:
    with Assistant.open(config) as assistant:
        with pytest.raises(UsageError):
            assistant.as_reader().ask("")
        for wrong in ("DUNE", "docdb:", ":DUNE", ""):
            with pytest.raises(UsageError, match="is not a principal"):
                assistant.as_reader({wrong})


def test_a_reader_may_open_what_any_of_their_principals_may(
    config_file: Callable[[str], Path], config: Path
) -> None:
    with Assistant.open(config) as assistant:
        reader = assistant.as_reader(["public", "papers:lar"])
        assert reader.show("SEC-0002").documents
        assert assistant.as_reader("papers:lar").show("SEC-0002").documents
        assert not assistant.as_reader("public").show("SEC-0002").documents
    file = config_file('[cli]\nprincipals = ["public", "papers:lar"]\n')
    assert Assistant.open(file).as_reader().show("SEC-0002").documents


def test_a_folder_says_once_what_it_could_not_read(config: Path, papers: Path) -> None:
    (papers / "broken.pdf").write_bytes(b"%PDF broken")
    (papers / "documents.toml").unlink()
    with Assistant.open_folder(papers, load_settings(config)) as assistant:
        reader = assistant.as_reader()
        assert reader.principals.isdisjoint({"public"})
        first, second = reader.ask(QUESTION), reader.ask(QUESTION)
    assert [note for note in first.notices if "broken.pdf" in note]
    assert not [note for note in second.notices if "broken.pdf" in note]
    assert first.receipt == ""


def test_threads_share_one_assistant(config: Path) -> None:
    answers: list[str] = []
    with Assistant.open(config, poll_interval_s=0.05) as assistant:
        reader = assistant.as_reader({"public"})
        threads = [
            threading.Thread(target=lambda: answers.append(reader.ask(QUESTION).answer))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 6
    assert len(set(answers)) == 1
    assert "475" in answers[0]


def test_receipts_and_replay(config: Path) -> None:
    with Assistant.open(config) as assistant:
        public = assistant.as_reader({"public"})
        receipt = public.ask(QUESTION).receipt
        assert public.receipts().receipts[0].id == receipt
        replayed = public.replay(receipt)
        assert replayed is not None
        assert replayed.same
        assert public.replay("AAAAAAAAAA") is None
        member = assistant.as_reader({"papers:lar"}).ask(QUESTION).receipt
        assert public.replay(member) is None


def test_events_that_say_something_come_before_the_answer(config: Path) -> None:
    with (
        Assistant.open(config) as assistant,
        assistant.as_reader().stream("What is LTS-9999 about?") as stream,
    ):
        notices = [event.text for event in stream if isinstance(event, Notice)]
    assert any("LTS-9999 is not in the index" in text for text in notices)
