"""Which anomalies a rule is about, and what those of one alert share."""

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.alerter.rules.model import Match, Rule, fits_one, rank
from services.alerter.seen import Seen, family_of
from services.contracts.anomaly import Severity

EXCHANGE = "XNAS"
"""Its calendar tells the parts of the day."""

TIME_ZONE = "America/New_York"
FIRST_HOUR, LAST_HOUR = 4, 20
"""Hours of the exchange's clock between which its venues trade at all."""

SESSIONS = ("pre", "regular", "post")

_SECOND_NS = 1_000_000_000
_NEVER_CLOSE = frozenset({"binance", "coinbase", "kraken"})
_PAIR = re.compile(r"\w+[-/](USDT?|USDC|EUR|GBP|JPY|CHF|AUD|CAD|BTC|ETH)")


def fits(match: Match, seen: Seen) -> bool:
    """Tell whether an anomaly fits every condition; `info` fits none."""
    return (
        seen.severity is not Severity.INFO
        and rank(seen.severity) >= rank(match.severity)
        and seen.score >= match.score
        and fits_one(match.symbols, seen.symbol)
        and _is_of_kind(match, seen)
        and fits_one(match.venues, seen.venue or seen.source or "")
        and (not match.sessions or part_of_day(seen) in match.sessions)
    )


def group_of(rule: Rule, seen: Seen) -> str:
    """Return what an anomaly shares with the others of its alert: a label, a family, or an empty text."""
    if rule.group_by == "label":
        return seen.labels[0]
    return family_of(seen.labels[0]) if rule.group_by == "family" else ""


def part_of_day(seen: Seen) -> str | None:
    """Return the part of the exchange's day that an anomaly's trade is in.

    None outside the venues' hours, on days without a session, and for markets that never close: those of
    venues for crypto, and pairs such as `BTC-USD`.
    """
    if seen.source in _NEVER_CLOSE or seen.venue in _NEVER_CLOSE or _PAIR.fullmatch(seen.symbol):
        return None
    local = dt.datetime.fromtimestamp(seen.event_ns // _SECOND_NS, ZoneInfo(TIME_ZONE))
    open_ns, close_ns = _auctions(f"{local:%Y-%m-%d}")
    if not open_ns or not FIRST_HOUR <= local.hour < LAST_HOUR:
        return None
    if seen.event_ns < open_ns:
        return "pre"
    return "regular" if seen.event_ns < close_ns else "post"


def _is_of_kind(match: Match, seen: Seen) -> bool:
    if not match.labels and not match.families:
        return True
    return not match.labels.isdisjoint(seen.labels) or not match.families.isdisjoint(seen.families)


@lru_cache(maxsize=64)
def _auctions(day: str) -> tuple[int, int]:
    from services.common.exchange_calendar import ExchangeCalendar  # slow to load, and few rules need it

    return ExchangeCalendar(EXCHANGE).auction_times(day)
