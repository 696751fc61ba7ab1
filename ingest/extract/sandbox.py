"""Reads files in a child process with limits on time and memory.

A file that crashes, hangs or swells costs its own reading and one new child; the run
goes on. Does not know formats or documents.
"""

import json
import subprocess
import sys
from pathlib import Path
from threading import Timer
from types import TracebackType

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from dunegpt.config import ExtractTable
from dunegpt.errors import ExtractError
from dunegpt.types import Page


class _Reply(BaseModel):
    """What a child may say; nothing else is believed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    error: str = ""
    pages: list[tuple[int, str, str]] = []

    @model_validator(mode="after")
    def _says_something(self) -> "_Reply":
        if bool(self.error) == bool(self.pages):
            raise ValueError("neither pages nor an error")
        return self


class Sandbox:
    """One child process, started when first needed and again after each crash."""

    def __init__(self, limits: ExtractTable) -> None:
        self._limits = limits
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def extract(self, path: Path, name: str, media_type: str) -> list[Page]:
        """Return the pages of a file that hold text.

        Raises:
            ExtractError: With the reason: damaged, unknown, too long, too large, ...
        """
        size_mb = path.stat().st_size >> 20
        if size_mb > self._limits.max_file_mb:
            raise ExtractError(
                f"The file has {size_mb} MB; [extract] max_file_mb is"
                f" {self._limits.max_file_mb}."
            )
        request = {"path": str(path), "name": name, "media_type": media_type}
        answer = self._ask(json.dumps(request))
        try:
            reply = _Reply.model_validate_json(answer)
        except ValidationError as error:
            self.close()
            raise ExtractError("The reader gave an answer that is none.") from error
        if reply.error:
            raise ExtractError(reply.error)
        return [Page(*fields) for fields in reply.pages]

    def _ask(self, request: str) -> str:
        """Return the child's reply to one request.

        Raises:
            ExtractError: It crashed, or took too long and was ended.
        """
        child = self._child = self._child or self._start()
        assert child.stdin and child.stdout
        timer = Timer(self._limits.timeout_s, child.kill)
        timer.start()
        try:
            child.stdin.write(request + "\n")
            child.stdin.flush()
            reply = child.stdout.readline()
        except BrokenPipeError:
            reply = ""
        finally:
            in_time = timer.is_alive()
            timer.cancel()
        if reply.endswith("\n"):
            return reply
        self.close()
        if not in_time:
            raise ExtractError(f"Reading took over {self._limits.timeout_s:g} s.")
        raise ExtractError(f"The reader crashed with exit code {child.returncode}.")

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "dunegpt.ingest.extract.worker",
                str(self._limits.memory_mb),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
