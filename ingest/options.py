"""The settings that sources share: `[sources.NAME]` tables and how they are validated.

Each source derives its own options from these. Does not depend on any source.
"""

import re
from collections.abc import Mapping
from typing import Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dunegpt.config import SourceSettings, describe_validation_error
from dunegpt.errors import ConfigError
from dunegpt.ingest.encryption import is_encrypted

OptionsT = TypeVar("OptionsT", bound="SourceOptions")
_LOGIN = re.compile(r"(token|password|cookie|secret)_(env|file)|login_command|certif")
"""Options that hold, name or make a login."""
_LOGIN_URLS = ("url", "token_url", "runs_url")
"""Options with an address that a login of the same table is sent to."""


class SourceOptions(BaseModel):
    """Keys of every ``[sources.NAME]`` table; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")

    type: str
    id_prefix: str = ""
    confirm: bool = False


class HttpOptions(SourceOptions):
    """Keys of the sources that are read over HTTP."""

    delay_s: float = Field(1.0, ge=0)
    timeout_s: float = Field(60, gt=0)
    requests_per_hour: int = Field(3000, ge=0)
    max_file_mb: int = Field(200, ge=1)

    @property
    def crawl_requests_per_hour(self) -> int:
        """Requests per hour that a crawl may make; 0 for no limit."""
        return self.requests_per_hour

    @property
    def max_file_bytes(self) -> int:
        """Size limit of a fetched file."""
        return self.max_file_mb << 20


class ConfirmableOptions(HttpOptions):
    """Keys of the sources that can be asked about a document before it is shown."""

    confirm_per_hour: int = Field(600, ge=1)

    @model_validator(mode="after")
    def _check_budgets(self) -> Self:
        total = self.requests_per_hour
        if self.confirm and total and self.confirm_per_hour >= total:
            raise ValueError(
                f"confirm_per_hour ({self.confirm_per_hour}) leaves the crawl none of"
                f" the {total} requests_per_hour"
            )
        return self

    @property
    def crawl_requests_per_hour(self) -> int:
        """Requests per hour that a crawl may make; 0 for no limit."""
        total = self.requests_per_hour
        return total - self.confirm_per_hour if total and self.confirm else total


def parse_options(model: type[OptionsT], name: str, table: SourceSettings) -> OptionsT:
    """Return the validated options of ``[sources.NAME]``.

    Raises:
        ConfigError: A key is unknown, missing, or has an invalid value.
    """
    try:
        options = model.model_validate(table.model_dump())
    except ValidationError as error:
        raise ConfigError(
            f"[sources.{name}] {describe_validation_error(error)}"
        ) from error
    _refuse_plain_logins(name, options, {})
    return options


def _refuse_plain_logins(
    name: str, options: BaseModel, inherited: Mapping[str, str]
) -> None:
    """Check that each login is sent over HTTPS, or to this host alone.

    Args:
        name: Name of the source.
        options: A table of options; the tables in it are checked, too.
        inherited: Addresses of the table above, for one that has none.

    Raises:
        ConfigError: A token, cookie or password would be sent unencrypted.
    """
    fields = {key: getattr(options, key) for key in type(options).model_fields}
    urls = {k: str(fields[k]) for k in _LOGIN_URLS if fields.get(k)} or inherited
    has_login = any(value and _LOGIN.search(key) for key, value in fields.items())
    for key, url in urls.items():
        if (has_login or urlsplit(url).username) and not is_encrypted(url):
            raise ConfigError(
                f"[sources.{name}] {key} = http://{urlsplit(url).hostname} would send"
                " a token, cookie or password unencrypted.",
                hint="Use https://; http:// with a login is for this host alone"
                " (localhost, 127.0.0.1).",
            )
    for value in fields.values():
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, BaseModel):
                _refuse_plain_logins(name, inner, urls)
