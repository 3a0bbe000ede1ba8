"""From a sink's name to its class."""

from importlib import import_module

from services.common.errors import TapewatchError
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
    module, _, name = spec.code.partition(":")
    try:
        found: type[Sink] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if not spec.extra or (error.name or "").startswith("services"):
            raise
        raise TapewatchError(
            f"This sink needs the package {error.name}, which is not installed.",
            f"Install it: pip install 'tapewatch[{spec.extra}]'.",
        ) from error
    return found
