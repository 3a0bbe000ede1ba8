"""The venues that have a stand-in: what a test needs to run a feed against each."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.standins.databento import KEY as DATABENTO_KEY
from tests.standins.faults import FaultKind

COMMON: tuple[FaultKind, ...] = (
    *("close", "reset", "silence", "mute", "drop", "double", "swap", "malformed", "outage"),
    *("busy", "broken", "lagging", "forgotten", "clock"),
)


@dataclass(frozen=True)
class StandInVenue:
    """A venue with a stand-in.

    Parameters
    ----------
    feed
        As in `tapewatch feed FEED`.
    module
        The stand-in's module in `tests.standins`.
    symbols
        Symbols of its tape.
    faults
        What it can do wrong.
    number
        Finds the tape's number in a `trade_id`: a regular expression with a group; empty if
        the stand-in tells.
    secrets
        What the files hold that variables name, by variable; the stand-in knows them.
    """

    feed: str
    module: str
    symbols: tuple[str, ...]
    faults: tuple[FaultKind, ...]
    number: str = r"-(\d+)$"
    secrets: Mapping[str, str] = field(default_factory=dict)


ALPACA: tuple[FaultKind, ...] = (
    *("close", "reset", "silence", "mute", "double", "malformed", "outage", "busy", "broken", "lagging"),
    *("occupied", "slow_reader", "cancel", "correct"),
)
"""All but prints that are left out or overtake each other, as nothing numbers them, a history that forgets,
and wrong times: prints that have one stand elsewhere in history, which is sorted by time."""

MASSIVE: tuple[FaultKind, ...] = (
    *("close", "reset", "silence", "mute", "double", "malformed", "outage", "busy", "broken", "lagging"),
    *("clock", "occupied", "slow_reader"),
)
"""Likewise: its sequence rises, but not without gaps."""

VENUES = (
    StandInVenue("coinbase", "coinbase", ("BTC-USD", "ETH-USD", "DOGE-USD"), COMMON),
    StandInVenue("binance", "binance", ("BTCUSDT", "ETHUSDT", "DOGEUSDT"), (*COMMON, "expiry", "shutdown")),
    StandInVenue("kraken", "kraken", ("BTC/USD", "ETH/USD", "DOGE/USD"), COMMON),
    StandInVenue(
        "alpaca:iex",
        "alpaca",
        ("AAPL", "MSFT", "BRK.B"),
        ALPACA,
        number="",
        secrets={
            "TAPEWATCH_ALPACA_KEY_FILE": "standin-key",
            "TAPEWATCH_ALPACA_SECRET_FILE": "standin-secret",
        },
    ),
    *(
        StandInVenue(
            feed,
            "massive",
            ("AAPL", "MSFT", "BRK.A"),
            MASSIVE,
            secrets={"TAPEWATCH_MASSIVE_KEY_FILE": "standin-key"},
        )
        for feed in ("massive", "massive:delayed")
    ),
    *(
        StandInVenue(
            feed,
            "massive",
            ("AAPL", "MSFT", "BRK.A"),
            (*MASSIVE, "drop", "swap"),
            number="",
            secrets={"TAPEWATCH_MASSIVE_KEY_FILE": "standin-key"},
        )
        for feed in ("massive:minute", "massive:delayed-minute")
    ),
    StandInVenue(
        "databento:XNAS.ITCH",
        "databento",
        ("MSFT", "AAPL", "NVDA"),
        (
            *("close", "reset", "silence", "double", "malformed", "outage", "forgotten", "clock"),
            *("garbled", "skipped", "slow", "internal", "limit", "halt"),
        ),
        secrets={"TAPEWATCH_DATABENTO_KEY_FILE": DATABENTO_KEY},
    ),
)
"""Each venue of `services.sources.feeds.registry`."""
