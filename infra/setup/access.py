"""Roles, each with no more rights than its service needs, and the users who have them."""

import json
from pathlib import Path
from typing import Any

from infra.setup.passwords import given_passwords
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import AuthenticationException, explain_rejection

ROLES = Path(__file__).parents[1] / "elasticsearch" / "roles"
USERS = {
    "tapewatch-indexer": "tapewatch-indexer",
    "tapewatch-dashboard": "tapewatch-dashboard",
    "tapewatch-kibana-setup": "tapewatch-kibana-setup",
    "tapewatch-reader": "tapewatch-kibana-reader",
}
"""Role by user."""

BUILT_IN_USERS = ("kibana_system",)
"""Users that are there already, without a password until one is set."""


def set_up_roles(client: Elasticsearch) -> list[str]:
    """Put the roles that are missing or differ; returns one line for each change.

    Raises
    ------
    TapewatchError
        The cluster rejected a role.
    """
    changes = []
    for path in sorted(ROLES.glob("*.json")):
        name, role = path.stem, json.loads(path.read_text())
        with explain_rejection(f"the role {name}"):
            current = client.options(ignore_status=404).security.get_role(name=name).body.get(name)
            if current is not None and _rights(current) == _rights(role):
                continue
            client.security.put_role(name=name, **role)
        changes.append(f"{'created' if current is None else 'changed'} role {name}")
    return changes


def set_up_users(client: Elasticsearch, folder: Path | None) -> list[str]:
    """Make users whose password is given have it, and their role; returns one line for each change.

    Parameters
    ----------
    client
        Client of the cluster.
    folder
        Has `USER.password` for each user to set up; None for no user.

    Raises
    ------
    TapewatchError
        A file is empty or cannot be read, or the cluster rejected a user.
    """
    if folder is None:
        return []
    passwords = given_passwords(folder, (*USERS, *BUILT_IN_USERS), "TAPEWATCH_SECRETS_DIR")
    changes = []
    for user, password in passwords.items():
        with explain_rejection(f"the user {user}"):
            changes += _set_up_user(client, user, password, USERS.get(user))
    return changes


def _set_up_user(client: Elasticsearch, user: str, password: str, role: str | None) -> list[str]:
    changes = []
    if role is not None:
        found = client.options(ignore_status=404).security.get_user(username=user).body.get(user)
        if found is None:
            client.security.put_user(username=user, password=password, roles=[role])
            return [f"created user {user}"]
        if found["roles"] != [role] or not found["enabled"]:
            # Without a password given, the user keeps the one there is.
            client.security.put_user(username=user, roles=[role], enabled=True)
            changes.append(f"changed user {user}: role {role}")
    if not _is_password(client, user, password):
        client.security.change_password(username=user, password=password)
        changes.append(f"changed the password of user {user}")
    return changes


def _is_password(client: Elasticsearch, user: str, password: str) -> bool:
    try:
        client.options(basic_auth=(user, password)).security.authenticate()
    except AuthenticationException:
        return False
    return True


def _rights(role: dict[str, Any]) -> dict[str, Any]:
    """Return what a role allows, in a form in which equal rights are equal."""
    return {key: _ordered(value) for key, value in role.items() if value and "metadata" not in key}


def _ordered(value: object) -> object:
    """Bring lists into one order, and leave out what is empty or false, as a role is without it."""
    if isinstance(value, dict):
        return {key: _ordered(inner) for key, inner in value.items() if inner}
    if isinstance(value, list):
        return sorted((_ordered(inner) for inner in value), key=str)
    return value
