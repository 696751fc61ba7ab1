"""Counts the events of the categories, and finds out who may not open which.

A category that is closed to an account ends nothing: the lists tell which of its events
the account is shown all the same. Nothing is listed here.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from dunegpt.errors import SourceError, SourceFormatError, SourceLoginError
from dunegpt.ingest.indico.client import (
    ANONYMOUS,
    Account,
    CategoryClosedError,
    IndicoClient,
    Json,
)
from dunegpt.ingest.indico.viewers import Viewers
from dunegpt.ingest.items import Alarm


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run finds out before it lists anything.

    Attributes:
        expected: How many events lie below the categories, hidden ones included.
        closed: Labels of the accounts to which each category is closed, by its number.
    """

    expected: int
    closed: Mapping[int, Sequence[str]]


def take_survey(
    client: IndicoClient, viewers: Viewers, roots: Sequence[int]
) -> Generator[Alarm, None, Survey]:
    """Yield what an operator must know of the categories; return what was found.

    Raises:
        SourceError: None of the categories could be opened, or every account is
            refused.
    """
    counts: dict[int, int] = {}
    closed: dict[int, list[str]] = {}
    errors: list[SourceError] = []
    for root in roots:
        tried: set[Account] = set()
        while eyes := [eye for eye in viewers.accounts if eye not in tried]:
            tried.add(eyes[0])
            try:
                about = _open_category(client, root, eyes[0])
                _check_plain(viewers, root, eyes[0], about)
                counts[root] = max(counts.get(root, 0), int(about["deep_event_count"]))
            except CategoryClosedError as error:
                errors.append(error)
                closed.setdefault(root, []).append(eyes[0].label)
            except SourceLoginError as error:
                errors.append(error)
                viewers.fail(eyes[0], error)
            except SourceError as error:
                errors.append(error)
                yield Alarm(
                    f"Category {root} could not be counted: {error} {error.hint}",
                    is_critical=False,
                )
                break
    if not counts:
        raise errors[0]
    for root, labels in closed.items():
        yield _tell_closed(viewers, root, labels)
    return Survey(sum(counts.values()), closed)


def count_closed_below(
    client: IndicoClient, viewers: Viewers, roots: Sequence[int]
) -> int:
    """Return how many categories below are closed to the first account."""
    eye = (viewers.accounts or [ANONYMOUS])[0]
    closed, todo, seen = 0, list(roots), set[int]()
    while todo:
        number = todo.pop(0)
        if number in seen:
            continue
        seen.add(number)
        try:
            found = client.fetch_category(number, eye) or {}
        except CategoryClosedError:
            closed += 1
            continue
        for below in found.get("subcategories") or []:
            if not below.get("can_access"):
                closed += 1
            elif below.get("has_children"):
                todo.append(int(below["id"]))
    return closed


def _open_category(client: IndicoClient, root: int, eye: Account) -> Json:
    found = client.fetch_category(root, eye)
    if found is None:
        raise SourceFormatError(
            f"{client.http_client.url} has no category {root}.",
            hint="Correct 'categories' in the settings of this source.",
        )
    return dict(found["category"])


def _check_plain(viewers: Viewers, root: int, eye: Account, about: Json) -> None:
    """Refuse an account that is shown more than the people it stands for.

    Raises:
        SourceLoginError: It manages the category.
    """
    stands_for = any(a.principals for a in viewers.audiences if eye in a.accounts)
    if stands_for and about.get("can_manage"):
        raise SourceLoginError(
            f"The account of {eye.label} manages category {root}: it is shown more than"
            " the people it stands for.",
            hint="Use a plain member's account, or no principals.",
        )


def _tell_closed(viewers: Viewers, root: int, labels: Sequence[str]) -> Alarm:
    """Return a warning that a category is closed to some accounts."""
    groups = frozenset[str]().union(
        *(
            audience.principals
            for audience in viewers.audiences
            if any(eye.label in labels for eye in audience.accounts)
        )
    )
    names = " and ".join(labels)
    whom = ", ".join(sorted(groups)) or "nobody"
    return Alarm(
        f"Category {root} is closed to the account of {names}. What is in it and not"
        f" shown to that account is not for {whom} any more; all else was crawled as"
        f" usual. If the category was not closed on purpose, ask its managers to admit"
        f" the account to category {root}; if it was, take {root} out of 'categories'"
        " once nothing in it is for this group.",
        is_critical=False,
    )
