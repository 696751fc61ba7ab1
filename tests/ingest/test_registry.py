"""The known types of sources, opened from the settings and imported when needed."""

import subprocess
import sys

import pytest

from dunegpt.config import Settings, SourceSettings
from dunegpt.errors import ConfigError
from dunegpt.ingest.registry import SOURCES, open_source, untested_parts


def settings_of(**table: str) -> Settings:
    return Settings(sources={"mine": SourceSettings(**table)})


def test_a_source_that_is_not_configured() -> None:
    with pytest.raises(ConfigError, match="'other'; configured: mine"):
        open_source("other", settings_of(type="git"))


def test_an_unknown_type() -> None:
    with pytest.raises(ConfigError, match="unknown type 'gti'; known: docdb, edms"):
        open_source("mine", settings_of(type="gti"))


def test_an_unknown_key() -> None:
    with pytest.raises(ConfigError, match=r"\[sources.mine\] .*pth"):
        open_source("mine", settings_of(type="git", pth="x"))


@pytest.mark.parametrize("source_type", SOURCES)
def test_each_type_can_be_loaded(source_type: str) -> None:
    parts = untested_parts("mine", settings_of(type=source_type))
    assert bool(parts) == (source_type in {"edms", "elog", "git"})


def test_untested_parts_of_what_is_not_configured() -> None:
    assert untested_parts("other", settings_of(type="edms")) == ""
    assert untested_parts("mine", settings_of(type="gti")) == ""


def test_sources_are_imported_when_they_are_opened() -> None:
    script = (
        "import sys, dunegpt.ingest.registry\n"
        "print([name for name in sys.modules if name.startswith('dunegpt.ingest.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "docdb" not in done.stdout and "folder" not in done.stdout
