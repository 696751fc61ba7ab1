"""What the child says of a file that it could not read."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dunegpt.config import ExtractSettings
from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import worker
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page


def test_what_the_host_refuses_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is not called damaged, for good, since there was no room for a moment."""

    def refused(task: ExtractTask, claimed: str) -> Iterator[Page]:
        try:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        except OSError as error:
            raise ExtractError(f"The picture is damaged: {error}.") from error
        yield Page(1, "", "")

    monkeypatch.setattr(worker, "extract", refused)
    request = {"path": str(tmp_path), "name": "a.png", "media_type": "image/png"}
    limits = ExtractSettings()
    *_, transient, (kind, said) = worker._handle_request(request, limits)
    assert transient == ["transient"]
    assert kind == "error"
    assert "Too many open files" in said
    assert "damaged" not in said


def test_a_limit_that_the_shell_has_set_already(tmp_path: Path) -> None:
    """A child may lower its limits only: the settings ask for more than is left."""
    code = (
        "import resource, sys; from dunegpt.config import ExtractSettings;"
        "from dunegpt.ingest.extract.isolation import isolate;"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
        "isolate(ExtractSettings(memory_mb=2048));"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0],"
        "resource.getrlimit(resource.RLIMIT_FSIZE)[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(1 << 30), str(1 << 20)]


def test_what_fails_when_memory_is_short_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries without memory say that the file is damaged."""

    def fail(task: ExtractTask, claimed: str) -> Iterator[Page]:
        raise ExtractError("The PDF is damaged.")
        yield Page(1, "", "")

    monkeypatch.setattr(worker, "extract", fail)
    request = {"path": str(tmp_path), "name": "a.pdf", "media_type": "application/pdf"}
    kinds = []
    for short in (True, False):
        monkeypatch.setattr(worker, "is_memory_short", lambda short=short: short)
        messages = worker._handle_request(request, ExtractSettings())
        kinds.append([message[0] for message in messages])
    assert kinds == [["made_with", "transient", "error"], ["made_with", "error"]]
