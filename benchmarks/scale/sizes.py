"""How much of everything a run has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much of everything a run has.

    Parameters
    ----------
    days, day_trades, day_symbols
        Days that are streamed after a first one, trades of each, and their symbols.
    sample_every_s
        How often processes are looked at while the days pass.
    page_turns
        How often each page is opened.
    market_trades, market_symbols
        A day of a whole market.
    mean_rate
        Trades a second of the market that opens.
    before_s, open_s, after_s
        How long it trades at that rate, at `OPEN_TIMES` as much, and at that rate again.
    """

    days: int
    day_trades: int
    day_symbols: int
    sample_every_s: float
    page_turns: int
    market_trades: int
    market_symbols: int
    mean_rate: int
    before_s: float
    open_s: float
    after_s: float


OPEN_TIMES = 20
"""How many times the mean rate a market's open has."""

FULL = Size(
    days=38,
    day_trades=1_000_000,
    day_symbols=200,
    sample_every_s=2.0,
    page_turns=5,
    market_trades=1_000_000,
    market_symbols=8_000,
    mean_rate=2_500,
    before_s=30.0,
    open_s=10.0,
    after_s=60.0,
)

SHORT = Size(
    days=10,
    day_trades=40_000,
    day_symbols=20,
    sample_every_s=0.25,
    page_turns=2,
    market_trades=200_000,
    market_symbols=8_000,
    mean_rate=2_500,
    before_s=15.0,
    open_s=3.0,
    after_s=20.0,
)
