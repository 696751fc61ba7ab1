"""A pytest plugin that runs the tests as if it were another moment, somewhere else.

``pytest --clock 2028-02-29T20:00 --zone Pacific/Pago_Pago`` moves the clock so that the
run begins at that local time; from there it goes on as always. Either option may be
left out. Moved are ``datetime``, ``date.today`` and ``time.time`` of this process, of
pytest-xdist's workers, and of each Python process that inherits the environment: they
find `sitecustomize` beside this file on ``PYTHONPATH``. Monotonic clocks, the times of
files, and programs that are not Python keep the real time.
"""

import os
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from tests.clock.sitecustomize import OFFSET, move, move_as_parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--clock`` and ``--zone``."""
    group = parser.getgroup("clock")
    group.addoption("--clock", help="local time at which the run begins, ISO 8601")
    group.addoption("--zone", help="time zone of the run, for example Asia/Tokyo")


def pytest_configure(config: pytest.Config) -> None:
    """Move the clock."""
    move_as_parent()
    if hasattr(config, "workerinput"):
        return
    if zone := config.getoption("zone"):
        _set_zone(zone)
    if moment := config.getoption("clock"):
        try:
            begin = datetime.fromisoformat(moment).timestamp()
        except ValueError as error:
            raise pytest.UsageError(f"--clock {moment}: {error}") from error
        offset = begin - time.time() + float(os.environ.get(OFFSET, "0"))
        folders = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
        os.environ[OFFSET] = str(offset)
        move(begin)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return the moment at which a moved run begins."""
    if not (config.getoption("clock") or config.getoption("zone")):
        return []
    return [f"clock: {datetime.now().astimezone().isoformat(timespec='seconds')}"]


def _set_zone(zone: str) -> None:
    try:
        wanted = ZoneInfo(zone)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise pytest.UsageError(f"--zone {zone}: no such time zone") from error
    os.environ["TZ"] = zone
    time.tzset()
    now = datetime.now(wanted)
    # The C library takes a zone that it does not have for UTC.
    if now.astimezone().utcoffset() != now.utcoffset():
        raise pytest.UsageError(f"--zone {zone}: the C library does not know it")
