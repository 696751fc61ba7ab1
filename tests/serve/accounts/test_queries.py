"""How often a page asks the database: three times."""

import pytest
import sqlalchemy as sa

from dunegpt.serve.accounts.person import Scope
from dunegpt.serve.accounts.store import AccountStore
from tests.serve.accounts.opened import PASSWORD


@pytest.mark.parametrize("kind", ["session", "token"])
def test_a_page_takes_three_queries(store: AccountStore, kind: str) -> None:
    number = store.local.add("Ada", PASSWORD, principals=["docdb:DUNE"]).id
    session = store.sessions.create(number).secret
    token = store.tokens.create(number, "x", scopes=[Scope.ASK]).secret
    store.tokens.find(token)  # notes that it was used
    queries: list[str] = []

    def note(_c: object, _k: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("begin"):
            queries.append(statement)

    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    by_session = kind == "session"
    person = store.sessions.find(session) if by_session else store.tokens.find(token)
    assert person is not None
    store.limits.take("ask", f"account {number}", limit=9, per_s=60)
    store.audit.record(person, [f"docdb:{i}:1" for i in range(30)], face="web")
    assert len(queries) == 3
    assert len(store.audit.list_person(number)) == 30
