"""From login to logout through oidc-provider and `dunegpt serve`."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from simulators.oidc.real_provider import Browser
from tests.real.oidc.conftest import ANN, MEMBER, Site

pytestmark = pytest.mark.programs
MakeSite = Callable[..., Site]


@pytest.mark.smoke
def test_a_journey_from_login_to_logout(make_site: MakeSite) -> None:
    site = make_site()
    browser = site.sign_in()
    person = site.describe(browser)
    assert person and person["name"] == "Ann Li"
    assert site.principals(browser) == {"public", MEMBER}
    # A group is taken away, and given back: each counts with the next refresh.
    site.provider.set_person("ann", ANN | {"groups": []})
    site.wait_for(lambda: site.principals(browser) == {"public"}, 5)
    site.provider.set_person("ann", ANN)
    site.wait_for(lambda: MEMBER in site.principals(browser), 5)
    # Out here, and at the provider by way of its own page; back to the login page.
    page = _sign_out(site, browser)
    assert str(page.url) == f"{site.url}/login", page.text
    assert site.describe(browser) is None
    assert "Sign-in" in browser.open(f"{site.url}/login/lab").text  # asked again


def test_a_logout_at_the_provider_ends_the_session_here(make_site: MakeSite) -> None:
    site = make_site()
    browser, bo = site.sign_in(), site.sign_in("bo")
    browser.open(f"{site.provider.url}/session/end", "ann")
    [notice] = site.provider.list_notices()
    assert notice["ok"], notice
    assert site.describe(browser) is None
    assert site.describe(bo) is not None


def test_a_logout_of_one_session_leaves_the_other(make_site: MakeSite) -> None:
    site = make_site(client={"backchannel_logout_session_required": True})
    first, second = site.sign_in(), site.sign_in()
    first.open(f"{site.provider.url}/session/end", "ann")
    [notice] = site.provider.list_notices()
    assert notice["ok"] and notice["sid"], notice
    assert site.describe(first) is None
    assert site.describe(second) is not None


def test_a_removed_person_loses_the_session(make_site: MakeSite) -> None:
    site = make_site()
    browser = site.sign_in()
    site.provider.remove_person("ann")
    site.wait_for(lambda: site.describe(browser) is None, 5)


def test_a_provider_that_is_down_narrows_and_comes_back(make_site: MakeSite) -> None:
    site = make_site()
    browser = site.sign_in()
    site.provider.stop()
    time.sleep(1.5)
    assert site.principals(browser) == {"public", MEMBER}
    site.wait_for(lambda: site.principals(browser) == {"public"})
    begun = site.open_browser().client.get(f"{site.url}/login/lab")
    assert begun.status_code == 303  # what the provider published is kept for an hour
    assert site.open_browser().open(f"{site.url}/login").status_code == 200
    site.provider.start()  # with new keys, and without what it knew
    again = site.sign_in()
    assert site.principals(again) == {"public", MEMBER}


def test_codes_and_states_count_once(make_site: MakeSite) -> None:
    site = make_site()
    browser = site.open_browser()
    begun = browser.client.get(f"{site.url}/login/lab")
    callback = _find_callback(site, browser, begun.headers["location"])
    assert browser.client.get(callback).status_code == 303
    assert site.describe(browser) is not None
    assert browser.client.get(callback).status_code == 400
    # The same code with a state of its own: the provider knows that it was used.
    other = site.open_browser()
    query = parse_qs(urlsplit(callback).query)
    state = parse_qs(
        urlsplit(other.client.get(f"{site.url}/login/lab").headers["location"]).query
    )["state"][0]
    stolen = {"code": query["code"][0], "state": state, "iss": query["iss"][0]}
    refused = other.client.get(f"{site.url}/login/lab/callback", params=stolen)
    assert refused.status_code == 400
    assert site.describe(other) is None


@pytest.mark.parametrize(
    "client",
    [
        {"token_endpoint_auth_method": "client_secret_post"},
        {"id_token_signed_response_alg": "ES256"},
    ],
)
def test_clients_may_be_registered_otherwise(
    make_site: MakeSite, client: dict[str, str]
) -> None:
    auth = client.get("token_endpoint_auth_method", "client_secret_basic")
    site = make_site(more=f'client_auth = "{auth}"', client=client, only_userinfo=True)
    assert site.principals(site.sign_in()) == {"public", MEMBER}


def test_a_provider_without_refresh_tokens(make_site: MakeSite) -> None:
    site = make_site(refresh_tokens=False)
    browser = site.sign_in()
    assert site.principals(browser) == {"public", MEMBER}
    site.wait_for(lambda: site.describe(browser) is None)


def _sign_out(site: Site, browser: Browser) -> httpx.Response:
    page = browser.client.get(f"{site.url}/account").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    done = browser.client.post(f"{site.url}/logout", data={"csrf_token": token})
    assert done.status_code == 200, done.text
    target = done.headers["refresh"].removeprefix("0; url=")
    return browser.open(target, "ann")


def _find_callback(site: Site, browser: Browser, url: str) -> str:
    """Return where the provider sends a browser after a login, without going there."""
    found: list[str] = []

    def look(response: httpx.Response) -> None:
        target = response.headers.get("location", "")
        if target.startswith(f"{site.url}/login/lab/callback"):
            found.append(target)
            response.headers["location"] = f"{site.url}/healthz"

    browser.client.event_hooks = {"response": [look]}
    browser.open(url, "ann")
    browser.client.event_hooks = {"response": []}
    return found[0]
