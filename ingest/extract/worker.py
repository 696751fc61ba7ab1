"""The child process that reads files: one request a line in, some lines of JSON out.

A request is ``{"path", "name", "media_type"}``, and ``"page"`` and ``"quote"`` too if
boxes are wanted. Out come, page by page so that nothing piles up, ``["page", ...]``,
``["remark", text]``, ``["made_with", {...}]``, and at last ``["end"]`` or
``["error", text]``. A hostile file that takes this process over can send text to its
parent and no more. Started by `sandbox` only.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from dunegpt.config import ExtractTable
from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import extract, isolation
from dunegpt.ingest.extract.task import Task

Request = dict[str, Any]


def _messages(task: Task, request: Request) -> Iterator[list[Any]]:
    if "quote" in request:
        from dunegpt.ingest.extract import boxes  # noqa: PLC0415 - start-up time

        kind = request["media_type"]
        found = boxes.boxes(task, kind, request["page"], request["quote"])
        yield ["boxes", [astuple(box) for box in found]]
        return
    for page in extract(task, request["media_type"]):
        yield ["page", *astuple(page)]


def _answer(request: Request, limits: ExtractTable) -> Iterator[list[Any]]:
    """Yield what there is to say of one request, its end included."""
    task = Task(Path(request["path"]), request["name"], "", limits)
    try:
        yield from _messages(task, request)
        last = ["end"]
    except ExtractError as error:
        last = ["error", str(error)]
    except MemoryError:
        task.limited("Reading the file needs more memory than allowed.")
        last = ["error", task.remarks.pop()]
    except RecursionError:
        last = ["error", "The file is nested too deeply."]
    except Exception as error:
        # The per-item door of this process: whatever a library raises on a file that
        # somebody damaged is that file's failure, with its reason.
        last = ["error", f"The file is damaged: {type(error).__name__}: {error}"]
    for remark in task.remarks:
        yield ["remark", remark]
    yield ["made_with", task.made_with]
    yield last


def main() -> None:
    """Answer requests until standard input ends."""
    limits = ExtractTable.model_validate_json(sys.argv[1])
    tempfile.tempdir = sys.argv[2]
    isolation.isolate(limits)
    for line in sys.stdin:
        isolation.allow_cpu(limits.file_timeout_s)
        for message in _answer(json.loads(line), limits):
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
