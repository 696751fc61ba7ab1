"""Here every test starts its own child processes: they are what is tested."""

import pytest


@pytest.fixture
def own_readers() -> None:
    """Leave the sandbox as it is."""
