"""State of the services, from their `/metrics`, `/healthz` and `/readyz`, and of Elasticsearch."""

import datetime as dt
import http.client
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.server.indexed_data import IndexedData, find_indexed_data
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import AuthorizationException, explain_errors
from services.common.errors import TapewatchError
from services.common.observability.samples import Samples, to_samples
from services.contracts.components import FEED, PORT_STEP, PORTS_TRIED, PRODUCER
from services.contracts.sinks import COMPONENTS
from services.sources.feeds.health import FeedHealth, feeds_health

TIMEOUT_S = 1.0
"""Timeout of each of the three requests to a service; after a timeout no further one is made."""

MAX_BYTES = 4_000_000
"""Largest accepted response; a program that sends more is not a service of Tapewatch."""

_LOCALHOST = "127.0.0.1"


class Status(StrEnum):
    """What a service is doing."""

    WORKING = "working"
    NOT_READY = "not ready"
    STUCK = "stuck"
    NO_ANSWER = "no answer"
    NOT_RUNNING = "not running"
    UNKNOWN = "not Tapewatch"


@dataclass(frozen=True)
class Latency:
    """Number and total duration of repeated operations."""

    count: float = 0.0
    total_s: float = 0.0

    def mean_ms(self, before: "Latency | None" = None) -> float | None:
        """Return the mean since an earlier probe, or since the start; None without operations since."""
        # After a restart the counts start again at 0.
        if before is None or before.count > self.count:
            before = Latency()
        if self.count == before.count:
            return None
        return 1000 * (self.total_s - before.total_s) / (self.count - before.count)


@dataclass(frozen=True)
class ServiceState:
    """State of one service, from its own metrics; None for what it does not report.

    Parameters
    ----------
    address
        `host:port`.
    name
        As in `COMPONENTS`; empty if that is not known.
    state
        What it is doing.
    why
        Why it is not working; empty if it is.
    version
        Version of Tapewatch.
    started
        When its process started, UTC.
    memory_bytes
        Resident memory of its process.
    per_second
        Trades published, trades scored, or documents indexed, over the last 10 s.
    done
        The same, since it started.
    lag_messages
        Messages not yet read.
    event_lag_s
        Now minus the newest event time that it has processed.
    commit, bulk
        Times of commits to Kafka, and of bulk requests to Elasticsearch.
    retries
        Transactions and bulk requests that were repeated.
    dead_letters
        Dead letters that it has written.
    checkpoint_bytes
        Size of the largest session saved last.
    checkpoint_age_messages
        Messages that a restart would read again.
    feeds
        The live feeds that it reads.
    samples
        All of its metrics.
    """

    address: str
    name: str
    state: Status
    why: str = ""
    version: str | None = None
    started: dt.datetime | None = None
    memory_bytes: float | None = None
    per_second: float | None = None
    done: float | None = None
    lag_messages: float | None = None
    event_lag_s: float | None = None
    commit: Latency | None = None
    bulk: Latency | None = None
    retries: float | None = None
    dead_letters: float | None = None
    checkpoint_bytes: float | None = None
    checkpoint_age_messages: float | None = None
    feeds: tuple[FeedHealth, ...] = ()
    samples: Samples = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """Address at which a service may run; with `must_run` it is reported when it does not."""

    address: str
    name: str
    must_run: bool


@dataclass(frozen=True)
class ClusterState:
    """State of the Elasticsearch cluster.

    Parameters
    ----------
    status
        `green`, `yellow` or `red`.
    nodes
        Number of nodes.
    unassigned_shards
        Number of shards without a node.
    """

    status: str
    nodes: int
    unassigned_shards: int


@dataclass(frozen=True)
class ElasticsearchState:
    """State of Elasticsearch and what it holds.

    Parameters
    ----------
    cluster
        None if the dashboard's user lacks the privilege to query it, or it does not answer.
    indexed
        How much it holds, and how new that is; as it was last, if it does not answer.
    problem
        Why it does not answer.
    """

    cluster: ClusterState | None
    indexed: IndexedData
    problem: TapewatchError | None = None


def every_instance(addresses: Sequence[str]) -> list[str]:
    """Return an address for each instance: where a service is scaled, DNS gives one name several addresses.

    A name with one address, or none at the moment, stays as it is.
    """
    found: list[str] = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            answers = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            answers = []
        hosts = sorted({str(place[0]) for *_, place in answers})
        found += [f"{one}:{port}" for one in hosts] if len(hosts) > 1 else [address]
    return found


def targets(addresses: Sequence[str]) -> list[Target]:
    """Return where to look.

    Parameters
    ----------
    addresses
        Those of the setting, each `host:port`; empty for this machine's usual ones. There the first of each
        component that is required must run, and further instances and the others may.
    """
    known = {
        component.metrics_port + PORT_STEP * number: (component, number)
        for component in COMPONENTS.values()
        for number in range(PORTS_TRIED)
    }
    if not addresses:
        return [
            Target(f"{_LOCALHOST}:{port}", component.service, must_run=number == 0 and component.is_required)
            for port, (component, number) in known.items()
        ]
    found = [(one, known.get(int(one.rpartition(":")[2]))) for one in addresses]
    return [
        Target(one, component_number[0].service if component_number else "", must_run=True)
        for one, component_number in found
    ]


