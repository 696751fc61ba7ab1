"""An Indico site as a source: its settings, its accounts, and the survey of a run.

One account for each group, better two (`indico_access.py` says why), and the anonymous
visitor look at everything, back to back. What is asked in which order is in
`indico_round.py`, which days are due in `indico_plan.py`, what the site answers in
`indico_site.py` and `indico_objects.py`.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dunegpt.config import Settings, SourceTable, explain, read_secret
from dunegpt.errors import (
    ConfigError,
    FetchError,
    SourceFormatError,
    SourceLoginError,
)
from dunegpt.ingest.http import PoliteClient
from dunegpt.ingest.indico_access import Audience
from dunegpt.ingest.indico_objects import Reader
from dunegpt.ingest.indico_round import Round
from dunegpt.ingest.indico_site import ANONYMOUS, Eye, Site
from dunegpt.ingest.items import Item, Memory, Scope
from dunegpt.types import FileRef, access_set

log = logging.getLogger(__name__)

_COUNT_EVERY = 20


def _as_list(value: Any) -> Any:
    one = isinstance(value, str | Path)
    return ([value] if value else []) if one else value


class _Accounts(BaseModel):
    """Accounts that each stand for the same principals."""

    model_config = ConfigDict(extra="forbid")

    principals: list[str] = []
    token_env: Annotated[list[str], BeforeValidator(_as_list)] = []
    token_file: Annotated[list[Path], BeforeValidator(_as_list)] = []
    canary: int | None = None


class _Options(_Accounts):
    type: str
    id_prefix: str = ""
    url: str = Field(pattern="^https?://")
    categories: list[int] = Field(min_length=1)
    audiences: list[_Accounts] = []
    delay_s: float = Field(1.0, ge=0)
    timeout_s: float = Field(60, gt=0)
    requests_per_hour: int = Field(3000, ge=0)
    max_file_mb: int = Field(200, ge=1)


class IndicoSource:
    """What some accounts, and the anonymous visitor, find below some categories."""

    def __init__(self, name: str, table: SourceTable, settings: Settings) -> None:
        try:
            options = _Options.model_validate(table.model_dump())
        except ValidationError as error:
            raise ConfigError(f"[sources.{name}] {explain(error)}") from error
        self.name = name
        self._options = options
        groups = [
            g for g in (options, *options.audiences) if g.token_env or g.token_file
        ]
        self._audiences = [_audience(name, group, settings) for group in groups]
        tokens = [eye.token for audience in self._audiences for eye in audience.eyes]
        if len(set(tokens)) < len(tokens):
            raise ConfigError(
                f"[sources.{name}] names one token twice.",
                hint="Each token must be of an account of its own.",
            )
        self._reader = Reader(name, options.id_prefix or name)
        self._client = PoliteClient(
            options.url,
            contact=settings.contact,
            delay_s=options.delay_s,
            timeout_s=options.timeout_s,
            per_hour=options.requests_per_hour,
        )
        self._site = Site(self._client, options.categories)
        self._round: Round | None = None

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return self._client.requests

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def changes(self, scope: Scope, memory: Memory) -> Iterator[Item]:
        """Yield the objects below the categories that the scope asks for.

        Raises:
            SourceError: The site is down, a token is refused, a category is closed, or
                an account manages what it should see as a plain member.
        """
        self._client.recall(memory.get("spent") or [])
        try:
            expected = self._expected()
            first = scope.full or memory.get("withheld") is None
            closed = self._closed_categories() if first else None
            current = Round(self._site, self._reader, self._audiences, scope, memory)
            self._round = current
            counted = self.requests
            for item in current.items(expected):
                yield item
                if self.requests - counted >= _COUNT_EVERY:
                    counted = self.requests
                    memory.put("spent", self._client.spent())
            shown = len(memory.tops())
            withheld = memory.get("withheld") or {}
            withheld["events"] = max(expected - shown, 0)
            if closed is not None:
                withheld["categories"] = closed
            memory.put("withheld", withheld)
        finally:
            memory.put("spent", self._client.spent())

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of an attached file.

        Raises:
            FetchError: It is larger than ``max_file_mb``, or cannot be had.
        """
        limit = self._options.max_file_mb << 20
        if (file.size_bytes or 0) > limit:
            raise FetchError(f"It has {file.size_bytes:,} bytes, over max_file_mb.")
        eyes = [eye for audience in self._audiences for eye in audience.eyes]
        eye = (eyes or [ANONYMOUS])[0]
        if self._round:
            eye = self._round.reach.get(file.url, eye)
        return self._site.fetch(file.url, limit, eye)

    # ── survey ────────────────────────────────────────────────────────────────────

    def _expected(self) -> int:
        """Return how many events lie below the categories, hidden ones included."""
        counts: list[int] = []
        for number in self._options.categories:
            for audience in self._audiences:
                for eye in audience.eyes:
                    about = self._category(number, eye)
                    if audience.principals and about.get("can_manage"):
                        raise SourceLoginError(
                            f"The account of {eye.label} manages category {number}: it"
                            " is shown more than the people it stands for.",
                            hint="Use a plain member's account, or no principals.",
                        )
            about = self._category(number, self._first_eye())
            counts.append(int(about["deep_event_count"]))
        return sum(counts)

    def _closed_categories(self) -> int:
        """Return how many categories below are closed to the first account."""
        closed, todo = 0, list(self._options.categories)
        seen: set[int] = set()
        while todo:
            number = todo.pop(0)
            if number in seen:
                continue
            seen.add(number)
            found = self._site.category(number, self._first_eye()) or {}
            for below in found.get("subcategories") or []:
                if not below.get("can_access"):
                    closed += 1
                elif below.get("has_children"):
                    todo.append(int(below["id"]))
        return closed

    def _first_eye(self) -> Eye:
        for audience in self._audiences:
            return audience.eyes[0]
        return ANONYMOUS

    def _category(self, number: int, eye: Eye) -> dict[str, Any]:
        found = self._site.category(number, eye)
        if found is None:
            raise SourceFormatError(
                f"{self._options.url} has no category {number}.",
                hint=f"Correct categories in [sources.{self.name}].",
            )
        return dict(found["category"])


def _audience(name: str, group: _Accounts, settings: Settings) -> Audience:
    """Return an audience with the secrets of its accounts.

    Args:
        name: Of the source.
        group: Its accounts.
        settings: Where the secrets lie.

    Raises:
        ConfigError: A secret is missing, or two accounts are one.
    """
    eyes = [Eye(variable, read_secret(variable)) for variable in group.token_env]
    for path in map(settings.path, group.token_file):
        eyes.append(Eye(path.name, read_secret("", path)))
    if not group.principals:
        log.warning(
            "[sources.%s] has a token but no principals: what is not public is hidden"
            " from everybody.",
            name,
        )
    elif len(eyes) == 1:
        log.info(
            "[sources.%s] has one account for %s: what is shared with that account"
            " alone is taken for theirs. A second account rules that out.",
            name,
            ", ".join(group.principals),
        )
    return Audience(access_set(group.principals), tuple(eyes), group.canary)
