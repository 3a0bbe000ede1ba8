"""Evaluates one day with the events of the second injector."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from services.detector.offline.evaluation.detection import detect_alerts
from services.detector.offline.evaluation.outcomes import clean_alerts, judge_events, share_figures
from services.detector.offline.evaluation.reshape import at_price
from services.detector.offline.evaluation.scenarios.base import Scenario
from services.detector.offline.evaluation.scenarios.merge import merge, tapes_of
from services.detector.offline.evaluation.scenarios.plan import Pass, plan_passes
from services.detector.offline.evaluation.scenarios.styles import Style, read_styles, style_named
from services.detector.profiles.profile import Profile

NS_PER_DAY = 86_400_000_000_000


def style_of(trades: pl.DataFrame, run: int, name: str | None, at_natural_price: bool = False) -> Style:
    """Return the style of a day's run: the one of that name, or each in turn over days and runs.

    With `at_natural_price` only those in turn that do not move the day to another price level.
    """
    if name is not None:
        return style_named(name)
    styles = [
        style for style in read_styles().values() if style.price_dollars is None or not at_natural_price
    ]
    return styles[(int(trades["ts_event"][0]) // NS_PER_DAY + run) % len(styles)]


class ScenarioDay:
    """One run of a day: its passes are known before the detector runs.

    Parameters
    ----------
    trades
        The day's trades as the sources yield them.
    auctions
        As in `tapes_of`.
    style
        Style of the events.
    seed
        Random seed.
    scenarios
        The kinds.
    """

    def __init__(
        self,
        trades: pl.DataFrame,
        auctions: Callable[[int], tuple[int, int]],
        style: Style,
        seed: Sequence[int],
        scenarios: Sequence[Scenario],
    ) -> None:
        rng = np.random.default_rng(seed)
        self._style = style
        self._price_dollars = style.draw_price_dollars(rng)
        self._trades = trades if self._price_dollars is None else at_price(trades, self._price_dollars)
        self._tapes = tapes_of(self._trades, auctions)
        self._passes: list[Pass] = plan_passes(rng, self._tapes, style, scenarios)

    @property
    def detections(self) -> int:
        """How many times the detector is run over the day."""
        return 1 + len(self._passes)

    def evaluate(self, profile: Profile) -> Iterator[dict[str, Any]]:
        """Run the detector; yield after each detection, nothing but at last the result.

        Yields
        ------
        dict
            Empty, and at last `style`, `price_dollars` (None where the day has its own prices), `passes`,
            `trades` (of the natural day), `figures` by name, and `events` as `judge_events` describes
            them, with the number of their `pass`.
        """
        clean = clean_alerts(detect_alerts(self._trades, profile))
        yield {}
        events: list[dict[str, Any]] = []
        by_pass = []
        for number, each in enumerate(self._passes):
            day = merge(self._trades, self._tapes, each.changes)
            described, figures = judge_events(day, detect_alerts(day.trades, profile), clean)
            events += [{"pass": number, **event} for event in described]
            by_pass.append(figures)
            yield {}
        means = {
            name: _mean([figures[name] for figures in by_pass]) for name in (by_pass[0] if by_pass else ())
        }
        yield {
            "style": self._style.name,
            "price_dollars": self._price_dollars,
            "passes": len(self._passes),
            "trades": len(self._trades),
            "figures": {**share_figures(events), **means},
            "events": events,
        }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else np.nan
