"""From a row of serve.db to the person of a request."""

from dunegpt.access import PUBLIC
from dunegpt.serve.accounts.directory import LOCAL
from dunegpt.serve.accounts.membership import Membership
from dunegpt.serve.accounts.person import SCOPES_OF_ROLE, Person, Role, Scope
from dunegpt.serve.accounts.tables import SessionRow, TokenRow


def make_session_person(session: SessionRow, membership: Membership) -> Person:
    """Return the person of a session, who may do what the role of the account may."""
    account = session.account
    role = Role(account.role)
    return Person(
        name=account.name,
        principals=membership.resolve(
            account.claims, account.principals, account.claims_at
        ),
        role=role,
        scopes=SCOPES_OF_ROLE[role],
        kind="local" if account.issuer == LOCAL else "oidc",
        account_id=account.id,
        session_id=session.id,
        refresh_at=session.refresh_at,
    )


def make_token_person(token: TokenRow, membership: Membership) -> Person:
    """Return the person of a token: what it names, of what the person still may."""
    account = token.account
    role = Role(account.role)
    held = membership.resolve(account.claims, account.principals, account.claims_at)
    scopes = frozenset(map(Scope, token.scopes)) & SCOPES_OF_ROLE[role]
    return Person(
        name=account.name,
        principals=held & frozenset(token.principals) | {PUBLIC},
        role=role,
        scopes=scopes,
        kind="token",
        account_id=account.id,
        token_id=token.id,
    )
