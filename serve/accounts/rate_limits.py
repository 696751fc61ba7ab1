"""Rate limits, counted in serve.db so that several processes share them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What a limit allows after a request was counted.

    Attributes:
        is_allowed: Whether this request is within the limit.
        limit: Requests per period.
        remaining: Requests that are left now.
        reset_s: Seconds until the full limit is there again.
        retry_after_s: Seconds until the next request is allowed; 0 if one is left.
    """

    is_allowed: bool
    limit: int
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimits:
    """The counters in serve.db. All methods block: call them in a thread."""

    def take(self, kind: str, key: str, *, limit: int, per_s: float) -> RateLimit:
        """Count a request, if the limit allows it. One query; two if it does not.

        Args:
            kind: What is limited, such as ``"ask"``.
            key: Who is limited, such as an account or an address; stored as a hash.
            limit: Requests per period, all of which may come at once.
            per_s: The period.
        """
        raise NotImplementedError