def probe_all(where: Sequence[Target]) -> list[ServiceState]:
    """Ask all services at the same time; takes `TIMEOUT_S` for each question, at most three.

    Returns
    -------
    list
        In the order given. A service that need not run is left out if it does not; one that must is left
        out if an instance of it runs at another target that was looked at, and the producer if a feed
        publishes in its place.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(where))) as pool:
        found = list(pool.map(probe, where))
    running = {one.name for one in found if one.version is not None}
    absent = (Status.NOT_RUNNING, Status.UNKNOWN)
    return [
        one
        for one, target in zip(found, where, strict=True)
        if one.state not in absent or (target.must_run and not _has_stand_in(one, where, running))
    ]


def _has_stand_in(one: ServiceState, where: Sequence[Target], running: set[str]) -> bool:
    """Tell whether a service is not missed: its port is only taken, or a feed publishes in its place."""
    if one.name == PRODUCER.service and FEED.service in running:
        return True
    return one.name in running and any(not target.must_run for target in where)


def probe(target: Target) -> ServiceState:
    """Ask one service."""
    try:
        _, text = _get(target.address, "/metrics")
    except TimeoutError:
        return ServiceState(
            target.address, target.name, Status.NO_ANSWER, f"It did not answer within {TIMEOUT_S:g} s."
        )
    except ConnectionRefusedError:
        return ServiceState(target.address, target.name, Status.NOT_RUNNING, "Nothing listens on this port.")
    except OSError as error:
        why = f"It cannot be reached: {error.strerror or error}."
        return ServiceState(target.address, target.name, Status.NOT_RUNNING, why)
    except (http.client.HTTPException, ValueError):
        return _unknown(target)
    try:
        samples = to_samples(text)
    except ValueError:
        return _unknown(target)
    if "tapewatch_build_info" not in samples:
        return _unknown(target)
    state, why = _health(target.address)
    return to_state(target.address, samples, state, why)


def _unknown(target: Target) -> ServiceState:
    return ServiceState(
        target.address,
        target.name,
        Status.UNKNOWN,
        "Another program listens on this port, not a service of Tapewatch.",
    )


def _health(address: str) -> tuple[Status, str]:
    for path, bad in (("/healthz", Status.STUCK), ("/readyz", Status.NOT_READY)):
        try:
            status, text = _get(address, path)
        except (OSError, http.client.HTTPException, ValueError):
            return Status.NO_ANSWER, f"It did not answer {path} within {TIMEOUT_S:g} s."
        if status != 200:
            # `/readyz` says what the service is waiting for, some with these words.
            why = text.strip()[:300].removeprefix("waiting for ")
            return (
                bad,
                f"It is waiting for {why}." if bad == Status.NOT_READY else f"{why[:1].upper()}{why[1:]}.",
            )
    return Status.WORKING, ""


def _get(address: str, path: str) -> tuple[int, str]:
    """Return the status and the text; not through a proxy that the environment may name."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return answer.status, body.decode()
    finally:
        connection.close()


def to_state(address: str, samples: Samples, state: Status, why: str) -> ServiceState:
    """Build a service's state from its metrics; each sum is over the labels, so over topics and partitions.

    Parameters
    ----------
    address
        Where it is.
    samples
        With `tapewatch_build_info`.
    state, why
        As its health says.
    """
    build, _ = samples["tapewatch_build_info"][0]
    name = build.get("service", "")
    component = COMPONENTS.get(name)
    started_s = _sum(samples, "process_start_time_seconds")
    retries = [
        _sum(samples, metric)
        for metric in ("tapewatch_aborted_transactions_total", "tapewatch_bulk_retries_total")
    ]
    return ServiceState(
        address=address,
        name=name,
        state=state,
        why=why,
        version=build.get("version", ""),
        started=None if started_s is None else dt.datetime.fromtimestamp(started_s, dt.UTC),
        memory_bytes=_sum(samples, "process_resident_memory_bytes"),
        per_second=_sum(samples, component.rate_metric) if component else None,
        done=_sum(samples, component.total_metric) if component else None,
        lag_messages=_sum(samples, "tapewatch_lag_messages"),
        event_lag_s=_sum(samples, "tapewatch_event_time_lag_seconds"),
        commit=_latency(samples, "tapewatch_commit_seconds"),
        bulk=_latency(samples, "tapewatch_bulk_seconds"),
        # A counter with labels shows only after its first event.
        retries=sum(one or 0.0 for one in retries),
        dead_letters=_sum(samples, "tapewatch_dead_letters_total") or 0.0,
        checkpoint_bytes=_sum(samples, "tapewatch_checkpoint_session_bytes"),
        checkpoint_age_messages=_sum(samples, "tapewatch_checkpoint_age_messages"),
        feeds=feeds_health(samples),
        samples=samples,
    )


def _sum(samples: Samples, name: str) -> float | None:
    found = samples.get(name)
    return None if not found else sum(value for _, value in found)


def _latency(samples: Samples, name: str) -> Latency | None:
    count, total_s = _sum(samples, f"{name}_count"), _sum(samples, f"{name}_sum")
    return None if count is None or total_s is None else Latency(count, total_s)


def probe_elasticsearch(client: Elasticsearch) -> ElasticsearchState:
    """Query the state of Elasticsearch and the newest documents.

    Raises
    ------
    TapewatchError
        It does not answer, or rejects the request.
    """
    try:
        cluster, problem = _cluster(client), None
    except TapewatchError as error:
        cluster, problem = None, error
    return ElasticsearchState(cluster, find_indexed_data(client), problem)


def _cluster(client: Elasticsearch) -> ClusterState | None:
    with explain_errors(client):
        try:
            health = client.cluster.health(filter_path="status,number_of_nodes,unassigned_shards")
        except AuthorizationException:
            return None
    return ClusterState(health["status"], health["number_of_nodes"], health["unassigned_shards"])
