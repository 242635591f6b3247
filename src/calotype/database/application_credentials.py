"""Application credentials and access rules as rows.

The hash of a secret leaves the database only through the LOGIN statements.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, bindparam, delete, select

from calotype.database.accounts import kept, locked
from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import access_rules, application_credentials, domains, projects, tokens, users

_HIDDEN = frozenset({"secret_hash"})
_credentials, _rules = application_credentials, access_rules
_of_id = _credentials.c.id == bindparam("id")
_of_user = _credentials.c.user_id == bindparam("user_id")
_of_name = _credentials.c.name == bindparam("name")

GET = Statement(shown(_credentials, _HIDDEN).where(_of_id, _of_user))
BY_NAME = Statement(shown(_credentials, _HIDDEN).where(_of_name, _of_user))


def _login() -> Select[Any]:
    """A credential's columns, then its user's domain and the hash of the secret."""
    more = shown(_credentials, _HIDDEN).add_columns(users.c.domain_id, _credentials.c.secret_hash)
    return more.join_from(_credentials, users, users.c.id == _credentials.c.user_id)


_with_domain = _login().join(domains, domains.c.id == users.c.domain_id)
LOGIN_BY_ID = Statement(_login().where(_of_id))
LOGIN_BY_NAME = Statement(_login().where(_of_name, _of_user))
LOGIN_BY_NAMES = Statement(
    _login().where(_of_name, users.c.name == bindparam("user_name"), users.c.domain_id == bindparam("domain_id"))
)
LOGIN_BY_DOMAIN_NAME = Statement(
    _with_domain.where(_of_name, users.c.name == bindparam("user_name"), domains.c.name == bindparam("domain_name"))
)

_PROJECT = kept(projects, "project_id")
_USER = kept(users, "user_id")
_LOCK_USER = locked(users)
_INSERT = inserted(_credentials)
_DELETE = Statement(delete(_credentials).where(_of_id, _of_user).returning(_credentials.c.id))
_DELETE_TOKENS = Statement(delete(tokens).where(tokens.c.credential_id == bindparam("id")))

_rule_of_user = _rules.c.user_id == bindparam("user_id")
_rule_columns = frozenset({"user_id"})
RULE = Statement(shown(_rules, _rule_columns).where(_rules.c.id == bindparam("id"), _rule_of_user))
_SAME_RULE = Statement(
    shown(_rules, _rule_columns).where(
        _rule_of_user, *(_rules.c[name] == bindparam(name) for name in ("service", "path", "method"))
    )
)
_INSERT_RULE = inserted(_rules)
_DELETE_RULE = Statement(delete(_rules).where(_rules.c.id == bindparam("id"), _rule_of_user))
_RULES_IN_USE = Statement(select(_credentials.c.access_rules).where(_of_user, _credentials.c.access_rules.is_not(None)))

Rule = dict[str, str]


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists credentials, and its parameters."""
    return listed(_credentials, _HIDDEN, query)


def rules(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists access rules, and its parameters."""
    return listed(_rules, _rule_columns, query)


def create(
    row: dict[str, Any],
    wanted: Sequence[Rule] | None,
    text: Callable[[list[Rule]], str],
    taken: Callable[[], Exception],
    unknown: Callable[[str, str], Exception],
) -> Work:
    """Insert a credential; answers its access rules.

    `wanted` are whole rules with ids, made unless the user has them, or ids alone of rules that there are; `text` makes
    of them what the row keeps. Raises what `taken` makes, and what `unknown` makes of the kind and id of what is not
    there.
    """
    for kind, statement in (("project", _PROJECT), ("user", _USER)):
        if not (yield statement, row):
            raise unknown(kind, row[f"{kind}_id"])
    if (yield BY_NAME, row):
        raise taken()
    found: dict[str, Rule] = {}
    for rule in wanted or ():
        had = yield (RULE if "path" not in rule else _SAME_RULE), {**rule, "user_id": row["user_id"]}
        if had:
            rule = dict(zip(("id", "service", "path", "method"), had[0], strict=True))
        elif "path" not in rule:
            raise unknown("Access Rule", rule["id"])
        else:
            yield _INSERT_RULE, {**rule, "user_id": row["user_id"]}
        found[rule["id"]] = rule
    yield _INSERT, row | {"access_rules": text([*found.values()]) if wanted else None}
    return [*found.values()]


def remove(credential_id: str, user_id: str) -> Work:
    """Delete a credential of a user with its tokens; answers whether there was one."""
    gone = yield _DELETE, {"id": credential_id, "user_id": user_id}
    if gone:
        yield _DELETE_TOKENS, {"id": credential_id}
        yield from bump()
    return bool(gone)


def remove_rule(rule_id: str, user_id: str, allow: Callable[[list[str]], object]) -> Work:
    """Delete an access rule of a user unless `allow` raises, which is given the rules that credentials have; answers
    whether there was one."""
    yield _LOCK_USER, {"id": user_id}
    if not (yield RULE, {"id": rule_id, "user_id": user_id}):
        return False
    used = yield _RULES_IN_USE, {"user_id": user_id}
    allow([row[0] for row in used])
    yield _DELETE_RULE, {"id": rule_id, "user_id": user_id}
    return True
