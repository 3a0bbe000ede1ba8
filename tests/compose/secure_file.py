"""The compose file together with the one that gives Kafka TLS and a login, as compose merges them."""

from typing import Any

import yaml

from tests.compose.stack import FILE, ROOT

SECURE_FILE = ROOT / "docker-compose.secure.yml"
MOUNT = "/run/tapewatch/kafka"
"""Where a service has the secrets of its own Kafka user."""


def services() -> dict[str, dict[str, Any]]:
    """Return the services of both files."""
    merged: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    for name, changed in yaml.safe_load(SECURE_FILE.read_text())["services"].items():
        service = merged.setdefault(name, {})
        for key, value in changed.items():
            if isinstance(value, dict) and key in service:
                service[key] = service[key] | value
            elif key == "volumes":
                service[key] = [*service.get(key, []), *value]
            else:
                service[key] = value
    return merged


def kafka_volume(service: dict[str, Any]) -> str | None:
    """Return the volume with the secrets of a service's Kafka user; None without one."""
    mounts = [str(mount).split(":") for mount in service.get("volumes", [])]
    return next((mount[0] for mount in mounts if mount[1:2] == [MOUNT]), None)
