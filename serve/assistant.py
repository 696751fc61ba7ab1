"""The one way for a face to search and to answer: CLI, API, Slack, MCP, Python.

``Assistant.open("dunegpt.toml").as_reader({"public"}).ask("...")``. What a reader gets
are the response models of `dunegpt.schemas`, or the events of an answer as they come; a
face only renders them. See ``docs/python-api.md``.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dunegpt.access import make_reader
from dunegpt.config import Settings, load_settings
from dunegpt.errors import (
    SEARCH_UNAVAILABLE,
    HostError,
    IndexBrokenError,
    IndexMismatchError,
    IndexMissingError,
)
from dunegpt.index.search.filters import Filters
from dunegpt.index.search.live import LiveSearcher
from dunegpt.index.search.searcher import Searcher
from dunegpt.serve.answer.response import AnswerStream
from dunegpt.serve.llm.pool import LLMPool
from dunegpt.serve.reader_assistant import Conversation, ReaderAssistant

if TYPE_CHECKING:
    from dunegpt.index.build import Progress

__all__ = [
    "AnswerStream",
    "Assistant",
    "Conversation",
    "Filters",
    "IndexState",
    "ReaderAssistant",
]


@dataclass(frozen=True, slots=True)
class IndexState:
    """Whether an index can be searched, under a fresh record of who may read what.

    Attributes:
        reason: Why not, empty if so: ``no_index``, ``index_damaged``,
            ``index_of_other_version``, ``host_refused``, ``access_unknown`` (only
            public documents are searched), ``access_stale`` (of some sources, only
            public ones).
        snapshot: Id of the snapshot that is searched; empty for none.
        created_at: When it was made, ISO 8601; empty for none.
        notice: What limits the search, for a reader; often empty.
    """

    reason: str = ""
    snapshot: str = ""
    created_at: str = ""
    notice: str = ""


_REASONS = {
    IndexMissingError: "no_index",
    IndexBrokenError: "index_damaged",
    IndexMismatchError: "index_of_other_version",
    HostError: "host_refused",
}


class Assistant:
    """Answers questions of any number of readers from one data folder.

    Opens the index at the first question and keeps it open. Every question is answered
    from the newest snapshot, under the newest record of who may read what. Safe for any
    number of threads.

    Attributes:
        settings: What it was opened with.
    """

    def __init__(self, settings: Settings, *, poll_interval_s: float = 0) -> None:
        """Prepare to answer; nothing is opened yet.

        Args:
            settings: Where the data folder is, and which model servers there are.
            poll_interval_s: Look for new snapshots in a thread, this often, and read
                their files ahead: for servers. 0: look before each question.
        """
        self.settings = settings
        self._notices: list[str] = []
        self._default_principals = settings.get_reader()
        self._poll_interval_s = poll_interval_s
        self._models = LLMPool(settings)
        self._live: LiveSearcher | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, config: str | Path | None = None, *, poll_interval_s: float = 0
    ) -> "Assistant":
        """Return an assistant for a settings file.

        Args:
            config: The file; default: ``$DUNEGPT_CONFIG``, else ``./dunegpt.toml``.
            poll_interval_s: See `Assistant`.

        Raises:
            ConfigError: The file is missing, or has a key or value that is not valid.
        """
        settings = load_settings(Path(config) if config else None)
        return cls(settings, poll_interval_s=poll_interval_s)

    @classmethod
    def open_folder(
        cls,
        folder: str | Path,
        settings: Settings | None = None,
        *,
        progress: "Progress" = lambda stage, done, total: None,
    ) -> "Assistant":
        """Return an assistant for a folder of files, which is indexed first.

        Its default reader is the only one who may read them.

        Args:
            folder: With the files.
            settings: Name the models; default: as `open`.
            progress: Called with the stage, how many are done, and how many there are.

        Raises:
            UsageError: There is no such folder, or it holds no files.
        """
        from dunegpt.serve.local_folder import (  # noqa: PLC0415 - start-up time
            index_folder,
        )

        own, principals, notices = index_folder(
            Path(folder), settings or load_settings(), progress=progress
        )
        assistant = cls(own)
        assistant._default_principals = principals
        assistant._notices = notices
        return assistant

    def as_reader(
        self, principals: Collection[str] | None = None, *, person: str = ""
    ) -> "ReaderAssistant":
        """Return the assistant of one reader, who sees only what they may open.

        Args:
            principals: ``public``, ``docdb:DUNE``, ...; default: those of the settings
                (``[cli] principals``), or of the folder.
            person: Who asks, for a fair share of the model servers.

        Raises:
            UsageError: A name is not a principal.
        """
        if principals is None:
            return ReaderAssistant(self, self._default_principals, person)
        names = [principals] if isinstance(principals, str) else principals
        return ReaderAssistant(self, make_reader(names), person)

    @contextmanager
    def searcher(self) -> Iterator[Searcher]:
        """Give the searcher of the newest snapshot, which stays open until the end.

        Raises:
            IndexMissingError: There is no index.
            IndexBrokenError: It is damaged.
            IndexMismatchError: It has the format of another version.
            HostError: The operating system refused.
            ConfigError: The settings name a rerank model that cannot be used.
            RuntimeError: The assistant was closed.
        """
        with ExitStack() as stack:
            with self._lock:
                live = self._open_live()
                searcher = stack.enter_context(live.searcher())
            yield searcher

    def _open_live(self) -> LiveSearcher:
        """Return the searcher of the newest snapshot; the lock is held."""
        if self._is_closed:
            raise RuntimeError("the assistant was closed")
        if self._live is None:
            self._live = LiveSearcher(
                self.settings,
                interval_s=self._poll_interval_s,
                prefetch=self._poll_interval_s > 0,
            )
        elif not self._poll_interval_s:
            self._live.refresh()
        return self._live

    def check_index(self) -> IndexState:
        """Return whether the index can be searched; open it if it is not open yet.

        Raises:
            ConfigError: The settings name a rerank model that cannot be used.
            RuntimeError: The assistant was closed.
        """
        try:
            with self.searcher() as searcher:
                stale = searcher.revocations.stale
                reason = "access_unknown" if stale is None else ""
                manifest = searcher.snapshot.manifest
                return IndexState(
                    reason or ("access_stale" if stale else ""),
                    searcher.snapshot.id,
                    manifest["created_at"],
                    searcher.revocations.notice,
                )
        except SEARCH_UNAVAILABLE as error:
            reasons = (r for kind, r in _REASONS.items() if isinstance(error, kind))
            return IndexState(next(reasons))

    def take_notices(self) -> list[str]:
        """Return what the first answer is to say: files that could not be read."""
        with self._lock:
            notices, self._notices = self._notices, []
        return notices

    @property
    def models(self) -> LLMPool:
        """The model servers, with what is remembered of their health."""
        return self._models

    def close(self) -> None:
        """Close the index, after the last answer that uses it; ask no more then."""
        with self._lock:
            self._is_closed = True
            live, self._live = self._live, None
        if live:
            live.close()

    def __enter__(self) -> "Assistant":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
