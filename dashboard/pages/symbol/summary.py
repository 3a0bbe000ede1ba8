"""The charts in a sentence, for those who do not see them."""

from html import escape

from dashboard.pages.symbol.expected import PRICES, RATES, SIZES, Expected
from dashboard.pages.symbol.price_axis import PriceAxis
from dashboard.pages.symbol.queries import AnomalySummary, TradeSummary
from dashboard.ui.prices import price_text
from dashboard.ui.time_ranges import TimeRange
from services.contracts.trade import mean_size_text

_UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap"


def summary_html(
    symbol: str,
    trades: TradeSummary,
    anomalies: AnomalySummary,
    axis: PriceAxis,
    time_range: TimeRange,
    expected: Expected | None = None,
) -> str:
    """Return what the charts show as HTML that only a screen reader reads; a symbol is only text in it."""
    text = summary_text(symbol, trades, anomalies, axis, time_range)
    if expected is not None:
        text += expected_text(expected, axis)
    return f'<p style="{_UNSEEN}">{escape(text)}</p>'


def expected_text(expected: Expected, axis: PriceAxis) -> str:
    """Say what was expected last, with a blank before; empty if nothing is known."""
    if expected.buckets is None or not len(expected.buckets):
        return ""
    last = expected.buckets.iloc[-1]
    parts = []
    if expected.has(PRICES) and last["highest"] == last["highest"]:
        low, high = (price_text(round(last[name], axis.decimals), axis.decimals) for name in PRICES[2:])
        parts.append(f"prices from {low} to {high} are not flagged")
    if expected.has(SIZES) and last["size_limit"] == last["size_limit"]:
        usual, limit = (mean_size_text(last[name]) for name in SIZES[1:])
        parts.append(f"the usual size is {usual}, and a size beyond {limit} is flagged")
    if expected.has(RATES) and last["usual_rate"] == last["usual_rate"]:
        parts.append(f"{last['usual_rate']:.3g} trades a second are usual, {last['rate']:.3g} came")
    return f" Expected at the end: {'; '.join(parts)}." if parts else ""


def summary_text(
    symbol: str, trades: TradeSummary, anomalies: AnomalySummary, axis: PriceAxis, time_range: TimeRange
) -> str:
    """Say what the charts show of a time range that has trades."""
    buckets = trades.buckets
    last, low, high = (
        price_text(float(price), axis.decimals)
        for price in (buckets["last"].iloc[-1], buckets["low"].min(), buckets["high"].max())
    )
    severities = ", ".join(f"{count:,} {name}" for name, count in anomalies.chosen_by_severity.items())
    return (
        f"Charts of {symbol} from {time_range.start:%Y-%m-%d %H:%M:%S} to {time_range.end:%H:%M:%S} UTC: "
        f"{trades.trades:,} trades between {low} and {high}, the last at {last}; "
        f"{anomalies.chosen:,} anomalies{f' ({severities})' if severities else ''}."
    )
