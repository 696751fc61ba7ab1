"""The table ``[accounts]`` of the settings: the database, and how long things last.

Does not depend on other modules of the package.
"""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field, field_validator


class AccountSettings(BaseModel):
    """``[accounts]``: accounts, sessions, tokens and the audit of a server.

    Attributes:
        database: Address of a PostgreSQL database, such as
            ``postgresql://USER@HOST/NAME``; empty for ``serve.db`` in the data folder.
        password_env: Variable with the password of that database, if it needs one.
        password_file: Or a file of mode 600 with it.
        session_idle_h: A session ends after so long without a request.
        session_max_h: A session ends so long after its login.
        token_max_days: Longest lifetime of a token.
        audit_days: How long the audit is kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: str = ""
    password_env: str = ""
    password_file: str = ""
    session_idle_h: float = Field(12, gt=0, le=24 * 366)
    session_max_h: float = Field(168, gt=0, le=24 * 366)
    token_max_days: float = Field(366, gt=0, le=3660)
    audit_days: float = Field(365, gt=0, le=36_500)

    @field_validator("database")
    @classmethod
    def _check_database(cls, address: str) -> str:
        if address and not address.startswith(("postgresql://", "postgres://")):
            raise ValueError("must be an address such as postgresql://USER@HOST/NAME")
        return address

    @property
    def session_idle(self) -> dt.timedelta:
        """How long a session lasts without a request."""
        return dt.timedelta(hours=self.session_idle_h)

    @property
    def session_max(self) -> dt.timedelta:
        """How long a session lasts from its login on."""
        return dt.timedelta(hours=self.session_max_h)

    @property
    def audit_kept(self) -> dt.timedelta:
        """How long the audit is kept."""
        return dt.timedelta(days=self.audit_days)
