"""The child process that reads files: one request a line in, one reply a line out.

A request is ``{"path", "name", "media_type"}``; a reply is ``{"pages": [...]}`` or
``{"error": message}``, in JSON: a hostile file that takes this process over can send
text to its parent and no more. Started by `sandbox` only.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import extract

_MAX_CHARACTERS = 50_000_000


def _limit(memory_mb: int) -> None:
    """Take from this process what reading a file does not need."""
    size = memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _reply(request: dict[str, str]) -> dict[str, Any]:
    try:
        pages = extract(Path(request["path"]), request["name"], request["media_type"])
    except ExtractError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": "Reading the file needs more memory than allowed."}
    except RecursionError:
        return {"error": "The file is nested too deeply."}
    except Exception as error:
        # The per-item door of this process: whatever a library raises on a file that
        # somebody damaged is that file's failure, with its reason.
        return {"error": f"{type(error).__name__}: {error}"}
    if sum(len(page.text) for page in pages) > _MAX_CHARACTERS:
        return {"error": f"The file has over {_MAX_CHARACTERS:,} characters of text."}
    return {"pages": [[page.number, page.heading, page.text] for page in pages]}


def main() -> None:
    """Answer requests until standard input ends."""
    _limit(int(sys.argv[1]))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_reply(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
