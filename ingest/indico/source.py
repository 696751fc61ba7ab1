"""The Indico source: its settings, its accounts, and what a run counts first.

One account per group, better two (`indico.access` says why), and an anonymous visitor
read everything, one after the other. `indico.sync` decides what is read,
`indico.schedule` which days are due, `indico.client` makes the requests, and
`indico.events` and `indico.documents` parse the answers.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dunegpt.access import make_access_set
from dunegpt.config import Settings, SourceSettings, read_secret
from dunegpt.errors import (
    ConfigError,
    FetchError,
)
from dunegpt.ingest.indico.access import Audience
from dunegpt.ingest.indico.access_check import IndicoAccessChecker
from dunegpt.ingest.indico.client import ANONYMOUS, Account, IndicoClient
from dunegpt.ingest.indico.documents import RecordParser
from dunegpt.ingest.indico.events import EventReader
from dunegpt.ingest.indico.network import NetworkCheck
from dunegpt.ingest.indico.survey import count_closed_below, take_survey
from dunegpt.ingest.indico.sync import IndicoSync
from dunegpt.ingest.indico.viewers import Viewers
from dunegpt.ingest.items import CrawlScope, Item, SourceState
from dunegpt.ingest.options import ConfirmableOptions, parse_options
from dunegpt.ingest.sync import HttpClients
from dunegpt.types import FileRef

log = logging.getLogger(__name__)

_GLANCE_SHARE = 3
"""The hourly look takes at most one in so many of the requests per hour."""


def _as_list(value: Any) -> Any:
    one = isinstance(value, str | Path)
    return ([value] if value else []) if one else value


class _AccountSettings(BaseModel):
    """Accounts that each stand for the same principals."""

    model_config = ConfigDict(extra="forbid")

    principals: list[str] = []
    token_env: Annotated[list[str], BeforeValidator(_as_list)] = []
    token_file: Annotated[list[Path], BeforeValidator(_as_list)] = []
    canary: int | None = None


class _Options(ConfirmableOptions, _AccountSettings):
    url: str = Field(pattern="^https?://")
    categories: list[int] = Field(min_length=1)
    audiences: list[_AccountSettings] = []


class IndicoSource:
    """What some accounts, and the anonymous visitor, find below some categories."""

    def __init__(self, name: str, table: SourceSettings, settings: Settings) -> None:
        options = parse_options(_Options, name, table)
        self.name = name
        self._options = options
        groups = [
            g for g in (options, *options.audiences) if g.token_env or g.token_file
        ]
        self._audiences = [_build_audience(name, group, settings) for group in groups]
        tokens = [
            eye.token for audience in self._audiences for eye in audience.accounts
        ]
        if len(set(tokens)) < len(tokens):
            raise ConfigError(
                f"[sources.{name}] names one token twice.",
                hint="Each token must be of an account of its own.",
            )
        self._parser = RecordParser(name, options.id_prefix or name)
        self._clients = HttpClients(options, settings, host_key=None)
        self._indico_client = IndicoClient(self._clients.open(options.url))
        self._sync: IndicoSync | None = None

    @property
    def requests(self) -> int:
        """Number of requests made so far."""
        return self._clients.requests

    def close(self) -> None:
        """Close the connection."""
        self._clients.close()

    def open_access_checker(self) -> IndicoAccessChecker:
        """Return what asks whether an object is still shown; closing it closes this."""
        return IndicoAccessChecker(
            self._indico_client.http_client,
            self._audiences,
            self._options.id_prefix or self.name,
            self._options.confirm_per_hour,
            self.close,
        )

    def changes(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        """Yield the objects below the categories that the scope asks for.

        Raises:
            SourceError: The site is down, no category can be opened, or every account
                is refused.
        """
        return self._clients.track(self._iter_items(scope, memory), memory)

    def _iter_items(self, scope: CrawlScope, memory: SourceState) -> Iterator[Item]:
        client, roots = self._indico_client, self._options.categories
        viewers = Viewers(self._audiences)
        survey = yield from take_survey(client, viewers, roots)
        is_first = scope.full or memory.get("withheld") is None
        closed = count_closed_below(client, viewers, roots) if is_first else None
        network = NetworkCheck(client, memory)
        reader = EventReader(client, self._parser, viewers, network)
        glances = self._options.requests_per_hour // _GLANCE_SHARE
        self._sync = IndicoSync(
            reader, roots, scope, memory, network=network, max_glances=glances
        )
        yield from self._sync.sync(survey)
        withheld = memory.get("withheld") or {}
        withheld["events"] = max(survey.expected - len(memory.top_documents()), 0)
        if closed is not None:
            withheld["categories"] = closed
        memory.put("withheld", withheld)

    def fetch(self, file: FileRef) -> Iterator[bytes]:
        """Yield the bytes of an attached file.

        Raises:
            FetchError: It is larger than ``max_file_mb``, or cannot be had.
        """
        limit = self._options.max_file_bytes
        if (file.size_bytes or 0) > limit:
            raise FetchError(
                f"The file has {file.size_bytes:,} bytes, more than max_file_mb."
            )
        eyes = [eye for audience in self._audiences for eye in audience.accounts]
        eye = (eyes or [ANONYMOUS])[0]
        if self._sync:
            eye = self._sync.account_by_url.get(file.url, eye)
        return self._indico_client.fetch_file(file.url, limit, eye)


def _build_audience(name: str, group: _AccountSettings, settings: Settings) -> Audience:
    """Return an audience with the secrets of its accounts.

    Args:
        name: Of the source.
        group: Its accounts.
        settings: Where the secrets lie.

    Raises:
        ConfigError: A secret is missing, or two accounts are one.
    """
    eyes = [Account(variable, read_secret(variable)) for variable in group.token_env]
    for path in map(settings.resolve_path, group.token_file):
        eyes.append(Account(path.name, read_secret("", path)))
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
    return Audience(make_access_set(group.principals), tuple(eyes), group.canary)
