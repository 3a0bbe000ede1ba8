"""The client's errors as messages for people: what failed, and what to do about it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from elasticsearch import (
    ApiError,
    AuthenticationException,
    AuthorizationException,
    ConflictError,
    ConnectionTimeout,
    NotFoundError,
    SSLError,
    TransportError,
    UnsupportedProductError,
)
from elasticsearch import ConnectionError as NotReachable

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError

__all__ = [
    "NOT_NOW",
    "ApiError",
    "AuthenticationException",
    "AuthorizationException",
    "ConflictError",
    "ConnectionTimeout",
    "NotFoundError",
    "NotReachable",
    "SSLError",
    "TransportError",
    "UnsupportedProductError",
    "explain_errors",
    "explain_rejection",
]

NOT_NOW = frozenset({429, 502, 503, 504})
"""Statuses that mean: try again later."""


@contextmanager
def explain_errors(client: Elasticsearch) -> Iterator[None]:
    """Turn the errors of reading and writing documents into errors that say what to do.

    Parameters
    ----------
    client
        The client used inside the block; the errors name its addresses.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    nodes = ", ".join(node.base_url for node in client.transport.node_pool.all())
    began_s = time.monotonic()
    try:
        yield
    except ConnectionTimeout as error:
        raise TapewatchError(
            f"Elasticsearch at {nodes} did not answer within {time.monotonic() - began_s:.0f} s.",
            "It may be overloaded: choose a shorter time range, or check its log.",
        ) from error
    except NotReachable as error:
        raise TapewatchError(
            f"Elasticsearch does not answer at {nodes}.",
            "Start it (`tapewatch stack` or `make demo`), or set TAPEWATCH_ELASTICSEARCH to its address.",
        ) from error
    except ApiError as error:
        raise TapewatchError(
            f"Elasticsearch at {nodes} rejected a query with status {error.status_code}: {_reason(error)}.",
            "If it is just starting, wait; otherwise run `tapewatch doctor`.",
        ) from error
    except TransportError as error:
        raise TapewatchError(
            f"The server at {nodes} does not answer like Elasticsearch: {error.message}.",
            "Set TAPEWATCH_ELASTICSEARCH to the address of Elasticsearch.",
        ) from error


@contextmanager
def explain_rejection(purpose: str) -> Iterator[None]:
    """Turn the rejection of an administrator's request into an error that says what to do.

    Parameters
    ----------
    purpose
        What was requested, as in `Elasticsearch rejected … .`

    Raises
    ------
    TapewatchError
        Elasticsearch rejected the request.
    """
    try:
        yield
    except ApiError as error:
        if error.status_code == 401:
            raise TapewatchError(
                f"Elasticsearch rejected {purpose}: it does not accept these credentials.",
                "Set TAPEWATCH_ELASTICSEARCH_USER and TAPEWATCH_ELASTICSEARCH_PASSWORD_FILE, or "
                "TAPEWATCH_ELASTICSEARCH_API_KEY_FILE, to an administrator's.",
            ) from error
        hint = (
            "Run setup as an administrator, with cluster privileges manage_index_templates, manage_ilm, "
            "manage_security and monitor."
            if error.status_code == 403
            else "Check Elasticsearch's log, fix the cause, and run `tapewatch setup` again."
        )
        raise TapewatchError(f"Elasticsearch rejected {purpose}: {error}.", hint) from error


def _reason(error: ApiError) -> str:
    """Return the innermost reason that Elasticsearch gives."""
    body = error.body if isinstance(error.body, dict) else {}
    details = body.get("error")
    if not isinstance(details, dict):
        return str(details or error.message)
    causes = details.get("root_cause") or [details]
    return str(causes[0].get("reason") or details.get("reason") or error.message)
