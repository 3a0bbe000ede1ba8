"""From a sink's name to its class."""

from services.common.errors import TapewatchError
from services.common.extras import load_with_extra
from services.contracts.sinks import SINKS, SinkSpec
from services.indexer.sinks.base import Sink


def find_sink(name: str) -> SinkSpec:
    """Return what is registered under a name.

    Raises
    ------
    TapewatchError
        The name is unknown.
    """
    if name not in SINKS:
        raise TapewatchError(f"Unknown sink {name!r}.", f"Choose one of: {', '.join(sorted(SINKS))}.")
    return SINKS[name]


def load_sink(spec: SinkSpec) -> type[Sink]:
    """Return a sink's class.

    Raises
    ------
    TapewatchError
        A package that it needs is not installed.
    """
    found: type[Sink] = load_with_extra(spec.code, "This sink needs", spec.extra)
    return found
