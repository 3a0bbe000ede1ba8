"""Injects the six classic kinds with bursts of many styles: how they are ranked against each other."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from services.detector.offline.evaluation.injection import EVENTS_PER_TRADE, Injected, inject
from services.detector.offline.evaluation.scenarios.bursts.burst import Burst
from services.detector.offline.evaluation.scenarios.merge import merge
from services.detector.offline.evaluation.scenarios.plan import plan_close
from services.detector.offline.evaluation.scenarios.styles import Style
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.synthetic.kinds import KINDS

BURST = Burst.name
SINGLE_KINDS = tuple(kind for kind in KINDS if kind != BURST)


def inject_mixed(
    trades: pl.DataFrame,
    tapes: Sequence[Tape],
    seed: Sequence[int],
    style: Style,
    rate: float = EVENTS_PER_TRADE,
) -> Injected:
    """Inject anomalies into a day, equal numbers of the six kinds, as `injection.inject` does.

    Parameters
    ----------
    trades
        The day's trades.
    tapes
        Its symbols' tapes.
    seed
        Random seed.
    style
        Style of the bursts.
    rate
        Anomalies per trade; a burst counts as one.
    """
    rng = np.random.default_rng([*seed, len(KINDS)])
    count = round(rate * len(trades) / len(KINDS))
    bursts = merge(trades, tapes, plan_close(rng, tapes, style, Burst(), count).changes)
    taken = np.zeros(len(bursts.trades), np.bool_)
    taken[bursts.labels["row"].to_numpy()] = True
    singles = inject(bursts.trades, seed, rate * len(SINGLE_KINDS) / len(KINDS), SINGLE_KINDS, taken)
    is_single = np.zeros(len(singles.trades), np.bool_)
    is_single[singles.labels["row"].to_numpy()] = True
    row = np.flatnonzero(~is_single)[bursts.labels["row"].to_numpy()]
    # What would have been usual: the last price before the burst, and the mean size of the day.
    is_of_burst = is_single.copy()
    is_of_burst[row] = True
    price = pl.select(
        pl.when(pl.Series(~is_of_burst)).then(singles.trades["price"]).forward_fill().fill_null(0)
    ).to_series()
    labels = bursts.labels.with_columns(row=pl.Series(row))
    first = labels.select(pl.col("row").min().over("event")).to_series()
    labels = labels.select(
        "row",
        event=pl.col("event") + singles.labels["event"].n_unique(),
        kind=pl.lit(BURST),
        expected_price_nanos=price[first],
        expected_size_shares=pl.lit(float(trades["size"].to_numpy().mean())),
    )
    return Injected(singles.trades, pl.concat([singles.labels, labels]).sort("row"))
