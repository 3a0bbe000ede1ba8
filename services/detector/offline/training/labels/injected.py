"""Labels by injection: each copy of a day with other anomalies, in styles that take turns."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from services.common.errors import TapewatchError
from services.detector.offline.evaluation.detection import frame_json
from services.detector.offline.evaluation.injection import EVENTS_PER_TRADE, Injected
from services.detector.offline.evaluation.mixed import inject_mixed
from services.detector.offline.evaluation.reshape import StockKind
from services.detector.offline.evaluation.scenarios.base import Scenario
from services.detector.offline.evaluation.scenarios.merge import merge, tapes_of
from services.detector.offline.evaluation.scenarios.plan import plan_passes
from services.detector.offline.evaluation.scenarios.registry import SCENARIOS
from services.detector.offline.evaluation.scenarios.styles import Style, read_styles
from services.detector.offline.training.days import SessionDay
from services.detector.offline.training.labelled import LabelledDay, from_rows
from services.detector.offline.training.labels.base import Origin
from services.sources.columns import COLUMNS
from services.sources.synthetic.kinds import KINDS

COPIES = 2
LEARNT_RATE = 4 * EVENTS_PER_TRADE
"""More anomalies than there are when tested: a day is copied as often as it has to be, and no more."""
_LEARNT, _TESTED, _OTHER = 1, 2, 3

Auctions = Callable[[int], tuple[int, int]]


def styles_in_turn() -> list[Style]:
    """Return the styles that leave the day at its own price."""
    return [style for style in read_styles().values() if style.price_dollars is None]


def other_kinds() -> list[Scenario]:
    """Return the second injector's kinds: those whose prints are to be found, and that come in order."""
    return [
        scenario
        for scenario in SCENARIOS.values()
        if scenario.labels
        and scenario.name not in KINDS
        and scenario.keeps_trades
        and scenario.keeps_stamps_in_order
        and not scenario.lasting
    ]


class InjectedLabels(Origin):
    """The six kinds, with bursts of styles that take turns over days and copies.

    Parameters
    ----------
    auctions
        As in `tapes_of`.
    seed
        Random seed.
    weight
        See `Origin`.
    """

    name = "injected"

    def __init__(self, auctions: Auctions, seed: int, weight: float) -> None:
        self._auctions = auctions
        self._seed = seed
        self.weight = weight

    def learnt(self, day: SessionDay) -> Iterator[LabelledDay]:
        """See `Origin`."""
        yield from self._copies(day, day.frame().drop("json"), _LEARNT, LEARNT_RATE)

    def tested(self, day: SessionDay) -> Iterator[LabelledDay]:
        """See `Origin`."""
        yield from self._copies(day, day.frame().drop("json"), _TESTED, EVENTS_PER_TRADE)

    def reshaped(self, day: SessionDay, stock: StockKind) -> Iterator[LabelledDay]:
        """Yield the day as another kind of stock, to test on."""
        natural = day.frame().drop("json")
        for number in range(stock.days_per_run):
            frame = stock.reshape(natural, [self._seed, number, len(natural)])
            yield next(self._copies(day, frame, _TESTED + 8 * (number + 1), EVENTS_PER_TRADE))

    def of_other_kinds(self, day: SessionDay) -> LabelledDay:
        """Return the day with events of the second injector, of kinds that are never learnt."""
        frame = _checked(day, day.frame().drop("json"))
        rng = np.random.default_rng([self._seed, _OTHER, len(frame)])
        style = styles_in_turn()[len(frame) % len(styles_in_turn())]
        tapes = tapes_of(frame.drop("ts_recv", strict=False), self._auctions)
        passes = plan_passes(rng, tapes, style, other_kinds())
        changes = max((one.changes for one in passes), key=len, default=[])
        found = merge(frame.drop("ts_recv", strict=False), tapes, changes)
        kinds = found.events["kind"].to_list()
        return from_rows(day.day, self.name, style.name, frame_json(found.trades), found.labels, kinds)

    def _copies(self, day: SessionDay, frame: pl.DataFrame, use: int, rate: float) -> Iterator[LabelledDay]:
        natural = _checked(day, frame).drop("trade_id").drop("ts_recv", strict=False)
        tapes = tapes_of(natural, self._auctions)
        styles = styles_in_turn()
        for copy in range(COPIES):
            turn = int(natural["ts_event"][0]) // 86_400_000_000_000 + copy + use
            style = styles[turn % len(styles)]
            seed = [self._seed, use, copy, len(natural)]
            yield _labelled(day, self.name, style.name, inject_mixed(natural, tapes, seed, style, rate))


def _labelled(day: SessionDay, origin: str, style: str, found: Injected) -> LabelledDay:
    kinds = found.labels.unique("event").sort("event")["kind"].to_list()
    # Some numbers have no trades, where a burst did not fit.
    order = {event: at for at, event in enumerate(found.labels["event"].unique().sort().to_list())}
    rows = found.labels.with_columns(pl.col("event").replace_strict(order, return_dtype=pl.Int64))
    return from_rows(day.day, origin, style, frame_json(found.trades), rows, kinds)


def _checked(day: SessionDay, frame: pl.DataFrame) -> pl.DataFrame:
    if frame.select(*COLUMNS).schema != pl.Schema(COLUMNS):
        raise TapewatchError(
            f"{day.day} has sizes or prices with more decimals than anomalies are injected with.",
            "Train on whole sizes and prices of nine decimals at most, or on --labels verdicts.",
        )
    return frame
