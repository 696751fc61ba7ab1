"""The known types of sources, and how one is opened from the settings.

The module of a source is imported when it is opened, so that a process that does not
crawl imports none of them, unless it asks sources before it shows their documents.
"""

from importlib import import_module
from typing import Any, cast

from dunegpt.config import Settings
from dunegpt.errors import ConfigError
from dunegpt.ingest.access_check import AccessChecker
from dunegpt.ingest.source import Source

SOURCES: dict[str, str] = {
    "docdb": "dunegpt.ingest.docdb.source:DocDBSource",
    "edms": "dunegpt.ingest.edms.source:EdmsSource",
    "elog": "dunegpt.ingest.elog.source:ElogSource",
    "folder": "dunegpt.ingest.folder.source:FolderSource",
    "git": "dunegpt.ingest.git.source:GitSource",
    "indico": "dunegpt.ingest.indico.source:IndicoSource",
}
"""The class of each type, as ``module:class``; it takes name, table and settings."""

_UNCONFIRMABLE: dict[str, str] = {
    "edms": "EDMS cannot tell in one short request whom a document is shown to",
    "elog": "who may read a logbook is given by its own key access, not by the logbook",
    "folder": "who may read a folder is given by the settings and its documents.toml,"
    " which a crawl reads without any request",
    "git": "who may read a repository is given by its own key access",
}
"""Why sources of a type cannot have ``confirm``; those of other types can."""


def open_source(name: str, settings: Settings) -> Source:
    """Return the source that ``[sources.NAME]`` configures.

    Raises:
        ConfigError: There is no such table, its type is unknown, or a key is invalid.
    """
    table = settings.sources.get(name)
    if table is None:
        known = ", ".join(settings.sources) or "none"
        raise ConfigError(f"No source is called {name!r}; configured: {known}.")
    if table.type not in SOURCES:
        known = ", ".join(SOURCES)
        raise ConfigError(
            f"[sources.{name}] has the unknown type {table.type!r}; known: {known}."
        )
    check_confirmable(name, settings)
    return cast(Source, _load_class(table.type)(name, table, settings))


def check_confirmable(name: str, settings: Settings) -> None:
    """Check that a source with ``confirm`` can be asked about one document.

    Raises:
        ConfigError: It cannot, with the reason.
    """
    table = settings.sources[name]
    if table.confirm and table.type in _UNCONFIRMABLE:
        raise ConfigError(
            f"[sources.{name}] cannot have confirm: {_UNCONFIRMABLE[table.type]}.",
            hint="Remove confirm, and crawl this source as often as access changes.",
        )


def open_access_checker(name: str, settings: Settings) -> AccessChecker:
    """Return what asks a source with ``confirm`` whether it still shows a document.

    Raises:
        ConfigError: The source cannot be asked, or its settings are invalid.
    """
    check_confirmable(name, settings)
    source: Any = open_source(name, settings)
    return cast(AccessChecker, source.open_access_checker())


def untested_parts(name: str, settings: Settings) -> str:
    """Return which parts of a source were never tried on a real system; mostly none.

    A source class declares them in a constant, ``UNTRIED``.
    """
    table = settings.sources.get(name)
    if table is None or table.type not in SOURCES:
        return ""
    return str(getattr(_load_class(table.type), "UNTRIED", ""))


def _load_class(source_type: str) -> Any:
    module, _, name = SOURCES[source_type].partition(":")
    return getattr(import_module(module), name)
