"""The child process that extracts files: JSON lines on standard input and output.

A request is ``{"path", "name", "media_type"}``, plus ``"page"`` and ``"quote"`` to get
boxes, or ``"box"`` to get the picture there. The response streams ``["page", ...]``,
``["remark", text]``,
``["made_with", {...}]`` and, if another attempt may do better, ``["transient"]``; it
ends with ``["end"]`` or ``["error", text]``. A malicious file that takes over this
process can only send text to its parent, the `sandbox`.
"""

import base64
import gc
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

from dunegpt.config import ExtractSettings
from dunegpt.errors import ExtractError
from dunegpt.files import host_error
from dunegpt.ingest.extract import extract, format_limits, isolation
from dunegpt.ingest.extract.isolation import is_memory_short
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Box

Request = dict[str, Any]

_YOUNG_OBJECTS = 50_000
"""Objects between two searches for unused cycles, instead of 700.

Extraction makes very many small ones that are freed without a search.
"""
_MAX_RECURSION = 5000
"""Web pages nest a few hundred elements, with several calls for each."""


def _run_task(task: ExtractTask, request: Request) -> Iterator[list[Any]]:
    if "quote" in request:
        from dunegpt.ingest.extract import highlight  # noqa: PLC0415 - start-up time

        kind = request["media_type"]
        found = highlight.find_boxes(task, kind, request["page"], request["quote"])
        yield ["boxes", [astuple(box) for box in found]]
        return
    if "box" in request:
        from dunegpt.ingest.extract import pictures  # noqa: PLC0415 - start-up time

        box = Box(*request["box"])
        content = pictures.render_picture(task, request["media_type"], box)
        yield ["picture", base64.b64encode(content).decode()]
        return
    for page in extract(task, request["media_type"]):
        own = (page.number, page.heading, page.text, page.label, page.line)
        yield ["page", *own, [astuple(figure) for figure in page.figures]]


def _handle_request(request: Request, limits: ExtractSettings) -> Iterator[list[Any]]:
    """Yield all response messages for one request."""
    task = ExtractTask(Path(request["path"]), request["name"], "", limits)
    try:
        yield from _run_task(task, request)
        final = ["end"]
    except ExtractError as error:
        final = ["error", _host_refusal(task, error) or str(error)]
    except MemoryError:
        task.remark_limit("Reading the file needs more memory than allowed.")
        task.is_transient = True
        final = ["error", task.remarks.pop()]
    except RecursionError:
        final = ["error", "The file is nested too deeply."]
    except Exception as error:
        # Per-file boundary: whatever a library raises on a damaged file is reported as
        # the failure of that file.
        reason = f"The file is damaged: {type(error).__name__}: {error}"
        final = ["error", _host_refusal(task, error) or reason]
    for remark in task.remarks:
        yield ["remark", remark]
    yield ["made_with", task.made_with]
    if task.is_transient or (final[0] == "error" and is_memory_short()):
        yield ["transient"]
    yield final


def _host_refusal(task: ExtractTask, error: Exception) -> str:
    """Return the error of the operating system; empty if the file is at fault."""
    if (found := host_error(error)) is None:
        return ""
    task.made_with = {"limits": format_limits(task.limits)}
    task.is_transient = True
    return f"The file could not be read on this host: {found}"


def main() -> None:
    """Handle requests until standard input ends."""
    limits = ExtractSettings.model_validate_json(sys.argv[1])
    sys.setrecursionlimit(_MAX_RECURSION)
    tempfile.tempdir = sys.argv[2]
    isolation.isolate(limits)
    gc.set_threshold(_YOUNG_OBJECTS)
    for line in sys.stdin:
        isolation.allow_cpu(limits.file_timeout_s)
        for message in _handle_request(json.loads(line), limits):
            sys.stdout.write(json.dumps(message) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
