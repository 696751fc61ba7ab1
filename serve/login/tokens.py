"""Checks ID tokens and logout tokens of a provider, and returns their claims.

Sources: OpenID Connect Core 1.0, sections 3.1.3.7 and 12.2; OpenID Connect
Back-Channel Logout 1.0, section 2.6.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError

from dunegpt.serve.login.errors import TokenInvalidError
from dunegpt.serve.login.provider import Provider

log = logging.getLogger(__name__)

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_TOKEN_AGE_S = 600
"""Age from which a token that arrives is too old, whatever end it names."""

_MAX_TOKEN_CHARACTERS = 100_000
_MAX_NAME_CHARACTERS = 255
_LOGOUT_TYPES = frozenset({"logout+jwt", "jwt"})
"""Types of logout tokens; the second is that of providers from before the standard."""
_ID_TOKEN_TYPES = frozenset({"jwt"})


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """What a valid logout token says.

    Attributes:
        issuer: Of the provider.
        jti: Id of the token; it may be used once.
        expires_at: Time from which the token is too old by itself, in seconds since
            1970.
        sid: Session at the provider that has ended; empty for all of the person.
        subject: The person; may be empty if ``sid`` is not.
    """

    issuer: str
    jti: str
    expires_at: float
    sid: str = ""
    subject: str = ""


def read_id_token(
    provider: Provider, token: object, *, nonce: str, access_token: str = ""
) -> dict[str, Any]:
    """Return the claims of an ID token that a login gave.

    Args:
        provider: Who gave it.
        token: As it was sent.
        nonce: Of the authorization request.
        access_token: That came with it.

    Raises:
        TokenInvalidError: It is none, or not for this login.
        ProviderUnavailableError: The keys of the provider cannot be fetched.
    """
    header, claims = _decode(provider, token, _ID_TOKEN_TYPES)
    _validate_id_token(
        provider, header, claims, {"nonce": nonce, "access_token": access_token}
    )
    if claims.get("nonce") != nonce:
        raise TokenInvalidError("The token is of another login.")
    return claims


def read_refreshed_id_token(
    provider: Provider,
    token: object,
    before: Mapping[str, Any],
    *,
    access_token: str = "",
) -> dict[str, Any]:
    """Return the claims of an ID token that a refresh gave.

    Args:
        provider: Who gave it.
        token: As it was sent.
        before: Claims of the ID token that the person had until now.
        access_token: That came with it.

    Raises:
        TokenInvalidError: It is none, or of another person.
        ProviderUnavailableError: The keys of the provider cannot be fetched.
    """
    header, claims = _decode(provider, token, _ID_TOKEN_TYPES)
    _validate_id_token(provider, header, claims, {"access_token": access_token})
    if claims["sub"] != before.get("sub"):
        raise TokenInvalidError("The token is of another person.")
    for name in ("nonce", "auth_time"):
        if name in claims and name in before and claims[name] != before[name]:
            raise TokenInvalidError("The token is of another login.")
    return claims


def read_logout_token(provider: Provider, token: object) -> LogoutNotice:
    """Return what a logout token says.

    Whether it was used before is not known here.

    Raises:
        TokenInvalidError: It is none, or not for this server.
        ProviderUnavailableError: The keys of the provider cannot be fetched.
    """
    _, claims = _decode(provider, token, _LOGOUT_TYPES)
    settings = provider.settings
    _validate(
        jwt.JWTClaimsRegistry(
            int(time.time()),
            settings.clock_skew_s,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.client_id},
            iat={"essential": True},
            jti={"essential": True},
        ),
        claims,
    )
    _check_age(claims["iat"], settings.clock_skew_s)
    if "nonce" in claims:
        raise TokenInvalidError("An ID token is no logout token.")
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise TokenInvalidError("The token is of no logout.")
    notice = LogoutNotice(
        issuer=settings.issuer,
        jti=_read_name(claims, "jti"),
        expires_at=claims["iat"] + MAX_TOKEN_AGE_S + 2 * settings.clock_skew_s,
        sid=_read_name(claims, "sid") if "sid" in claims else "",
        subject=_read_name(claims, "sub") if "sub" in claims else "",
    )
    if not notice.sid and not notice.subject:
        raise TokenInvalidError("The token names neither a session nor a person.")
    return notice


def read_own_claims(id_token: str) -> dict[str, Any]:
    """Return the claims of an ID token that was checked when it was stored."""
    try:
        found = json.loads(jws.extract_compact(id_token.encode()).payload)
    except (JoseError, ValueError) as error:
        raise TokenInvalidError("The stored token cannot be read.") from error
    return found if isinstance(found, dict) else {}


def _decode(
    provider: Provider, token: object, types: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token with a valid signature.

    Only algorithms of the settings count, none of which is ``none`` or works with a
    shared key; a key or an address of keys in the header is not looked at.
    """
    if not isinstance(token, str) or not 0 < len(token) <= _MAX_TOKEN_CHARACTERS:
        raise TokenInvalidError("There is no token.")
    registry = jws.JWSRegistry(
        algorithms=provider.settings.algorithms, strict_check_header=False
    )
    registry.max_header_length = 8192  # with a chain of certificates
    try:
        unverified = jws.extract_compact(token.encode(), None, registry).headers()
        algorithm, kid = unverified.get("alg"), unverified.get("kid")
        if algorithm not in provider.settings.algorithms:
            raise TokenInvalidError("The token is not signed as agreed.")
        if not isinstance(kid, str | None):
            raise TokenInvalidError("The token names no key.")
        key = provider.keys.find(kid, algorithm)
        found = jwt.decode(token, key, algorithms=[algorithm], registry=registry)
    except (JoseError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise _refuse(provider, error) from error
    kind = found.header.get("typ", "JWT")
    if not isinstance(kind, str) or _get_type(kind) not in types:
        raise TokenInvalidError("The token is of another type.")
    return found.header, found.claims


def _get_type(kind: str) -> str:
    """Return a media type as it is compared: RFC 7515, section 4.1.9."""
    return kind.lower().removeprefix("application/")


def _validate_id_token(
    provider: Provider,
    header: Mapping[str, Any],
    claims: dict[str, Any],
    parameters: Mapping[str, str],
) -> None:
    settings = provider.settings
    required = {"essential": True, "allow_blank": False}
    token = CodeIDToken(
        claims,
        header,
        options={
            "iss": {**required, "value": settings.issuer},
            "aud": {**required, "value": settings.client_id},
            "sub": required,
        },
        params={"client_id": settings.client_id, **parameters},
    )
    try:
        token.validate(now=int(time.time()), leeway=settings.clock_skew_s)
    except (JoseError, ValueError, TypeError) as error:
        raise _refuse(provider, error) from error
    _check_age(claims["iat"], settings.clock_skew_s)
    _read_name(claims, "sub")


def _validate(registry: jwt.JWTClaimsRegistry, claims: dict[str, Any]) -> None:
    try:
        registry.validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise TokenInvalidError(f"The token is not valid: {error}") from error


def _check_age(issued_at: float, skew_s: int) -> None:
    """Raise an error for a token that was made too long ago to arrive now."""
    if issued_at < time.time() - MAX_TOKEN_AGE_S - skew_s:
        raise TokenInvalidError("The token is too old.")


def _read_name(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME_CHARACTERS:
        raise TokenInvalidError(f"The token has no usable {name}.")
    return value


def _refuse(provider: Provider, error: Exception) -> TokenInvalidError:
    if isinstance(error, TokenInvalidError):
        return error
    kind = f"{type(error).__name__}: {error}"[:200]
    log.warning("a token of %s is refused: %s", provider.name, kind)
    return TokenInvalidError(f"The token of {provider.label} is not valid.")
