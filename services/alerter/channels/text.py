"""An alert or a digest for people: sentences, numbers and a small table, in plain text.

Every text from outside is one line of bounded length, without what a terminal would obey.
"""

from services.alerter.channels.notice import shown
from services.alerter.channels.shorten import one_line
from services.contracts.alert import Alert, AlertState, Digest, Print

NAME = 60
"""Most characters of a symbol, label or id."""
SENTENCE = 500
LISTED = 5
"""Most names of a list."""
MOST_PRINTS = 8
URL = 2_000


def headline(notice: Alert | Digest) -> str:
    """Return severity, symbol and Tapewatch's sentence; of a digest, what was held back and its worst."""
    if isinstance(notice, Alert):
        return f"{notice.severity.upper()} {name(notice.symbol)}: {one_line(notice.message, SENTENCE)}"
    worst = notice.worst
    return (
        f"Held back: {_number_of(notice.count, 'message')} about {_number_of(notice.alerts, 'alert')}, "
        f"as {one_line(notice.reason, SENTENCE)}; "
        f"the worst: {worst.severity.upper()} {name(worst.symbol)}: {one_line(worst.message, SENTENCE)}"
    )


def change(notice: Alert | Digest) -> str:
    """Return what this revision says that the one before did not; of a digest, which alert is its worst."""
    alert = shown(notice)
    where = f"rule {name(alert.rule)}, {listed(alert.labels)}"
    if isinstance(notice, Digest):
        return f"The worst: {where}, {_number_of(alert.count, 'anomaly', 'anomalies')}."
    what = {
        AlertState.OPENED: "opened with",
        AlertState.GREW: "now",
        AlertState.CLOSED: f"closed after {duration(alert.quiet_s)} without another,",
        AlertState.WITHDRAWN: "withdrawn, as the detector has taken back its anomalies;",
    }[alert.state]
    sentence = (
        f"Revision {alert.revision}: {what} {_number_of(alert.count, 'anomaly', 'anomalies')} ({where})."
    )
    if alert.cancelled:
        sentence += (
            f" Cancelled or corrected by the venue: {_number_of(len(alert.cancelled), 'trade')},"
            f" {listed(alert.cancelled)}."
        )
    return sentence


def numbers(notice: Alert | Digest) -> dict[str, str]:
    """Return the worst anomaly's numbers, by their names."""
    alert = shown(notice)
    trade = alert.worst.trade
    found = {
        "Price": number(trade.price),
        "Size": number(trade.size) + (f" ({name(trade.side)})" if trade.side else ""),
    }
    if alert.worst.detections:
        first = alert.worst.detections[0]
        found |= {
            "Value": number(first.value),
            "Expected": number(first.expected),
            "Threshold": number(first.threshold),
        }
    found["Score"] = f"{alert.score:.2f}"
    venue = alert.worst.venue or alert.worst.source
    found["Time"] = name(trade.time)
    if venue:
        found["Venue"] = name(venue)
    return found


def table(notice: Alert | Digest) -> str:
    """Return the last trades up to the worst one, which has a mark, in aligned columns; empty without any."""
    alert = shown(notice)
    if not alert.trades:
        return ""
    prints = alert.trades[-MOST_PRINTS:]
    lines = [("time", "price", "size", "side", "")]
    lines += [_cells(one, alert.worst.trade.trade_id) for one in prints]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join("  ".join(_aligned(line, widths)).rstrip() for line in lines)


def links(notice: Alert | Digest) -> dict[str, str]:
    """Return where to look at it, by the place's name for people; addresses of web pages alone."""
    return {
        name(place).capitalize(): link
        for place, link in list(shown(notice).links.items())[:LISTED]
        if name(place)
        and link.startswith(("http://", "https://"))
        and len(link) <= URL
        and link.isprintable()
        and not any(letter in link for letter in " <>\"'|`")
    }


def paragraphs(notice: Alert | Digest) -> str:
    """Return all of it as a text of several lines."""
    parts = [
        headline(notice),
        change(notice),
        "\n".join(f"{title}: {value}" for title, value in numbers(notice).items()),
        table(notice),
        "\n".join(f"{place}: {link}" for place, link in links(notice).items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def name(text: str) -> str:
    """Return a symbol, label or id for people."""
    return one_line(text, NAME)


def listed(names: list[str]) -> str:
    """Return names in a row, and how many more there are."""
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(name(one) for one in names[:LISTED]) + more


def number(value: float) -> str:
    """Return a number with up to 10 significant digits."""
    return f"{value:,.10g}"


def duration(seconds: float) -> str:
    """Return a time in the largest unit that keeps it whole."""
    for unit, length in (("hour", 3_600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return _number_of(int(seconds / length), unit)
    return f"{seconds:g} s"


def _number_of(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _aligned(line: tuple[str, ...], widths: list[int]) -> tuple[str, ...]:
    when, price, size, side, mark = line
    return (when.ljust(widths[0]), price.rjust(widths[1]), size.rjust(widths[2]), side.ljust(widths[3]), mark)


def _cells(one: Print, worst_id: str) -> tuple[str, str, str, str, str]:
    clock = name(one.time).partition("T")[2].rstrip("Z") or name(one.time)
    side = name(one.side) if one.side else ""
    return clock, number(one.price), number(one.size), side, "<" if one.trade_id == worst_id else ""
