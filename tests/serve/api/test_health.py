"""Health and readiness, as monitoring sees them."""

import pytest

from dunegpt.config import Settings
from tests.serve.api.world import World, serving


def test_ready(world: World) -> None:
    assert world.call("GET", "/healthz", "nobody").json() == {"status": "ok"}
    ready = world.call("GET", "/readyz", "nobody")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reason": ""})
