"""What the cluster can do beyond storing and searching, and how its refusals read for people."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from elasticsearch import ApiError, Elasticsearch

from services.common.errors import TapewatchError

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
        It refuses to tell.
    """
    with explained("to tell what it can do"):
        return Abilities(_has(client.ilm.get_status), _has(client.security.authenticate))


@contextmanager
def explained(purpose: str) -> Iterator[None]:
    """Turn a refusal into an error that says what to do.

    Parameters
    ----------
    purpose
        What was asked, as in `Elasticsearch refused … .`

    Raises
    ------
    TapewatchError
        Elasticsearch refused.
    """
    try:
        yield
    except ApiError as error:
        if error.status_code == 401:
            raise TapewatchError(
                f"Elasticsearch refused {purpose}: it does not accept these credentials.",
                "Set TAPEWATCH_ELASTICSEARCH_USER and TAPEWATCH_ELASTICSEARCH_PASSWORD_FILE, or "
                "TAPEWATCH_ELASTICSEARCH_API_KEY_FILE, to an administrator's.",
            ) from error
        mend = (
            "Run setup as an administrator, with cluster privileges manage_index_templates, manage_ilm, "
            "manage_security and monitor."
            if error.status_code == 403
            else "Look at Elasticsearch's log, mend it, and run `tapewatch setup` again."
        )
        raise TapewatchError(f"Elasticsearch refused {purpose}: {error}.", mend) from error


def _has(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ApiError as error:
        if any(text in str(error) for text in _NO_SUCH_API):
            return False
        raise
    return True
