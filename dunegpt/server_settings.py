"""The table ``[server]`` of the settings: what `dunegpt serve` listens to and allows.

The providers of logins have tables below it, see `dunegpt.login_settings`.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from dunegpt.login_settings import OIDCSettings, ProviderName

Network: TypeAlias = IPv4Network | IPv6Network


def _parse_network(value: object) -> object:
    """Return an address or a network, such as ``10.0.0.0/8``, as a network."""
    return ip_network(value) if isinstance(value, str) else value


_Networks: TypeAlias = tuple[Annotated[Network, BeforeValidator(_parse_network)], ...]


class ServerSettings(BaseModel):
    """``[server]``: addresses, limits and who may use the server.

    Attributes:
        url: Public address, for links and cookies; its path is the base path of all
            pages. Empty for a server that is used at its own address only.
        host: Address to listen on.
        port: Port to listen on; 0 for any that is free.
        workers: Number of processes.
        proxies: Addresses of the reverse proxies whose ``X-Forwarded-For`` and
            ``X-Forwarded-Proto`` are believed.
        metrics_networks: Clients that may read ``/metrics`` without a login.
        anonymous: Whether questions about public documents need no login.
        max_body_kb: Largest body of a request.
        max_connections: Connections at a time; further ones are told to come back.
        header_timeout_s: Time in which the head of a request has to arrive.
        body_timeout_s: Time between parts of a body, or of a response that is read.
        request_timeout_s: Time for a request that is not a question.
        answer_timeout_s: Time for an answer.
        answers_at_once: Answers and searches at a time in each process.
        questions_per_minute: Questions of one person, or of one address that has not
            signed in.
        searches_per_minute: Searches and documents of one person or address.
        answers_waiting: Answers that may wait for their turn.
        shutdown_timeout_s: Time in which running answers may end at a shutdown.
        oidc: Providers of OpenID Connect by name; the name is part of addresses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64)
    proxies: _Networks = ()
    metrics_networks: _Networks = ()
    anonymous: bool = False
    max_body_kb: int = Field(64, ge=1)
    max_connections: int = Field(512, ge=1)
    header_timeout_s: float = Field(10, gt=0)
    body_timeout_s: float = Field(20, gt=0)
    request_timeout_s: float = Field(30, gt=0)
    answer_timeout_s: float = Field(180, gt=0)
    answers_at_once: int = Field(4, ge=1)
    questions_per_minute: int = Field(20, ge=1)
    searches_per_minute: int = Field(120, ge=1)
    answers_waiting: int = Field(32, ge=0)
    shutdown_timeout_s: float = Field(20, ge=0)
    oidc: dict[ProviderName, OIDCSettings] = {}

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        address = urlsplit(url)
        if url and (
            address.scheme not in {"http", "https"}
            or not address.hostname
            or address.query
            or address.fragment
            or address.username
        ):
            raise ValueError("must be an address such as https://gpt.example.org/path")
        return url.rstrip("/")

    @field_validator("oidc")
    @classmethod
    def _check_issuers(
        cls, providers: dict[str, OIDCSettings]
    ) -> dict[str, OIDCSettings]:
        issuers = [provider.issuer for provider in providers.values()]
        if len(set(issuers)) < len(issuers):
            raise ValueError("several providers have the same issuer")
        return providers

    @property
    def base_path(self) -> str:
        """Path of the public address, without a slash at its end; often empty."""
        return urlsplit(self.url).path

    @property
    def public_host(self) -> str:
        """Host name of the public address; empty if there is none."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_https(self) -> bool:
        """Whether the public address is reached by TLS."""
        return self.url.startswith("https://")
