"""A writable temporary folder for a process that may otherwise not write files."""

import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(size_mb: int) -> Iterator[Path]:
    """Create a temporary folder and allow files of up to `size_mb` while it exists.

    The hard limit is never exceeded, and a process without a limit on file size stays
    without one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = size_mb << 20
    if soft == 0:
        soft_limit = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft_limit, hard))
    try:
        with tempfile.TemporaryDirectory(prefix="dunegpt-") as folder:
            yield Path(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
