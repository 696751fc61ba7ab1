"""The tables ``[server.oidc.NAME]`` of the settings: providers of OpenID Connect.

Does not depend on other modules of the package.
"""

from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SigningAlgorithm: TypeAlias = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"
]
"""Algorithms with a public key; with the others, whoever verifies could sign, too."""

ProviderName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]

_SET_BY_THE_FLOW = frozenset(
    {
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "nonce",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)


class OIDCSettings(BaseModel):
    """``[server.oidc.NAME]``: one provider; NAME is part of its callback's address.

    Attributes:
        issuer: Issuer identifier, exactly as the provider publishes it.
        client_id: Under which this server is registered there.
        client_secret_env: Variable that holds the secret of the client.
        client_secret_file: File of mode 600 that holds it. Without a secret, the client
            is a public one.
        client_auth: How the secret is sent.
        label: Name on the login page; default: NAME.
        scopes: Requested scopes; ``openid`` has to be among them.
        authorize_parameters: Further parameters of the authorization request.
        algorithms: Accepted signature algorithms of ID tokens and logout tokens.
        userinfo: Whether the claims of the userinfo endpoint are read, too.
        groups_only_at_login: Whether the provider tells groups at a login only. Then
            nothing is refreshed, and a login is good for ``max_session_h``.
        refresh_min: How often the claims of a person are refreshed, in minutes.
        max_claims_age_min: Age from which claims that could not be refreshed give no
            access any more, in minutes.
        max_session_h: Time after which a person has to log in again, in hours.
        clock_skew_s: How far the clock of the provider may be off.
        timeout_s: Time limit for each request to the provider.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret_env: str = ""
    client_secret_file: str = ""
    client_auth: Literal["client_secret_basic", "client_secret_post"] = (
        "client_secret_basic"
    )
    label: str = Field("", max_length=60)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    authorize_parameters: dict[str, str] = {}
    algorithms: tuple[SigningAlgorithm, ...] = Field(("RS256", "ES256"), min_length=1)
    userinfo: bool = True
    groups_only_at_login: bool = False
    refresh_min: float = Field(15, gt=0)
    max_claims_age_min: float = Field(60, gt=0)
    max_session_h: float = Field(12, gt=0)
    clock_skew_s: int = Field(60, ge=0, le=300)
    timeout_s: float = Field(5, gt=0, le=20)

    @property
    def max_claims_age(self) -> timedelta:
        """How long claims give access without a refresh."""
        if self.groups_only_at_login:
            return timedelta(hours=self.max_session_h)
        return timedelta(minutes=self.max_claims_age_min)

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, issuer: str) -> str:
        address = urlsplit(issuer)
        if not is_safe_endpoint(issuer) or address.query or address.fragment:
            raise ValueError("must be an https:// address without query or fragment")
        return issuer

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise ValueError("must contain openid")
        return scopes

    @field_validator("authorize_parameters")
    @classmethod
    def _check_parameters(cls, parameters: dict[str, str]) -> dict[str, str]:
        if reserved := sorted(_SET_BY_THE_FLOW & parameters.keys()):
            raise ValueError(f"{', '.join(reserved)} cannot be set here")
        return parameters

    @model_validator(mode="after")
    def _check_consistency(self) -> "OIDCSettings":
        if self.client_secret_env and self.client_secret_file:
            raise ValueError("client_secret_env and client_secret_file exclude another")
        if self.max_claims_age_min < self.refresh_min:
            raise ValueError("max_claims_age_min may not be less than refresh_min")
        return self


def is_safe_endpoint(url: str) -> bool:
    """Return whether an address uses TLS, or plain HTTP on the loopback interface."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        address = urlsplit(url)
        host = address.hostname or ""
        _ = address.port
    except ValueError:
        return False
    if not host or address.username is not None:
        return False
    return address.scheme == "https" or (
        address.scheme == "http" and _is_loopback(host)
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
