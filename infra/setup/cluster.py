"""What the cluster can do beyond storing and searching."""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ApiError, explain_rejection

_NO_SUCH_API = ("no handler found", "Incorrect HTTP method")
"""How Elasticsearch answers what none of its modules handles."""


@dataclass(frozen=True)
class Abilities:
    """What some clusters lack, as the embedded server does."""

    lifecycle: bool = False
    """It deletes indices by policy. What has that is a full distribution, with native compression."""
    security: bool = False
    """It has users and roles, and they are switched on."""


def find_abilities(client: Elasticsearch) -> Abilities:
    """Ask the cluster what it can do.

    Raises
    ------
    TapewatchError
        If the cluster rejects the request.
    """
    with explain_rejection("to tell what it can do"):
        return Abilities(_has(client.ilm.get_status), _has(client.security.authenticate))


def _has(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ApiError as error:
        if any(text in str(error) for text in _NO_SUCH_API):
            return False
        raise
    return True
