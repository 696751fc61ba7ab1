"""ID tokens and logout tokens that are not what they should be."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from joserfc import jwt
from joserfc.jwk import ECKey

from dunegpt.serve.login.errors import ProviderUnavailableError, TokenInvalidError
from dunegpt.serve.login.tokens import (
    LOGOUT_EVENT,
    MAX_TOKEN_AGE_S,
    read_logout_token,
)
from simulators.oidc.issuer import Change, Issuer, make_unsigned
from tests.serve.login.world import Clock, log_in, make_provider

NOW = int(time.time())


@pytest.fixture(autouse=True)
def frozen_clock() -> Iterator[None]:
    """Hold the time at which the claims of this module were written."""
    with time_machine.travel(NOW, tick=False):
        yield


def setting(**values: Any) -> Change:
    """Return a change that sets claims; a claim that is None is left out."""

    def change(header: dict[str, Any], claims: dict[str, Any]) -> None:
        claims.update(values)
        for name in [name for name, value in values.items() if value is None]:
            del claims[name]

    return change


def heading(**values: Any) -> Change:
    return lambda header, claims: header.update(values)


@pytest.mark.parametrize(
    "change",
    [
        setting(iss="https://other.example.org"),
        setting(iss=None),
        setting(aud="another-client"),
        setting(aud=["another-client"]),
        setting(aud=[]),
        setting(aud=None),
        setting(aud=["gpt", "another-client"]),  # without azp
        setting(aud=["gpt", "another-client"], azp="another-client"),
        setting(azp="another-client"),
        setting(sub=None),
        setting(sub=""),
        setting(sub=5),
        setting(sub="x" * 256),
        setting(exp=None),
        setting(exp=NOW - 120),
        setting(exp="tomorrow"),
        setting(exp=float("nan")),
        setting(iat=None),
        setting(iat=NOW + 600),
        setting(iat=NOW - MAX_TOKEN_AGE_S - 120, exp=NOW + 9999),
        setting(nbf=NOW + 600),
        setting(at_hash="AAAA"),
        heading(typ="logout+jwt"),
        heading(typ="at+jwt"),
        heading(crit=["exp"], exp=1),
        heading(kid="unknown"),
    ],
)
def test_an_id_token_that_is_not_valid_is_refused(
    issuer: Issuer, change: Change
) -> None:
    issuer.change = change
    with pytest.raises(TokenInvalidError):
        log_in(make_provider(issuer), issuer)


@pytest.mark.parametrize(
    "change",
    [
        setting(aud=["gpt"]),
        setting(aud=["gpt", "another-client"], azp="gpt"),
        setting(exp=NOW - 30),  # within the allowed difference of the clocks
        setting(iat=NOW + 30),
        heading(x5c=["A" * 3000]),
    ],
)
def test_an_unusual_but_valid_id_token_is_accepted(
    issuer: Issuer, change: Change
) -> None:
    issuer.change = change
    assert log_in(make_provider(issuer), issuer).subject == "ann"


def test_clocks_may_differ_only_as_far_as_the_settings_say(issuer: Issuer) -> None:
    issuer.change = setting(iat=NOW + 100)
    with pytest.raises(TokenInvalidError):
        log_in(make_provider(issuer, clock_skew_s=10), issuer)
    assert log_in(make_provider(issuer, clock_skew_s=200), issuer).subject == "ann"


def encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def forge_with_public_key(issuer: Issuer) -> Callable[..., str]:
    """Return what signs with the public key as if it were a shared secret."""

    def forge(header: dict[str, Any], claims: dict[str, Any]) -> str:
        text = f"{encode(header | {'alg': 'HS256'})}.{encode(claims)}"
        key = issuer.keys[0].as_pem(private=False)
        mac = hmac.new(key, text.encode(), hashlib.sha256).digest()
        return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    return forge


def forge_with_own_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token with the key that it is signed with in its header."""
    own = ECKey.generate_key("P-256")
    shown = header | {"jwk": own.as_dict(private=False)}
    return jwt.encode(shown, claims, own, ["ES256"])


def alter_after_signing(issuer: Issuer) -> Callable[..., str]:
    def forge(header: dict[str, Any], claims: dict[str, Any]) -> str:
        head, _, mac = jwt.encode(header, claims, issuer.keys[0], ["ES256"]).split(".")
        return f"{head}.{encode(claims | {'groups': ['operators']})}.{mac}"

    return forge


