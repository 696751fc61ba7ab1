"""Real parts for tests. With DUNEGPT_REAL=required, one that cannot start is a failure.

Otherwise the suite that needs it is skipped, by name and with the reason.
"""

import os
from collections.abc import Iterator

import pytest

from tests.servers.indico import CACHE, IndicoServer, ServerStartError, missing, start
from tests.servers.indico_clerk import Clerk

pytest.register_assert_rewrite("tests.real.larch")

REQUIRED = os.environ.get("DUNEGPT_REAL") == "required"


def absent(part: str, reason: str) -> None:
    """End the test: as a failure where the real parts are required."""
    message = f"real part not started: {part}: {reason}"
    if REQUIRED:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def indico(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndicoServer]:
    """Give a running Indico with the seed in it; `make test-real` installs it."""
    if not REQUIRED and not (CACHE / "venv").is_dir():
        absent("Indico", "not installed here; 'make test-real' installs it")
    if not REQUIRED and (lacking := missing()):
        absent("Indico", "; ".join(lacking))
    try:
        server = start(tmp_path_factory.mktemp("indico"))
    except ServerStartError as error:
        absent("Indico", str(error))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def clerk(indico: IndicoServer) -> Iterator[Clerk]:
    """Give who changes that Indico, and tells its truth; to start it takes seconds."""
    with Clerk(indico) as clerk:
        yield clerk
