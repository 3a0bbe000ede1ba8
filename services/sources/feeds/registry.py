"""The venues of `tapewatch feed`; a venue's module loads when it is named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from services.common.errors import TapewatchError
from services.sources.feeds.venue import Venue
from services.sources.registry import load


@dataclass(frozen=True)
class VenueKind:
    """A kind of venue.

    Parameters
    ----------
    name
        What stands before a colon in `tapewatch feed NAME[:WHICH]`; of several kinds with one name, it is the
        one that takes what stands behind.
    opener
        `module:function or class`, called with the symbols, the URLs and, if there are any, the part behind
        the colon.
    which
        What may stand behind the colon; empty for nothing, `*` for anything.
    example
        Symbols as the venue writes them.
    is_always_open
        Whether it never closes, so that its days are those of UTC.
    extra
        The project's extra with the packages that it needs.
    """

    name: str
    opener: str
    which: tuple[str, ...]
    example: str
    is_always_open: bool = False
    extra: str = "feeds"

    def takes(self, which: str) -> bool:
        """Whether this may stand behind the colon."""
        return bool(which) if self.which == ("*",) else which in (self.which or ("",))


_HERE = "services.sources.feeds"

VENUES = (
    VenueKind("coinbase", f"{_HERE}.coinbase:Coinbase", (), "BTC-USD,ETH-USD", is_always_open=True),
    VenueKind("binance", f"{_HERE}.binance:Binance", (), "BTCUSDT,ETHUSDT", is_always_open=True),
    VenueKind("kraken", f"{_HERE}.kraken:Kraken", (), "BTC/USD,ETH/USD", is_always_open=True),
    VenueKind("alpaca", f"{_HERE}.alpaca:Alpaca", ("iex", "sip"), "AAPL,MSFT"),
    VenueKind("massive", f"{_HERE}.massive:Massive", ("", "delayed"), "AAPL,MSFT"),
    VenueKind(
        "massive", f"{_HERE}.massive_bars:open_bars", ("minute", "delayed-minute", "daily"), "AAPL,MSFT"
    ),
    VenueKind("databento", f"{_HERE}.databento:Databento", ("*",), "MSFT,AAPL", extra="feeds,databento"),
)


def kind_of(name: str) -> VenueKind:
    """Return what is registered under a feed's name, such as `alpaca:iex`.

    Raises
    ------
    TapewatchError
        There is no such venue.
    """
    kind_name, _, which = name.partition(":")
    kind = next((kind for kind in VENUES if kind.name == kind_name and kind.takes(which)), None)
    if kind is None:
        raise TapewatchError(f"There is no feed {name!r}.", f"Choose one of: {', '.join(names())}.")
    return kind


def parse_feed(text: str) -> tuple[str, tuple[str, ...]]:
    """Read a venue and its symbols, `VENUE:SYMBOL[,SYMBOL…]`, such as `alpaca:iex:AAPL,MSFT`.

    Raises
    ------
    TapewatchError
        A part is missing.
    """
    venue, _, symbols = text.rpartition(":")
    named = tuple(part.strip() for part in symbols.split(",") if part.strip())
    if not venue or not named:
        raise TapewatchError(
            f"{text!r} does not name a venue and its symbols.",
            "Give both, such as coinbase:BTC-USD,ETH-USD.",
        )
    return venue, named


def open_venue(name: str, symbols: Sequence[str], url: str | None, rest_url: str | None) -> Venue:
    """Return a venue for symbols, with its keys.

    Raises
    ------
    TapewatchError
        There is no such venue, no symbol was given, or its key is missing.
    """
    venue = make_venue(name, symbols, url, rest_url)
    venue.read_keys()
    return venue


def make_venue(
    name: str, symbols: Sequence[str], url: str | None = None, rest_url: str | None = None
) -> Venue:
    """Return a venue that can decode, but is asked nothing: it has no keys.

    Raises
    ------
    TapewatchError
        There is no such venue, or no symbol was given.
    """
    kind = kind_of(name)
    which = name.partition(":")[2]
    if not symbols:
        raise TapewatchError(
            f"{name} was not told which symbols to watch.", f"Name them: --symbols {kind.example}"
        )
    opener = cast("Callable[..., Venue]", load(kind.opener, f"The feed {name}", kind.extra))
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
