"""Sends bulk requests; what Elasticsearch refuses for now is sent again, and only that."""

import random
from dataclasses import dataclass

import orjson
import structlog
from elastic_transport import ConnectionError as NotReachable
from elastic_transport import ConnectionTimeout
from elasticsearch import ApiError, Elasticsearch

from services.common.errors import TapewatchError
from services.common.stops import Stop
from services.indexer.documents import Document, bulk_body

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 30.0
FOR_NOW = frozenset({429, 502, 503, 504})
"""Statuses that mean: not now, but later."""

HEADERS = {"content-type": "application/x-ndjson", "accept": "application/json"}


@dataclass(frozen=True)
class Refused:
    """A document that can never succeed as it is: its place in the batch, and Elasticsearch's reason."""

    at: int
    error: str


class StoppedError(Exception):
    """A stop came while documents waited to be sent again; nothing of them may be committed."""


def send(client: Elasticsearch, documents: list[Document], stop: Stop) -> list[Refused]:
    """Index documents; returns once each is acknowledged or refused for good.

    Parameters
    ----------
    client
        Without retries of its own; may be shared by threads.
    documents
        Of any indices.
    stop
        Ends the waiting between two tries.

    Raises
    ------
    StoppedError
        See there.
    TapewatchError
        The whole request was refused for good, as with wrong credentials.
    """
    log = structlog.get_logger()
    waiting = list(range(len(documents)))
    refused: list[Refused] = []
    wait_s = FIRST_WAIT_S
    while True:
        try:
            # Source filtering keeps the answer small: without it, it is as long as the request.
            answer = client.perform_request(
                "POST",
                "/_bulk",
                params={"filter_path": "errors,items.*.status,items.*.error"},
                headers=HEADERS,
                body=bulk_body([documents[at] for at in waiting]),
            ).body
        except (NotReachable, ConnectionTimeout) as error:
            reason = type(error).__name__
        except ApiError as error:
            if error.status_code not in FOR_NOW:
                raise TapewatchError(
                    f"Elasticsearch refused a bulk request: {error}.",
                    "Check the service's rights and settings.",
                ) from error
            reason = f"status {error.status_code}"
        else:
            still_waiting = []
            if answer["errors"]:
                for at, item in zip(waiting, answer["items"], strict=True):
                    result = item["index"]
                    if result["status"] in FOR_NOW:
                        still_waiting.append(at)
                        reason = _describe(result["error"])
                    elif result["status"] >= 300:
                        refused.append(Refused(at, _describe(result["error"])))
            waiting = still_waiting
            if not waiting:
                return refused
        jittered_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, protects nothing
        log.warning(
            "Elasticsearch refused for now",
            documents=len(waiting),
            reason=reason,
            wait_s=round(jittered_s, 2),
        )
        if stop.wait(jittered_s):
            raise StoppedError
        wait_s = min(wait_s * 2, LONGEST_WAIT_S)


def _describe(error: dict[str, object]) -> str:
    """Write Elasticsearch's error and its causes in one line."""
    parts = []
    cause: object = error
    while isinstance(cause, dict) and cause:
        parts.append(f"{cause.get('type')}: {cause.get('reason')}")
        cause = cause.get("caused_by")
    return "; ".join(parts) or orjson.dumps(error).decode()