def test_a_forged_token_is_refused(issuer: Issuer) -> None:
    kinds: list[Callable[..., Any]] = [
        make_unsigned,
        lambda header, claims: make_unsigned(header, claims) + "AAAA",
        forge_with_public_key(issuer),
        forge_with_own_key,
        alter_after_signing(issuer),
        lambda header, claims: "",
        lambda header, claims: "a.b.c",
        lambda header, claims: "é" * 10,
        lambda header, claims: f"{'W' * 4000}.{encode(claims)}.AAAA",
        lambda header, claims: 5,
        lambda header, claims: None,
        lambda header, claims: encode([1]) + ".e30.AAAA",  # type: ignore[arg-type]
        lambda header, claims: ".".join([encode(header)] * 5),  # encrypted
    ]
    for kind in kinds:
        issuer.forge = kind
        with pytest.raises(TokenInvalidError):
            log_in(make_provider(issuer), issuer)


def test_a_new_key_is_fetched_once_and_old_ones_are_forgotten(issuer: Issuer) -> None:
    clock = Clock()
    provider = make_provider(issuer, clock)
    old = issuer.keys[0]
    log_in(provider, issuer)
    issuer.rotate_keys()
    assert log_in(provider, issuer).subject == "ann"
    assert issuer.count("/keys") == 2
    issuer.keys.insert(0, old)
    stolen = issuer.make_logout_token(sub="ann")
    issuer.keys.pop(0)
    with pytest.raises(TokenInvalidError, match="unknown key"):
        read_logout_token(provider, stolen)


def test_unknown_keys_cause_few_requests(issuer: Issuer) -> None:
    clock = Clock()
    provider = make_provider(issuer, clock)
    token = issuer.make_logout_token(sub="ann")
    issuer.rotate_keys()
    for _ in range(50):
        with pytest.raises(TokenInvalidError):
            read_logout_token(provider, token)
        clock.now += 1
    assert issuer.count("/keys") <= 3
    issuer.faults["/keys"] = 500
    clock.now += 4000
    for _ in range(5):
        with pytest.raises(ProviderUnavailableError):
            read_logout_token(provider, token)
    assert issuer.count("/keys") <= 4


def test_keys_that_cannot_sign_are_left_out(issuer: Issuer) -> None:
    from dunegpt.serve.login.keys import import_keys  # noqa: PLC0415

    good = ECKey.generate_key("P-256").as_dict(private=False)
    bad: list[Any] = [
        {"kty": "oct", "k": "AAAA"},
        {**good, "use": "enc"},
        {**good, "x": "AAAA"},
        {"kty": "EC", "crv": "P-999", "x": "a", "y": "b"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": 5},
        {"kty": "RSA"},
        {"kty": "of the future"},
        {},
        "key",
    ]
    assert len(import_keys([*bad, good])) == 1


def test_a_logout_token_names_a_session_or_a_person(issuer: Issuer) -> None:
    provider = make_provider(issuer)
    notice = read_logout_token(provider, issuer.make_logout_token(sub="ann", sid="s1"))
    assert (notice.issuer, notice.subject, notice.sid) == (issuer.url, "ann", "s1")
    assert read_logout_token(provider, issuer.make_logout_token(sid="s1")).subject == ""
    assert read_logout_token(provider, issuer.make_logout_token(sub="ann")).sid == ""
    old = issuer.make_logout_token(sub="ann", typ="JWT", without="exp")
    assert read_logout_token(provider, old).subject == "ann"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example.org"},
        {"client_id": "another-client"},
        {"aud": []},
        {"iat": NOW + 600},
        {"iat": NOW - MAX_TOKEN_AGE_S - 120},
        {"iat": True},
        {"exp": NOW - 120},
        {"jti": ""},
        {"jti": 5},
        {"jti": "x" * 300},
        {"events": {}},
        {"events": [LOGOUT_EVENT]},
        {"events": {LOGOUT_EVENT: True}},
        {"nonce": "n"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sid": 5},
        {"typ": "at+jwt"},
        {"typ": "secevent+jwt"},
        *({"without": name} for name in ("iss", "aud", "iat", "jti", "events", "sub")),
    ],
)
def test_a_logout_token_that_is_not_valid_is_refused(
    issuer: Issuer, claims: dict[str, Any]
) -> None:
    token = issuer.make_logout_token(**({"sub": "ann"} | claims))
    with pytest.raises(TokenInvalidError):
        read_logout_token(make_provider(issuer), token)


def test_an_id_token_is_no_logout_token(issuer: Issuer) -> None:
    provider = make_provider(issuer)
    with pytest.raises(TokenInvalidError):
        read_logout_token(provider, log_in(provider, issuer).id_token)
    for kind in (make_unsigned, forge_with_public_key(issuer), forge_with_own_key):
        issuer.forge = kind
        with pytest.raises(TokenInvalidError):
            read_logout_token(provider, issuer.make_logout_token(sub="ann"))
