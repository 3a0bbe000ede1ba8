"""The demo on a live feed: what to watch, and how the feed is meanwhile."""

import contextlib
import json
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.common.observability.samples import to_samples
from services.contracts.components import FEED
from services.sources.feeds.health import FeedHealth, FeedStatus, feeds_health
from services.sources.feeds.registry import kind_of, open_venue, parse_feed
from services.sources.feeds.session import CANNOT_CONNECT, CONNECTED

ALWAYS_OPEN_PROFILE, ALWAYS_OPEN_EXCHANGE = "crypto", "24/7"
USUAL_PROFILE, USUAL_EXCHANGE = "default", "XNAS"
TIMEOUT_S = 1.0


@dataclass(frozen=True)
class LiveFeed:
    """A live feed to watch.

    Parameters
    ----------
    venue
        As `tapewatch feed` takes it.
    symbols
        As the venue writes them.
    url, rest_url
        Other servers than the venue's own; None for those.
    duration_s
        End after so long; None for never.
    """

    venue: str
    symbols: tuple[str, ...]
    url: str | None = None
    rest_url: str | None = None
    duration_s: float | None = None

    def check(self) -> None:
        """Check what can be checked without connecting: the venue's name, the symbols, its key.

        Raises
        ------
        TapewatchError
            Something is wrong or missing.
        """
        open_venue(self.venue, self.symbols, self.url, self.rest_url)

    @property
    def command(self) -> list[str]:
        """The arguments of `tapewatch` that read it."""
        given = {"--url": self.url, "--rest-url": self.rest_url, "--duration": self.duration_s}
        options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
        return ["feed", self.venue, "--symbols", ",".join(self.symbols), *options]

    @property
    def profile(self) -> str:
        """The built-in profile that fits the venue."""
        return ALWAYS_OPEN_PROFILE if kind_of(self.venue).is_always_open else USUAL_PROFILE

    @property
    def exchange(self) -> str:
        """The exchange whose days and clock fit the venue."""
        return ALWAYS_OPEN_EXCHANGE if kind_of(self.venue).is_always_open else USUAL_EXCHANGE

    @property
    def title(self) -> str:
        """What is watched, for display."""
        return f"{', '.join(self.symbols[:5])}{' …' if len(self.symbols) > 5 else ''} at {self.venue}"


def parse_live(text: str, url: str | None, rest_url: str | None, duration_s: float | None) -> LiveFeed:
    """Read what to watch, as `parse_feed` does.

    Raises
    ------
    TapewatchError
        A part is missing.
    """
    return LiveFeed(*parse_feed(text), url, rest_url, duration_s)


class FeedWatch:
    """Says how a feed is that another process reads.

    Parameters
    ----------
    feed
        What it reads.
    log_file
        The process's log, which tells where it serves its metrics.
    """

    def __init__(self, feed: LiveFeed, log_file: Path) -> None:
        self._feed = feed
        self._log_file = log_file
        self._address: str | None = None
        self._began_s = time.monotonic()
        self.published = 0
        """Trades published, as of the last answer."""

    def look(self) -> str:
        """Ask how the feed is, and say it; before the first print, what is waited for."""
        state = self._state()
        title = self._feed.title
        if state is None:
            return f"starting the feed of {title}" if not self.published else "the feed does not answer"
        if not self.published:
            if not state.is_connected:
                venue = f"{self._feed.venue} at {self._feed.url}" if self._feed.url else self._feed.venue
                trouble = why_not_connected(_entries(self._log_file))
                if trouble:
                    return f"{venue} cannot be reached, trying again: {trouble}"
                return f"connecting to {venue}; then waiting for the first print"
            waited_s = time.monotonic() - self._began_s
            return f"connected; waiting {waited_s:.0f} s for the first print of {title}"
        return f"{state.venue}: {describe(state)}"

    def _state(self) -> FeedHealth | None:
        if self._address is None:
            entries = (entry for entry in _entries(self._log_file) if entry.get("event") == "metrics")
            self._address = next((str(entry["address"]) for entry in entries), None)
        if self._address is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            url = f"http://{self._address}/metrics"
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(url, timeout=TIMEOUT_S) as answer:
                samples = to_samples(answer.read().decode())
            self.published = int(sum(value for _, value in samples.get(FEED.total_metric, [])))
            states = feeds_health(samples)
            return states[0] if states else None
        return None


def describe(state: FeedHealth) -> str:
    """Say how a feed is, in a line."""
    parts = [str(state.status)]
    if state.status != FeedStatus.AWAY:
        parts.append(f"last record {state.record_age_s:.1f} s ago")
    if state.print_age_s is not None:
        parts.append(f"newest print {state.print_age_s:,.1f} s ago")
    reconnects = sum(state.reconnects.values())
    if reconnects:
        parts.append(f"{reconnects:,} reconnect{'' if reconnects == 1 else 's'}")
    parts.append(f"gaps {state.gaps_open:,} open, {state.gaps_filled:,} filled, {state.gaps_lost:,} lost")
    return " · ".join(parts)


def why_not_connected(log: Iterable[dict[str, Any]]) -> str:
    """Return the reason of a feed's last failure to connect, empty if it has none or has connected since."""
    reason = ""
    for entry in log:
        if entry.get("event") == CONNECTED:
            reason = ""
        elif entry.get("event") == CANNOT_CONNECT:
            reason = str(entry.get("reason", ""))
    return reason


def _entries(log_file: Path) -> Iterator[dict[str, Any]]:
    if not log_file.exists():
        return
    for line in log_file.read_text(errors="replace").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry
