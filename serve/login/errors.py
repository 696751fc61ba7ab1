"""What can go wrong at a login by a provider.

LoginError
├── ProviderUnavailableError  the provider does not answer, or not as it should
├── AttemptUnknownError       the answer belongs to no login that this browser began
├── LoginDeclinedError        the provider, or the person there, declined
├── GrantRefusedError         a code or refresh token is not accepted (any more)
└── TokenInvalidError         a token of the provider cannot be trusted
"""

from dunegpt.errors import DuneGPTError


class LoginError(DuneGPTError):
    """A login by a provider failed."""

    hint = "Start again from the login page."


class ProviderUnavailableError(LoginError):
    """The provider does not answer, or not as it should."""

    hint = "Try again later, or log in in another way."
    retryable = True


class AttemptUnknownError(LoginError):
    """The provider's answer belongs to no login that this browser began."""


class LoginDeclinedError(LoginError):
    """The provider, or the person there, declined."""


class GrantRefusedError(LoginError):
    """The provider does not accept a code or refresh token, or not any more."""


class TokenInvalidError(LoginError):
    """A token of the provider cannot be trusted."""
