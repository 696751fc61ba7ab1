"""The authorization code flow with PKCE, the refresh of claims, and the logout address.

Sources: OpenID Connect Core 1.0, sections 3.1 and 12; RFC 7636 (PKCE); RFC 9207 (the
issuer in the response); OpenID Connect RP-Initiated Logout 1.0.
"""

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from dunegpt.serve.accounts.login_attempts import LoginAttempt
from dunegpt.serve.login.errors import (
    LoginDeclinedError,
    ProviderUnavailableError,
    TokenInvalidError,
)
from dunegpt.serve.login.provider import Provider
from dunegpt.serve.login.tokens import (
    read_id_token,
    read_own_claims,
    read_refreshed_id_token,
)

log = logging.getLogger(__name__)

PROTOCOL_CLAIMS = frozenset(
    {
        "acr",
        "amr",
        "at_hash",
        "aud",
        "auth_time",
        "azp",
        "c_hash",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "nonce",
        "s_hash",
        "sid",
        "sub",
    }
)
"""Claims about a token; the others are about the person."""


@dataclass(frozen=True, slots=True)
class ProviderLogin:
    """Whom a provider has vouched for.

    Attributes:
        issuer: Of the provider; with ``subject`` it identifies the person for ever.
        subject: The person at that provider.
        claims: What is known of the person, with ``iss`` and ``sub``.
        id_token: To be kept as a hint for the logout.
        refresh_token: For the next refresh; empty if there is none.
        sid: Session at the provider; empty if it does not tell.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any] = field(repr=False)
    id_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    sid: str = field(default="", repr=False)


def make_login_url(provider: Provider, attempt: LoginAttempt) -> str:
    """Return where a browser is sent to log in.

    Raises:
        ProviderUnavailableError: The provider does not tell where.
    """
    return provider.make_authorization_url(
        state=attempt.state, nonce=attempt.nonce, code_verifier=attempt.verifier
    )


def finish_login(
    provider: Provider, attempt: LoginAttempt, answer: Mapping[str, str]
) -> ProviderLogin:
    """Return whom a provider has vouched for.

    Args:
        provider: That of the attempt.
        attempt: Named by the state in the answer, and not used before.
        answer: Parameters with which the browser came back.

    Raises:
        LoginDeclinedError: The provider or the person declined.
        GrantRefusedError: The code is not accepted.
        TokenInvalidError: The answer, or a token, is not for this login.
        ProviderUnavailableError: The provider does not answer as it should.
    """
    _check_answer(provider, attempt, answer)
    tokens = provider.exchange_code(answer["code"], attempt.verifier)
    access_token = _read_text(tokens, "access_token")
    claims = read_id_token(
        provider, tokens.get("id_token"), nonce=attempt.nonce, access_token=access_token
    )
    return ProviderLogin(
        issuer=claims["iss"],
        subject=claims["sub"],
        claims=_add_userinfo(provider, claims, access_token),
        id_token=tokens["id_token"],
        refresh_token=_read_text(tokens, "refresh_token"),
        sid=claims["sid"] if isinstance(claims.get("sid"), str) else "",
    )


def refresh_login(
    provider: Provider,
    *,
    id_token: str,
    refresh_token: str,
    keep: Callable[[str], object],
) -> ProviderLogin:
    """Return what a provider says of a person now.

    Its ID token is the one before if the provider sends no new one, its refresh token
    too.

    Args:
        provider: Who vouched for the person.
        id_token: The person's last ID token.
        refresh_token: The person's last refresh token.
        keep: Stores a new refresh token, as soon as there is one: the old one may be
            used up, even if something fails from here on.

    Raises:
        GrantRefusedError: The provider does not vouch for the person any more.
        TokenInvalidError: It vouches for somebody else, or tells nothing.
        ProviderUnavailableError: It does not answer as it should.
    """
    before = read_own_claims(id_token)
    tokens = provider.exchange_refresh_token(refresh_token)
    next_refresh_token = _read_text(tokens, "refresh_token") or refresh_token
    keep(next_refresh_token)
    access_token = _read_text(tokens, "access_token")
    claims: dict[str, Any] = {k: before[k] for k in ("sub", "sid") if k in before}
    is_told = "id_token" in tokens
    if is_told:
        claims = read_refreshed_id_token(
            provider, tokens["id_token"], before, access_token=access_token
        )
    elif not _has_userinfo(provider):
        raise TokenInvalidError(f"{provider.label} tells no claims at a refresh.")
    sid = claims.get("sid", before.get("sid"))
    return ProviderLogin(
        issuer=provider.settings.issuer,
        subject=claims["sub"],
        claims=_add_userinfo(provider, claims, access_token),
        id_token=tokens["id_token"] if is_told else id_token,
        refresh_token=next_refresh_token,
        sid=sid if isinstance(sid, str) else "",
    )


def make_logout_url(provider: Provider, id_token: str, return_to: str) -> str:
    """Return where a browser is sent to log out of the provider, too.

    Empty if the provider has no such place, or does not answer.

    Args:
        provider: Who vouched for the person.
        id_token: The person's last ID token, as a hint.
        return_to: Address of this server, as registered there.
    """
    try:
        endpoint = provider.get_endpoints().end_session_endpoint
    except ProviderUnavailableError:
        return ""
    if not endpoint:
        return ""
    query = urlencode(
        {
            "id_token_hint": id_token,
            "client_id": provider.settings.client_id,
            "post_logout_redirect_uri": return_to,
        }
    )
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{query}"


def _check_answer(
    provider: Provider, attempt: LoginAttempt, answer: Mapping[str, str]
) -> None:
    """Return if an answer has a code, and is of the provider and of the attempt."""
    sent = answer.get("state", "").encode()
    if not hmac.compare_digest(sent, attempt.state.encode()):
        raise TokenInvalidError("The answer is of another login.")
    issuer = answer.get("iss")
    if issuer is None and provider.get_endpoints().names_issuer:
        raise TokenInvalidError("The answer does not say who sent it.")
    if issuer not in {None, provider.settings.issuer}:
        raise TokenInvalidError("The answer is of another provider.")
    if "error" in answer:
        log.warning("%s declines a login: %r", provider.name, answer["error"][:80])
        raise LoginDeclinedError(f"{provider.label} declined the login.")
    if not answer.get("code"):
        raise TokenInvalidError("The answer has no code.")


def _has_userinfo(provider: Provider) -> bool:
    return provider.settings.userinfo and bool(
        provider.get_endpoints().userinfo_endpoint
    )


def _add_userinfo(
    provider: Provider, claims: dict[str, Any], access_token: str
) -> dict[str, Any]:
    """Return the claims of a person, with those of the userinfo endpoint.

    An address counts as verified only by the answer that names it.
    """
    kept = {"iss": provider.settings.issuer, "sub": claims["sub"]}
    person = {k: v for k, v in claims.items() if k not in PROTOCOL_CLAIMS}
    if not access_token or not _has_userinfo(provider):
        return person | kept
    url = provider.get_endpoints().userinfo_endpoint
    found = provider.fetch_json(url, access_token=access_token)
    if found.get("sub") != claims["sub"]:
        raise TokenInvalidError("The userinfo is of another person.")
    if "email" in found:
        person.pop("email_verified", None)
    told = {k: v for k, v in found.items() if k not in PROTOCOL_CLAIMS}
    return person | told | kept


def _read_text(tokens: Mapping[str, Any], name: str) -> str:
    value = tokens.get(name, "")
    return value if isinstance(value, str) else ""
