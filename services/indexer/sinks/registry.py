"""The sinks there are: a line for each. A sink's module is loaded when it is chosen, and not before."""

from dataclasses import dataclass
from importlib import import_module

from services.common.errors import TapewatchError
from services.contracts.components import INDEXER, Component
from services.indexer.sinks.base import Sink


@dataclass(frozen=True)
class Registration:
    """How to get a sink.

    Parameters
    ----------
    component
        The indexer with this sink, as others see it.
    module
        Has the class.
    name
        Of the class.
    extra
        The optional dependency of Tapewatch that it needs; empty for none.
    """

    component: Component
    module: str
    name: str
    extra: str = ""

    def load(self) -> type[Sink]:
        """Return the sink's class.

        Raises
        ------
        TapewatchError
            A package that it needs is not installed.
        """
        try:
            found: type[Sink] = getattr(import_module(self.module), self.name)
        except ModuleNotFoundError as error:
            if not self.extra or (error.name or "").startswith("services"):
                raise
            raise TapewatchError(
                f"This sink needs the package {error.name}, which is not installed.",
                f"Install it: pip install 'tapewatch[{self.extra}]'.",
            ) from error
        return found


SINKS = {
    "elasticsearch": Registration(
        INDEXER, "services.indexer.sinks.elasticsearch.sink", "ElasticsearchSink", extra="indexer"
    ),
}
"""By the name that `tapewatch index --sink NAME` takes."""


def registration_of(name: str) -> Registration:
    """Return how to get the sink of a name.

    Raises
    ------
    TapewatchError
        There is none.
    """
    if name not in SINKS:
        raise TapewatchError(f"There is no sink {name!r}.", f"Choose one of: {', '.join(sorted(SINKS))}.")
    return SINKS[name]
