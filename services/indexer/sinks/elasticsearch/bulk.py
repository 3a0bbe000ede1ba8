"""Sends bulk requests; what Elasticsearch rejects for now is sent again, and only that."""

import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from services.common.elastic.client import Elasticsearch, OrjsonSerializer
from services.common.elastic.errors import NOT_NOW, ApiError, TransportError
from services.common.errors import TapewatchError
from services.common.process.readiness import LOG_EVERY_S
from services.common.process.shutdown import Stop
from services.indexer.sinks.base import Entry, Rejected, StoppedError
from services.indexer.sinks.elasticsearch.documents import bulk_body
from services.indexer.sinks.elasticsearch.metrics import BULK_RETRIES, BULK_SECONDS

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 8.0
BROKEN = 500
"""Status of a node that is shutting down, but also of permanent errors."""
MOST_BROKEN = 12
"""Number of such answers, over a minute, after which the error counts as permanent."""

NOT_THE_DOCUMENT = frozenset(
    {
        "validation_exception",
        "cluster_block_exception",
        "index_closed_exception",
        "index_not_found_exception",
    }
)
"""Errors of an index as it is now, whichever document: the cluster has too many shards to open another,
somebody has blocked or closed it, or `action.auto_create_index` keeps documents from creating it. They say
4xx, but end when it is fixed."""

TOO_MUCH_AT_ONCE = frozenset({400, 413})
"""Statuses of a whole request that one document spoils, or that is too large. Its halves are sent."""

# Of a body under the name of x-ndjson the client makes a copy first.
HEADERS = {"content-type": "application/json", "accept": "application/json"}


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class BulkAnswers(OrjsonSerializer):
    """Reads answers; of one to a bulk request without errors nothing but that, as it is long."""

    def json_loads(self, data: bytes) -> Any:  # noqa: ANN401
        """Return what an answer says."""
        if data.startswith(b'{"errors":false'):
            return {"errors": False}
        try:
            return super().json_loads(data)
        except orjson.JSONDecodeError:
            # A reason may quote what the document had, which need not be text.
            return super().json_loads(_SURROGATE.sub(rb"\\ufffd", data.decode(errors="replace").encode()))


@dataclass
class _Answer:
    """What became of one request."""

    again: list[int] = field(default_factory=list)
    """Places in the batch of the documents to be sent again."""
    rejected: list[Rejected] = field(default_factory=list)
    split: bool = False
    """Whether those to be sent again go as halves, without waiting."""
    broken: bool = False
    reason: str = ""


class BulkSender:
    """Sends batches; may be called by threads.

    Parameters
    ----------
    client
        Without retries of its own.
    stop
        Ends the waiting between two tries.
    """

    def __init__(self, client: Elasticsearch, stop: Stop) -> None:
        self._client = client
        self._stop = stop
        self._log = structlog.get_logger()
        self._next_log_s = 0.0
        self._lock = threading.Lock()

    def send(self, documents: list[Entry], is_wanted: Callable[[], bool]) -> list[Rejected]:
        """Index and delete documents; return once each is acknowledged or rejected permanently.

        Parameters
        ----------
        documents
            Documents of any indices, each with a different target.
        is_wanted
            Called before each retry: another process may have taken over the work, and a late retry would
            undo its changes.

        Raises
        ------
        StoppedError
            If a stop was requested while documents waited for a retry.
        TapewatchError
            If the whole request was rejected permanently, as with wrong credentials.
        """
        rejected: list[Rejected] = []
        waiting = deque([list(range(len(documents)))])
        wait_s = FIRST_WAIT_S
        broken = 0
        while waiting:
            part = waiting.popleft()
            sent = documents if len(part) == len(documents) else [documents[at] for at in part]
            answer = self._try(sent, part, is_last_chance=broken >= MOST_BROKEN)
            rejected += answer.rejected
            if not answer.again:
                continue
            BULK_RETRIES.inc()
            broken += answer.broken
            if answer.split:
                half = len(answer.again) // 2
                waiting.extendleft([answer.again[half:], answer.again[:half]])
                continue
            waiting.appendleft(answer.again)
            jittered_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, protects nothing
            self._report(len(answer.again), answer.reason, jittered_s)
            if self._stop.wait(jittered_s):
                raise StoppedError
            if not is_wanted():
                break
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        return rejected

    def _try(self, documents: list[Entry], places: list[int], is_last_chance: bool) -> _Answer:
        """Send one request; `places` are the documents' in the batch."""
        try:
            with BULK_SECONDS.time():
                # Source filtering keeps the answer small: without it, it is as long as the request.
                body = self._client.perform_request(
                    "POST",
                    "/_bulk",
                    params={"filter_path": "errors,items.*.status,items.*.error"},
                    headers=HEADERS,
                    body=bulk_body(documents),
                ).body
        except TransportError as error:  # away, silent, or answering what is no answer
            return _Answer(again=places, reason=type(error).__name__)
        except ApiError as error:
            status = error.status_code
            if status in TOO_MUCH_AT_ONCE:
                if len(places) == 1:
                    return _Answer(rejected=[Rejected(places[0], str(error))])
                return _Answer(again=places, split=True)
            if status in NOT_NOW or (status == BROKEN and not is_last_chance):
                return _Answer(again=places, broken=status == BROKEN, reason=f"status {status}")
            raise _rejected_as_a_whole(str(error)) from error
        answer = _Answer()
        if body["errors"]:
            for place, item in zip(places, body["items"], strict=True):
                _judge(answer, place, item, is_last_chance)
        return answer

    def _report(self, documents: int, reason: str, wait_s: float) -> None:
        """Log a rejection, unless one was logged a moment ago, by any thread."""
        with self._lock:
            now_s = time.monotonic()
            if now_s < self._next_log_s:
                return
            self._next_log_s = now_s + LOG_EVERY_S
        self._log.warning(
            "Elasticsearch rejected documents for now; trying again",
            documents=documents,
            reason=reason,
            wait_s=round(wait_s, 2),
        )


def _judge(answer: _Answer, place: int, item: dict[str, dict[str, Any]], is_last_chance: bool) -> None:
    """Add to `answer` what became of one document."""
    ((action, result),) = item.items()
    status = result["status"]
    if status < 300 or (action == "delete" and status == 404):
        return
    error = _describe(result["error"])
    is_for_now = status in NOT_NOW or result["error"].get("type") in NOT_THE_DOCUMENT
    if is_for_now or (status == BROKEN and not is_last_chance):
        answer.again.append(place)
        answer.broken |= status == BROKEN
        answer.reason = error
    elif result["error"].get("type") == "security_exception":
        raise _rejected_as_a_whole(error)
    else:
        answer.rejected.append(Rejected(place, error))


def _rejected_as_a_whole(error: str) -> TapewatchError:
    return TapewatchError(
        f"Elasticsearch rejected a bulk request: {error}.", "Check the service's rights and settings."
    )


def _describe(error: dict[str, object]) -> str:
    """Write Elasticsearch's error and its causes in one line."""
    parts = []
    cause: object = error
    while isinstance(cause, dict) and cause:
        parts.append(f"{cause.get('type')}: {cause.get('reason')}")
        cause = cause.get("caused_by")
    return "; ".join(parts) or orjson.dumps(error).decode()
