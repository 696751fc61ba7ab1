"""The command ``principals``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dunegpt.cli import options, render_operations
from dunegpt.errors import UsageError
from dunegpt.schemas.operations import PersonResponse


def principals(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Claims of a login, as JSON.")
    ],
    as_json: options.JSONOption = False,
) -> None:
    """Show which principals a person with these login claims has.

    Principals come from `[[access.people]]` in the settings, and from the groups whose
    members a source with `[sources.NAME.people]` lists. Everybody has `public`.

    Example: `dunegpt principals claims.json`
    """
    from dunegpt import principals as people  # noqa: PLC0415 - start-up time
    from dunegpt.ingest.catalog import overlay  # noqa: PLC0415 - start-up time

    settings = options.get_settings()
    members = overlay.load_people_rules(settings.data, settings.access.max_overlay_age)
    rules = [*settings.access.people, *members]
    try:
        claims = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"Cannot read claims from {file}: {reason}.") from error
    if not isinstance(claims, dict):
        raise UsageError(f"{file} does not hold a JSON object of claims.")
    shape = PersonResponse(
        principals=sorted(people.resolve_principals(claims, rules)),
        rules=[
            f"{r.claim} = {r.value}" for r in people.find_matching_rules(claims, rules)
        ],
    )
    options.print_json(shape) if as_json else render_operations.print_person(shape)
