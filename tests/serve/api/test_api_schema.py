"""The API keeps to its own description, whatever is sent (schemathesis)."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from dunegpt.config import load_settings
from dunegpt.serve.accounts.person import Scope
from dunegpt.serve.accounts.store import AccountStore
from simulators.dunegpt_server import serving
from tests.serve.api.world import make_index

pytestmark = pytest.mark.slow

EXAMPLES = 40


def test_the_api_is_as_described(tmp_path: Path, tiny_encoder: Path) -> None:
    config = tmp_path / "dunegpt.toml"
    config.write_text(
        f'data_dir = "data"\n[embed]\nmodel = "{tiny_encoder}"\n[server]\n'
        "questions_per_minute = 100000\nsearches_per_minute = 100000\n",
        encoding="utf-8",
    )
    make_index(load_settings(config))
    with AccountStore(load_settings(config)) as accounts:
        account = accounts.local.add("ada", "mostly harmless argon")
        scopes = (Scope.ASK, Scope.SEARCH)
        token = accounts.tokens.create(account.id, "test", scopes=scopes).secret
    headers = {"Authorization": f"Bearer {token}"}
    with serving(config) as server:
        url = f"{server.url}/api/v1/openapi.json"
        description = httpx.get(url, headers=headers).json()
        schema = schemathesis.openapi.from_dict(description)
        names = []
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            names.append(operation.label)

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def check(case: Any) -> None:
                response = case.call(base_url=server.url, headers=headers)
                # A question has a grammar beyond its schema: "after:never" is refused.
                case.validate_response(
                    response, excluded_checks=[positive_data_acceptance]
                )
                assert response.status_code < 500

            check()
        log = server.log.read_text("utf-8")
    assert len(names) == 4
    assert "Traceback" not in log
