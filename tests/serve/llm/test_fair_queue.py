"""Whose turn it is: in order, in fair shares, and not without end."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dunegpt.errors import ModelError, ModelFault
from dunegpt.serve.llm.fair_queue import FairQueue

WAIT_S = 20.0


def until(what: Callable[[], bool]) -> None:
    while not what():
        threading.Event().wait(0.001)


class People:
    """People at a queue, each in a thread of their own until their turn is ended."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.entered: list[str] = []
        self.most = 0
        self._inside = 0
        self._ends: list[threading.Event] = []
        self._threads: list[threading.Thread] = []

    def come(self, person: str) -> None:
        """Bring somebody, and wait until they are let in or wait."""
        thread = threading.Thread(target=self._stay, args=(person,))
        self._threads.append(thread)
        thread.start()
        self._settle()

    def end_one(self) -> None:
        """End the turn of whoever was let in first, and wait for the next one's."""
        waiting, count = self.queue.waiting, len(self.entered)
        self._ends.pop(0).set()
        until(lambda: not waiting or len(self.entered) > count)
        self._settle()

    def _settle(self) -> None:
        """Wait until everybody is inside or waits, and none is on the way."""
        come = len(self._threads)
        until(lambda: len(self.entered) + self.queue.waiting == come)
        until(lambda: self.queue.waiting == 0 or bool(self._ends))

    def leave(self) -> None:
        while self._ends:
            self.end_one()
        for thread in self._threads:
            thread.join()

    def _stay(self, person: str) -> None:
        end = threading.Event()
        with self.queue.turn(person):
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._ends.append(end)
            self.entered.append(person)
            end.wait(WAIT_S)
            self._inside -= 1


@pytest.fixture
def one() -> Iterator[People]:
    people = People(FairQueue(1, waiting=4, each=2, wait_s=WAIT_S))
    yield people
    people.leave()


def coming(people: People, names: str) -> list[str]:
    for name in names:
        people.come(name)
    people.leave()
    return people.entered


def test_first_come_first_served(one: People) -> None:
    assert coming(one, "abcd") == list("abcd")


@pytest.mark.parametrize(
    ("come", "served"), [("aab", "aba"), ("aabb", "abab"), ("abcab", "abcab")]
)
def test_many_questions_delay_their_own_person(
    one: People, come: str, served: str
) -> None:
    assert coming(one, come) == list(served)


def test_who_has_fewest_turns_comes_first() -> None:
    people = People(FairQueue(2, waiting=4, each=4, wait_s=WAIT_S))
    assert coming(people, "aaaab")[:3] == list("aab")


def refused(people: People, person: str) -> str:
    with pytest.raises(ModelError) as caught, people.queue.turn(person):
        pass
    assert caught.value.fault is ModelFault.OVERLOADED
    return str(caught.value)


def test_one_person_cannot_fill_it(one: People) -> None:
    for name in "aaa":
        one.come(name)
    assert "questions of yours" in refused(one, "a")
    one.come("b")
    one.come("c")
    assert "too many people" in refused(one, "d")
    one.end_one()
    one.come("d")
    one.leave()
    assert sorted(one.entered) == list("aaabcd")


def test_waiting_has_an_end() -> None:
    people = People(FairQueue(1, waiting=4, each=2, wait_s=0.05))
    people.come("a")
    assert "no turn came" in refused(people, "b")
    assert people.queue.waiting == 0
    people.leave()


def test_an_error_inside_ends_the_turn(one: People) -> None:
    with pytest.raises(KeyError), one.queue.turn("a"):
        raise KeyError
    with one.queue.turn("b"):
        pass


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from("abc "), max_size=12), st.integers(1, 3))
def test_nobody_is_forgotten(steps: Sequence[str], at_once: int) -> None:
    """Whoever came is served or told no; never are more inside than may be.

    A blank among the steps is the end of a turn.
    """
    people = People(FairQueue(at_once, waiting=6, each=3, wait_s=WAIT_S))
    came = 0
    for name in steps:
        waiting = [place.person for place in people.queue._waiting]
        if name == " ":
            if waiting:
                people.end_one()
        elif len(waiting) == 6 or waiting.count(name) == 3:
            refused(people, name)
        else:
            people.come(name)
            came += 1
    people.leave()
    assert people.most <= at_once
    assert len(people.entered) == came
    assert people.queue.waiting == 0
