"""A real provider and a real server, each as a process of its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.oidc.real_provider import (
    CACHE,
    Browser,
    ProviderStartError,
    RealProvider,
    find_free_port,
    make_client,
    serving,
)
from tests.real.conftest import REQUIRED, absent, require_programs

ANN = {"name": "Ann Li", "email": "ann@example.org", "groups": ["larch-members"]}
BO = {"name": "Bo Ek", "email": "ann@example.org", "groups": []}
MEMBER = "docdb:LARCH"
SECRET = "s3cret: with +%"
_SETTINGS = """
data_dir = "{work}/data"
[server]
url = "{url}"
port = {port}
[server.oidc.lab]
issuer = "{issuer}"
client_id = "gpt"
client_secret_env = "LAB_SECRET"
label = "The Lab"
refresh_min = 0.02
max_claims_age_min = 0.1
{more}
[[access.people]]
claim = "groups"
value = "larch-members"
issuer = "{issuer}"
principals = ["{member}"]
"""


@dataclass
class Site:
    """A server and the provider that it trusts."""

    url: str
    provider: RealProvider
    stack: ExitStack

    def open_browser(self) -> Browser:
        """Return a new browser."""
        browser = Browser()
        self.stack.callback(browser.client.close)
        return browser

    def sign_in(self, person: str = "ann") -> Browser:
        """Return a browser in which somebody has signed in."""
        browser = self.open_browser()
        page = browser.open(f"{self.url}/login/lab?next=/account", person)
        assert str(page.url) == f"{self.url}/account", page.text
        return browser

    def describe(self, browser: Browser) -> dict[str, Any] | None:
        """Return whom the server sees; None if nobody."""
        response = browser.client.get(f"{self.url}/api/v1/status")
        if response.status_code == 401:
            return None
        person: dict[str, Any] = response.json()["person"]
        return person

    def principals(self, browser: Browser) -> set[str]:
        """Return what the person may read."""
        person = self.describe(browser)
        return set(person["principals"]) if person else set()

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float = 20) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: It is not, after the time.
        """
        deadline = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Give what starts a provider and a server that trusts it."""
    require_programs("npm")
    if not REQUIRED and not (CACHE / "installed").is_file():
        absent("oidc-provider", "not installed here; 'make test-real' installs it")
    with ExitStack() as stack:

        def make(more: str = "", **settings: Any) -> Site:
            port = find_free_port()
            url = f"http://127.0.0.1:{port}"
            client = make_client(url, SECRET) | settings.pop("client", {})
            settings |= {"clients": [client], "persons": {"ann": ANN, "bo": BO}}
            try:
                provider = stack.enter_context(serving(tmp_path / "op", settings))
            except ProviderStartError as error:
                absent("oidc-provider", str(error))
            file = tmp_path / "dunegpt.toml"
            text = _SETTINGS.format(
                work=tmp_path,
                url=url,
                port=port,
                issuer=provider.url,
                more=more,
                member=MEMBER,
            )
            file.write_text(text)
            stack.enter_context(_running(file, url))
            return Site(url, provider, stack)

        yield make


class _running:
    """A context manager that runs ``dunegpt serve``."""

    def __init__(self, config: Path, url: str) -> None:
        self._log = config.with_name("server.log")
        self._command = [sys.executable, "-m", "dunegpt", "serve"]
        self._config, self._url = config, url

    def __enter__(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, "--config", str(self._config)],
                env={"PATH": "/usr/bin:/bin", "LAB_SECRET": SECRET},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 90
        while True:
            try:
                httpx.get(f"{self._url}/healthz")
                return
            except httpx.TransportError:
                is_over = self._process.poll() is not None
                if is_over or time.monotonic() > deadline:
                    self._process.kill()
                    self._process.wait()
                    raise AssertionError(self._log.read_text()[-2000:]) from None
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
