"""What accounts cost: sessions, limits, the audit; and how alike refusals are.

    python -m benchmarks.accounts [--database URL] [--accounts N] [--audit N]

On an SQLite file in a temporary folder, or in an empty PostgreSQL database.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from dunegpt.account_settings import AccountSettings
from dunegpt.config import Settings
from dunegpt.errors import LoginRefusedError
from dunegpt.serve.accounts import local
from dunegpt.serve.accounts.clock import utc_now
from dunegpt.serve.accounts.person import ANONYMOUS
from dunegpt.serve.accounts.store import AccountStore
from dunegpt.serve.accounts.tables import ShownRow

PASSWORD = "a password of a benchmark"
DOCUMENTS = [f"docdb:{number}:1" for number in range(12)]


def measure(
    actions: dict[str, Callable[[], object]], times: int
) -> dict[str, dict[str, float]]:
    """Return the median and the 95th percentile of actions, in milliseconds.

    They take turns, so that what else the machine does affects all of them.
    """
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(times):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            taken[name].append(1000 * (time.perf_counter() - start))
    return {
        name: {
            "median_ms": statistics.median(values),
            "p95_ms": statistics.quantiles(values, n=20)[-1],
        }
        for name, values in taken.items()
    }


def fill_audit(store: AccountStore, entries: int) -> None:
    """Add entries to the audit, a thousand at a time."""
    now = utc_now()
    for start in range(0, entries, 1000):
        rows = [
            {"at": now, "account_id": n % 500, "document": f"d:{n % 9973}", "face": "x"}
            for n in range(start, min(start + 1000, entries))
        ]
        with store.database.write() as db:
            db.execute(sa.insert(ShownRow).values(rows))


def refuse(store: AccountStore, name: str) -> None:
    """Try to log in with a wrong password."""
    try:
        store.local.log_in(name, "not that password", address="192.0.2.1")
    except LoginRefusedError:
        return
    raise SystemExit("A login with a wrong password succeeded.")


def run(
    store: AccountStore, accounts: int, entries: int, times: int
) -> dict[str, dict[str, float]]:
    """Return the figures of each action, by its name."""
    local.FAILURES_PER_ACCOUNT = local.FAILURES_PER_ADDRESS = 10**9
    known = store.local.add("known", PASSWORD)
    for number in range(accounts):
        claims = {"iss": "https://login.example.org", "sub": str(number)}
        account = store.identities.log_in(claims, name=f"person{number}")
        store.sessions.create(account.id)
    fill_audit(store, entries)
    secret = store.sessions.create(known.id).secret
    store.local.prepare()
    actions: dict[str, Callable[[], object]] = {
        "find a session": lambda: store.sessions.find(secret),
        "find no session": lambda: store.sessions.find("unknown"),
        "count a request": lambda: store.limits.take("a", "b", limit=10**6, per_s=60),
        "record 12 documents": lambda: store.audit.record(
            ANONYMOUS, DOCUMENTS, face="web"
        ),
        "audit of a document": lambda: store.audit.list_document("d:17"),
        "audit of a person": lambda: store.audit.list_person(17),
        "refuse a wrong password": lambda: refuse(store, "known"),
        "refuse an unknown name": lambda: refuse(store, "nobody"),
    }
    return measure(actions, times)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure what accounts cost.")
    parser.add_argument("--database", default="", help="an empty PostgreSQL database")
    parser.add_argument("--accounts", type=int, default=300)
    parser.add_argument("--audit", type=int, default=200_000, help="entries")
    parser.add_argument("--times", type=int, default=100, help="runs of each action")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder) / "data",
            accounts=AccountSettings(database=options.database),
        )
        with AccountStore(settings) as store:
            figures = run(store, options.accounts, options.audit, options.times)
    for name, values in figures.items():
        sys.stdout.write(
            f"{name:<26}{values['median_ms']:8.2f} ms {values['p95_ms']:8.2f} ms\n"
        )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
