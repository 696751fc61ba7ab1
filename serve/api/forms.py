"""Reads forms."""

from urllib.parse import parse_qs

from fastapi import Request

from dunegpt.serve.api.problems import ProblemError

_FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that is there twice, the first.

    Raises:
        ProblemError: The request has no form, or one with too many fields.
    """
    if not request.headers.get("content-type", "").startswith(_FORM):
        raise ProblemError("unsupported_media_type")
    body = (await request.body()).decode("utf-8", errors="replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise ProblemError("bad_request") from None
    return {name: values[0] for name, values in fields.items()}
