"""Which channels a revision goes to, and when they send."""

import datetime as dt
from zoneinfo import ZoneInfo

from services.alerter.rules.model import Hours, Rules, rank
from services.contracts.alert import Alert


def channels_of(rules: Rules, alert: Alert) -> dict[str, tuple[Hours, ...]]:
    """Return the channels that a revision goes to, each with the hours in which it may be sent there.

    Parameters
    ----------
    rules
        The rules in force. A revision whose rule is no longer among them goes nowhere.
    alert
        The revision.

    Returns
    -------
    dict
        By channel. Of several routes to one channel any may be open; no hours means at any time.
    """
    found: dict[str, tuple[Hours, ...]] = {}
    # Who was told when it was more severe is told of its end.
    highest = rank(alert.highest_severity or alert.severity)
    routes = [route for rule in rules.rules if rule.name == alert.rule for route in rule.send]
    for route in routes:
        if highest < rank(route.severity):
            continue
        before = found.get(route.channel)
        if route.hours is None or before == ():
            found[route.channel] = ()
        else:
            found[route.channel] = (*(before or ()), route.hours)
    return found


def is_open(hours: tuple[Hours, ...], now_s: float) -> bool:
    """Tell whether it is within any of the hours, or there are none; the time is in seconds since 1970."""
    at = dt.datetime.fromtimestamp(now_s, dt.UTC)
    return not hours or any(_is_within(each, at) for each in hours)


def _is_within(hours: Hours, at: dt.datetime) -> bool:
    zone = ZoneInfo(hours.time_zone)
    today = at.astimezone(zone).date()
    for day in (today, today - dt.timedelta(days=1)):  # what began yesterday may end today
        if day.weekday() not in hours.days:
            continue
        last_day = day if hours.start < hours.end else day + dt.timedelta(days=1)
        start = dt.datetime.combine(day, hours.start, zone).astimezone(dt.UTC)
        end = dt.datetime.combine(last_day, hours.end, zone).astimezone(dt.UTC)
        if start <= at < end:
            return True
    return False
