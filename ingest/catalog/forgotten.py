"""The list of forgotten documents: a small file beside the catalog that survives it.

A catalog can be lost, replaced by an older copy or moved away, and a crawl makes a new
one. What an operator has forgotten must not come back with it. The file is replaced
whole with every change. Does not depend on what the catalog contains.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from dunegpt.errors import StorageError
from dunegpt.files import damaged, write_atomically

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class ForgottenDocument:
    """A document that no crawl may store again, with all below it.

    Attributes:
        source: Name of the source that it came from.
        since: When it was forgotten, UTC, ISO 8601.
    """

    id: str
    source: str
    since: str


def read_forgotten(path: Path) -> dict[str, ForgottenDocument]:
    """Return the forgotten documents by id; empty if there is no list.

    Raises:
        StorageError: The list is damaged: taken as empty, all would come back.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']}")
        found = [ForgottenDocument(**entry) for entry in content["forgotten"]]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(
            error,
            f"The list of forgotten documents {path} cannot be used: {error}.",
            path=path,
            hint="Restore it from a backup. Only if no document was ever forgotten,"
            " remove it: otherwise the next crawl brings forgotten documents back.",
            kind=StorageError,
        ) from error
    return {each.id: each for each in found}


def add_forgotten(path: Path, documents: Iterable[ForgottenDocument]) -> None:
    """Add documents to the list; those that are in it stay as they are.

    Raises:
        StorageError: The list is damaged, or the disk is full.
    """
    before = read_forgotten(path)
    after = {each.id: each for each in documents} | before
    if after != before:
        _write(path, after)


def remove_forgotten(path: Path, ids: Iterable[str]) -> bool:
    """Remove ids from the list; return whether it had any of them.

    Raises:
        StorageError: The list is damaged, or the disk is full.
    """
    before = read_forgotten(path)
    after = {i: each for i, each in before.items() if i not in set(ids)}
    if after != before:
        _write(path, after)
    return after != before


def _write(path: Path, documents: Mapping[str, ForgottenDocument]) -> None:
    entries = [asdict(documents[document_id]) for document_id in sorted(documents)]
    content = {"format": _FORMAT, "forgotten": entries}
    write_atomically(path, json.dumps(content, indent=1).encode() + b"\n")
