"""Containers as tests want them, without an engine."""

from tests.compose.engine import Container
from tests.compose.stack import PROJECT


def container(service: str, **changes: object) -> Container:
    """Return a healthy container of a service, some of its attributes changed."""
    usual: dict[str, object] = {
        "name": f"{PROJECT}-{service}-1",
        "service": service,
        "state": "running",
        "health": "healthy",
        "exit_code": 0,
        "pid": 4711,
        "started_at": "2026-03-02T14:30:00Z",
        "restarts": 0,
        "settings": "[]",
        "is_read_only": True,
        "addresses": ("172.18.0.2",),
    }
    return Container(**(usual | changes))  # type: ignore[arg-type]
