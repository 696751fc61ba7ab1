"""A provider with faults, and what logs in there."""

from collections.abc import Iterator

import pytest

from simulators.oidc.issuer import Issuer
from tests.serve.login.world import PERSONS


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Give a running provider."""
    with Issuer({name: dict(claims) for name, claims in PERSONS.items()}) as running:
        yield running
