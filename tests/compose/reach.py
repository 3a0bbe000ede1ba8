"""Tries what reaches what: containers each other, browsers the dashboard, the dashboard every instance."""

import http.client
import time
from collections.abc import Mapping

import orjson

from infra.embedded.ports import LOOPBACK
from tests.chaos.verify import Violation
from tests.compose.engine import python_in
from tests.compose.stack import ComposeStack

PORTS = {"redpanda": 9092, "elasticsearch": 9200, "kibana": 5601, "postgres": 5432, "grafana": 3000}
REACHES = {
    "producer": {"redpanda"},
    "detector": {"redpanda"},
    "alerter": {"redpanda"},
    "indexer": {"redpanda", "elasticsearch", "kibana"},
    "dashboard": {"elasticsearch", "kibana"},
    "indexer-postgres": {"redpanda", "postgres", "grafana"},
}
"""The servers to which a service can connect, where they run."""

TIMEOUT_S = 10.0
INSTANCES_WITHIN_S = 60.0
"""The producer may have been started a moment ago, and a busy machine answers late."""

FOREIGN_HOST = "rebound.example"

_CONNECT = """
import json, socket, sys
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        continue
    print(host)
"""
_INSTANCES = """
import json
from dashboard.pages.pipeline.probe import every_instance, probe_all, targets
from dashboard.settings import DashboardSettings
found = probe_all(targets(every_instance(DashboardSettings().services)))
print(json.dumps([[one.name, one.address, one.state] for one in found]))
"""
_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
ASKED: tuple[tuple[str, str, Mapping[str, str], str, int], ...] = (
    ("page", "/", {}, LOOPBACK, 200),
    ("page", "/", {}, FOREIGN_HOST, 421),
    ("WebSocket", "/_stcore/stream", _UPGRADE, LOOPBACK, 101),
    ("WebSocket", "/_stcore/stream", _UPGRADE, FOREIGN_HOST, 403),
)
"""What is asked of the dashboard, with which headers, as which host, and the status of the answer."""


def check_networks(stack: ComposeStack) -> list[Violation]:
    """Try from each service of ours that runs to connect to each server, by its name and by its addresses."""
    everything = stack.containers()
    running = {one.service for one in everything.values()}
    servers = {one.service: one for one in everything.values() if one.service in PORTS}
    owners = {host: name for name, one in servers.items() for host in (name, *one.addresses)}
    tried = orjson.dumps([[host, PORTS[name]] for host, name in owners.items()]).decode()
    violations = []
    for service, wanted in REACHES.items():
        if service in running:
            reached = python_in(stack.container(service), _CONNECT, tried).split()
            violations += judge_reach(service, wanted & running, {owners[host] for host in reached})
    return violations


def judge_reach(service: str, wanted: set[str], reached: set[str]) -> list[Violation]:
    """Report servers that a service reaches and should not, and those that it should and does not."""
    different = sorted(wanted ^ reached)
    if not different:
        return []
    problems = tuple(f"{'reaches' if one in reached else 'does not reach'} {one}" for one in different)
    return [Violation(service, "network", len(problems), problems)]


def check_hosts(stack: ComposeStack) -> list[Violation]:
    """Ask the dashboard as a browser does, under its own name and under that of a foreign page."""
    violations = []
    for what, path, headers, host, wanted in ASKED:
        status = _status(stack.dashboard_port, path, {"Host": host, "Origin": f"http://{host}", **headers})
        if status != wanted:
            text = f"{what} as {host}: {status} instead of {wanted}"
            violations.append(Violation("dashboard", "answers", 1, (text,)))
    return violations


def _status(port: int, path: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


def check_instances(stack: ComposeStack, wanted: Mapping[str, int]) -> list[Violation]:
    """Let the pipeline page's own code find the services, in the dashboard's container.

    Parameters
    ----------
    stack
        Its services run.
    wanted
        How many of each service.
    """
    until_s = time.monotonic() + INSTANCES_WITHIN_S
    while True:
        found = orjson.loads(python_in(stack.container("dashboard"), _INSTANCES))
        violations = judge_instances([(name, address, state) for name, address, state in found], wanted)
        if not violations or time.monotonic() > until_s:
            return violations


def judge_instances(found: list[tuple[str, str, str]], wanted: Mapping[str, int]) -> list[Violation]:
    """Report a wrong number of a service's instances that work, each counted once.

    Parameters
    ----------
    found
        Name, address and state of each.
    wanted
        How many of each service.
    """
    violations = []
    for service, number in wanted.items():
        working = {address for name, address, state in found if (name, state) == (service, "working")}
        if len(working) != number:
            seen = ", ".join(f"{address} {state}" for name, address, state in found if name == service)
            text = f"{len(working)} of {number} instances work: {seen or 'none found'}"
            violations.append(Violation("pipeline page", service, 1, (text,)))
    return violations
