"""The command ``serve``."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dunegpt import config
from dunegpt.cli import console
from dunegpt.cli.invocation import Invocation

HostOption = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Address to listen on.")
]
PortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, metavar="N", help="Port; 0 takes a free one."),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, max=64, metavar="N", help="Number of processes.")
]


def _prepare_accounts(settings: config.Settings, first: str) -> None:
    """Bring the database up to date; add a first account, and print its password once.

    Raises:
        StorageError: The database cannot be opened.
    """
    from dunegpt.serve.accounts.passwords import (  # noqa: PLC0415 - start-up time
        generate_password,
    )
    from dunegpt.serve.accounts.person import Role  # noqa: PLC0415 - start-up time
    from dunegpt.serve.accounts.store import (  # noqa: PLC0415 - start-up time
        AccountStore,
    )

    with AccountStore(settings) as accounts:
        if accounts.directory.list():
            return
        if not first:
            console.print_message(
                "Nobody can sign in: there is no account yet. Add one with"
                " 'dunegpt user add NAME'."
            )
            return
        password = generate_password()
        account = accounts.local.add(first, password, role=Role.OPERATOR)
    console.out.print(
        f"Added the account [bold]{console.escape(account.name)}[/bold] with the"
        f" password [bold]{console.escape(password)}[/bold]. It is not shown again."
    )


def serve(
    host: HostOption = "",
    port: PortOption = None,
    workers: WorkersOption = None,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings file, as above."),
    ] = None,
    first_account: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="If there is no account yet, add this operator; prints its password.",
        ),
    ] = "",
) -> None:
    """Serve the web pages and the API, until interrupted.

    Looks for a new index and for revoked access every second. Without an index the
    server starts, and says so on its pages and at /readyz.

    Examples: `dunegpt serve`; `dunegpt serve --host 0.0.0.0 --port 8080`
    """
    if config_file:
        Invocation.config = config_file
    given: dict[str, Any] = {"host": host or None, "port": port, "workers": workers}
    chosen = {key: value for key, value in given.items() if value is not None}
    with config.own_metrics() as share_metrics:
        _serve(chosen, first_account, share_metrics)


def _serve(
    chosen: dict[str, Any], first_account: str, share_metrics: Callable[[Path], None]
) -> None:
    """Serve with these settings of ``[server]``; does not return.

    Raises:
        ConfigError: The address cannot be used, or a setting is not valid.
        StorageError: The database cannot be opened.
    """
    from dunegpt.serve.api.process import (  # noqa: PLC0415 - start-up time
        bind_socket,
        end_process,
        run_server,
    )
    from dunegpt.web.app import (  # noqa: PLC0415 - start-up time
        AppMaker,
        format_address,
        load_server_settings,
    )

    server = load_server_settings(Invocation.config, chosen).server
    own = bind_socket(server.host, server.port)
    chosen["port"] = own.getsockname()[1]
    settings = load_server_settings(Invocation.config, chosen)
    _prepare_accounts(settings, first_account)
    address = f"http://{format_address(settings.server.host, chosen['port'])}"
    public = "" if settings.server.url == address else f" for {settings.server.url}"
    console.print_message(f"Serving {address}{public}; Ctrl-C stops.")
    with tempfile.TemporaryDirectory(prefix="dunegpt-metrics-") as folder:
        shared = folder if settings.server.workers > 1 else ""
        if shared:
            share_metrics(Path(folder))
        maker = AppMaker(
            Invocation.config, chosen, Invocation.verbose, Invocation.debug, shared
        )
        run_server(maker, own, settings.server)
    end_process()
