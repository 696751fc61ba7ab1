"""Installs, starts and stops the real oidc-provider of Node, and signs people in there.

    python -m simulators.oidc.real_provider [--server URL] [--port PORT]

runs one for a server at URL, with the persons ann (in the group larch-members) and bo,
until it is interrupted, and prints the settings that the server needs.

The packages are cached in .cache/oidc-provider-<version>/ in the repository.
"""

import argparse
import fcntl
import html
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from simulators.processes import Processes

VERSION = "9.13.3"
HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / f"oidc-provider-{VERSION}"
_FILES = ("package.json", "provider.mjs")
_INSTALL_TIMEOUT_S = 600
_READY_TIMEOUT_S = 30


class ProviderStartError(Exception):
    """The provider could not be installed or started."""


def install() -> Path:
    """Return the folder with the packages; install them if they are missing.

    Raises:
        ProviderStartError: npm failed.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    done = CACHE / "installed"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = (HERE / "package.json").read_text()
        if not done.is_file() or done.read_text() != wanted:
            shutil.copy(HERE / "package.json", CACHE)
            npm = ["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier"]
            try:
                run = subprocess.run(
                    npm,
                    cwd=CACHE,
                    capture_output=True,
                    text=True,
                    timeout=_INSTALL_TIMEOUT_S,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ProviderStartError(f"npm: {error}") from error
            if run.returncode:
                raise ProviderStartError(f"npm: {run.stderr[-500:]}")
            done.write_text(wanted)
        shutil.copy(HERE / "provider.mjs", CACHE)
    return CACHE


@dataclass
class RealProvider:
    """A running provider.

    Attributes:
        url: Its issuer identifier.
    """

    url: str
    processes: Processes
    settings: dict[str, Any]

    def start(self) -> None:
        """Start it, at the same address as before; wait until it answers.

        Raises:
            ProviderStartError: It does not.
        """
        port = str(urlsplit(self.url).port)
        node = CACHE / "node_modules" / ".bin" / "node"
        self.processes.launch(
            "provider",
            [str(node), str(CACHE / "provider.mjs"), port, json.dumps(self.settings)],
            env={"PATH": os.environ["PATH"], "NODE_NO_WARNINGS": "1"},
        )
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while time.monotonic() < deadline and self.processes.all_alive():
            try:
                httpx.get(f"{self.url}/.well-known/openid-configuration", timeout=5)
                return
            except httpx.TransportError:
                time.sleep(0.1)
        log = self.processes.work / "log" / "provider.log"
        raise ProviderStartError(log.read_text()[-500:])

    def stop(self) -> None:
        """Stop it."""
        self.processes.stop()

    def set_person(self, name: str, claims: dict[str, Any]) -> None:
        """Set the claims of a person."""
        httpx.put(f"{self.url}/test/persons/{name}", json=claims).raise_for_status()

    def remove_person(self, name: str) -> None:
        """Remove a person."""
        httpx.delete(f"{self.url}/test/persons/{name}").raise_for_status()

    def list_notices(self) -> list[dict[str, Any]]:
        """Return the logout notices that it has sent, with what became of them."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/test/notices").json()
        return found


def make_client(url: str, secret: str) -> dict[str, Any]:
    """Return how a server at an address is registered, as the client ``gpt``."""
    return {
        "client_id": "gpt",
        "client_secret": secret,
        "redirect_uris": [f"{url}/login/lab/callback"],
        "post_logout_redirect_uris": [f"{url}/login"],
        "backchannel_logout_uri": f"{url}/login/lab/backchannel-logout",
        "grant_types": ["authorization_code", "refresh_token"],
    }


@contextmanager
def serving(
    work: Path, settings: dict[str, Any], port: int = 0
) -> Iterator[RealProvider]:
    """Give a provider of these settings, see `provider.mjs`.

    Raises:
        ProviderStartError: It cannot be installed or started.
    """
    install()
    (work / "log").mkdir(parents=True, exist_ok=True)
    provider = RealProvider(
        f"http://127.0.0.1:{port or find_free_port()}", Processes(work), settings
    )
    try:
        provider.start()
        yield provider
    finally:
        provider.stop()


def find_free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Browser:
    """A browser with its cookies, in which a person fills in the provider's forms."""

    def __init__(self) -> None:
        self.client = httpx.Client(follow_redirects=False, timeout=30)

    def open(self, url: str, person: str = "") -> httpx.Response:
        """Return the page that an address leads to, after all redirects and forms.

        Args:
            url: Address.
            person: Who signs in, and agrees, if a page asks.
        """
        response = self.client.get(url, headers={"Accept": "text/html"})
        for _ in range(30):
            response = self._follow(response)
            form = _find_form(response.text)
            if form is None or not person:
                return response
            action, fields = form
            fields |= {"login": person, "password": "any", "logout": "yes"}
            response = self.client.post(urljoin(str(response.url), action), data=fields)
        raise AssertionError("the pages lead to nothing")

    def _follow(self, response: httpx.Response) -> httpx.Response:
        while response.is_redirect or "refresh" in response.headers:
            refresh = response.headers.get("refresh", "").removeprefix("0; url=")
            target = response.headers.get("location", refresh)
            response = self.client.get(
                urljoin(str(response.url), target), headers={"Accept": "text/html"}
            )
        return response


def _find_form(page: str) -> tuple[str, dict[str, str]] | None:
    """Return action and hidden fields of a form of the provider, if there is one."""
    form = re.search(
        r"<form[^>]*action=\"([^\"]*)\"[^>]*>(.*?)</form>", page, re.DOTALL
    )
    if form is None or not re.search(r'name="(prompt|xsrf)"', form[2]):
        return None
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[2])
    return html.unescape(form[1]), {
        name: html.unescape(value) for name, value in fields
    }


_PERSONS = {
    "ann": {"name": "Ann Li", "groups": ["larch-members"]},
    "bo": {"name": "Bo Ek", "groups": []},
}
_SERVER_SETTINGS = """\
[server.oidc.lab]
issuer = "{issuer}"
client_id = "gpt"
client_secret_env = "LAB_SECRET"    # export LAB_SECRET={secret}
label = "The Lab"
"""


def main() -> None:
    """Run a provider until it is interrupted."""
    parser = argparse.ArgumentParser(description="Run oidc-provider on loopback.")
    parser.add_argument("--server", default="http://127.0.0.1:8000", metavar="URL")
    parser.add_argument("--port", type=int, default=9000)
    options = parser.parse_args()
    secret = "for-tests-on-loopback"
    settings = {"clients": [make_client(options.server, secret)], "persons": _PERSONS}
    with (
        tempfile.TemporaryDirectory() as work,
        serving(Path(work), settings, options.port) as provider,
    ):
        sys.stdout.write(_SERVER_SETTINGS.format(issuer=provider.url, secret=secret))
        sys.stdout.flush()
        try:
            while provider.processes.all_alive():
                time.sleep(0.5)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
