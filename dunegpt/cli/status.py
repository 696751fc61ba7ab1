"""The command ``status``."""

from dunegpt.cli import options, render_operations


def status(as_json: options.JSONOption = False) -> None:
    """Show sources, the index, and each failure by document.

    Examples: `dunegpt status`; `dunegpt status --json`
    """
    from dunegpt.operations.status import get_status  # noqa: PLC0415 - start-up time

    state = get_status(options.get_settings())
    options.print_json(state) if as_json else render_operations.print_status(state)
