"""The venues of `tapewatch feed`; a venue's module loads when it is named."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from services.common.errors import TapewatchError
from services.sources.feeds.venue import Venue


@dataclass(frozen=True)
class VenueKind:
    """A kind of venue.

    Parameters
    ----------
    name
        What stands before a colon in `tapewatch feed NAME[:WHICH]`.
    opener
        `module:function or class`, called with the symbols, the URLs and, if there are any, the part behind
        the colon.
    which
        What may stand behind the colon; empty for nothing, `*` for anything.
    example
        Symbols as the venue writes them.
    """

    name: str
    opener: str
    which: tuple[str, ...]
    example: str

    def takes(self, which: str) -> bool:
        """Whether this may stand behind the colon."""
        return bool(which) if self.which == ("*",) else which in (self.which or ("",))


VENUES = (
    VenueKind("coinbase", "services.sources.feeds.coinbase:Coinbase", (), "BTC-USD,ETH-USD"),
    VenueKind("binance", "services.sources.feeds.binance:Binance", (), "BTCUSDT,ETHUSDT"),
    VenueKind("kraken", "services.sources.feeds.kraken:Kraken", (), "BTC/USD,ETH/USD"),
    VenueKind("alpaca", "services.sources.feeds.alpaca:Alpaca", ("iex", "sip"), "AAPL,MSFT"),
    VenueKind("massive", "services.sources.feeds.massive:Massive", ("", "delayed"), "AAPL,MSFT"),
    VenueKind("databento", "services.sources.feeds.databento:Databento", ("*",), "MSFT,AAPL"),
)


def open_venue(name: str, symbols: Sequence[str], url: str | None, rest_url: str | None) -> Venue:
    """Return a venue for symbols.

    Raises
    ------
    TapewatchError
        There is no such venue, no symbol was given, or its key is missing.
    """
    kind_name, _, which = name.partition(":")
    kind = next((kind for kind in VENUES if kind.name == kind_name), None)
    if kind is None or not kind.takes(which):
        raise TapewatchError(f"There is no feed {name!r}.", f"Choose one of: {', '.join(names())}.")
    if not symbols:
        raise TapewatchError(
            f"{name} was not told which symbols to watch.", f"Name them: --symbols {kind.example}"
        )
    module, _, attribute = kind.opener.partition(":")
    opener = cast("Callable[..., Venue]", getattr(importlib.import_module(module), attribute))
    arguments = (tuple(dict.fromkeys(symbols)), url, rest_url)
    return opener(*arguments, which) if kind.which else opener(*arguments)


def names() -> list[str]:
    """Return what may be given to `tapewatch feed`."""
    return [
        name
        for kind in VENUES
        for name in (
            [f"{kind.name}:NAME"]
            if kind.which == ("*",)
            else [f"{kind.name}{':' * bool(w)}{w}" for w in kind.which or ("",)]
        )
    ]
