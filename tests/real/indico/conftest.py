"""An Indico with its seed for tests, and the process that changes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.indico.commands import Clerk
from simulators.indico.server import (
    CACHE,
    IndicoServer,
    ServerStartError,
    missing,
    start,
)
from tests.real.conftest import REQUIRED, absent

pytest.register_assert_rewrite("simulators.indico.site")

from simulators.indico.site import Site, site  # noqa: E402 - rewritten by pytest


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


@pytest.fixture
def larch(
    indico: IndicoServer,
    tmp_path: Path,
    tiny_encoder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    """Return a data folder for that Indico, of which nothing has been crawled yet."""
    return site(indico, tmp_path, tiny_encoder, monkeypatch)
