"""The routes of the API, one module for each area."""

from typing import Any

from dunegpt.schemas.serving import ProblemResponse

_PROBLEM = {
    "model": ProblemResponse,
    "content": {
        "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/ProblemResponse"}
        }
    },
}


def describe_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problems of a route, for the description of the API.

    Args:
        statuses: Besides those that every route can end with.
    """
    common = (400, 401, 403, 408, 413, 421, 429, 431, 500, 503, 504)
    return {status: _PROBLEM for status in sorted({*common, *statuses})}
