"""A folder to write in for a process that may otherwise write nothing."""

import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(size_mb: int) -> Iterator[Path]:
    """Give a folder, and let files have so many MB while it is there.

    What is forbidden for good stays so: a process that has no limit on the size of its
    files keeps none.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wanted = size_mb << 20
    if soft == 0:
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (raised, hard))
    try:
        with tempfile.TemporaryDirectory(prefix="dunegpt-") as folder:
            yield Path(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
