"""The compiled walk over a batch that measures each trade once, for all calibrated detectors."""

from itertools import chain

import numpy as np
from coniferest.isoforest import IsolationForest as Forest
from numba import njit

from services.detector.detectors.activity.burst import (
    BurstParameters,
    measure_burst,
    set_burst_back,
    start_burst,
)
from services.detector.detectors.activity.fast_market import (
    FastMarketParameters,
    is_small_burst,
    is_small_distance,
    measure_level,
    measure_market,
    start_market,
)
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.forest_rows import PAGE_ROWS, ForestRows
from services.detector.detectors.core.pace import PACE_PRIOR, USUAL_S, learns_from
from services.detector.detectors.core.record import record_of, record_type
from services.detector.detectors.core.state import (
    BURST_TIMES,
    FOREST,
    FOREST_FEATURES,
    FOREST_ROWS,
    MEASURES,
    STATE,
)
from services.detector.detectors.core.tail import ALERT, JUST_LOW, low_of, start_tail
from services.detector.detectors.multivariate.isolation_forest import (
    IsolationForestParameters,
    fit_forest,
    measure_forest,
)
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.price.off_market_price import (
    OffMarketPriceParameters,
    measure_price,
    remember_price,
    start_price,
    step_of,
)
from services.detector.detectors.scheduled.auction_cross import (
    AuctionCrossParameters,
    is_reopening_print,
    measure_cross,
)
from services.detector.detectors.scheduled.scheduled_burst import (
    ScheduledBurstParameters,
    is_scheduled,
    is_scheduled_move,
)
from services.detector.detectors.serialize import one_record, records
from services.detector.detectors.size.unusual_size import (
    UnusualSizeParameters,
    measure_size,
    remember_size,
    start_size,
)
from services.detector.engine.batch import BAR, PRICE_ELIGIBLE, VOLUME_ELIGIBLE, Batch, SessionKey
from services.detector.engine.record import Record
from services.detector.engine.slots import grown

FORESTS_KEPT = 1024
"""Fitted forests in memory, those used last, 0.15 MB each; others are fitted again in 2 ms when needed."""

_ROW = np.dtype((np.float32, (FOREST_FEATURES,)))

PARAMETERS: dict[str, type[Parameters]] = {
    "off_market_price": OffMarketPriceParameters,
    "unusual_size": UnusualSizeParameters,
    "burst": BurstParameters,
    "isolation_forest": IsolationForestParameters,
    "auction_cross": AuctionCrossParameters,
    "scheduled_burst": ScheduledBurstParameters,
    "fast_market": FastMarketParameters,
}
"""Parameters by detector; one that does not run has its defaults, as others build on it."""

CALENDAR = {"auction_cross": ("open_ns", "close_ns"), "scheduled_burst": ("beat_open_ns", "beat_close_ns")}
"""Which fields of a session's record hold the auctions' times for a detector; 0 where it does not run."""

USUAL = "usual_shares"
"""The field that holds the shares of the profile's usual day; 0 without one."""


class FeatureWalk:
    """Measures each trade once for all calibrated detectors, and holds their state.

    Parameters
    ----------
    context
        Provides parameters and the calendar.
    """

    name = "tape"  # that of saved states
    state_schema = f"{STATE.descr} and {_ROW}"

    def __init__(self, context: DetectorContext) -> None:
        self._running = context.running
        self._auction_times = context.auction_times
        self._usual_day_of = context.usual_day_of
        self._states = np.zeros(0, STATE)
        self._rows = ForestRows()
        self._sessions: dict[int, tuple[SessionKey, IsolationForestParameters | None]] = {}
        self._forests: dict[int, tuple[int, Forest]] = {}
        self._records = {name: np.zeros(0, record_type(kind)) for name, kind in PARAMETERS.items()}
        self._refit_least: int | None = None

    def open(self, slot: int, session: SessionKey) -> None:
        """Start a new session in a slot."""
        running = self._running(session.symbol)
        self._states = grown(self._states, slot)
        for name, kind in PARAMETERS.items():
            self._records[name] = grown(self._records[name], slot)
            self._records[name][slot] = record_of(running.get(name) or kind())
        self._states[slot] = np.zeros((), STATE)
        for name, times in CALENDAR.items():
            if name in running and session.day:
                for field, time_ns in zip(times, self._auction_times(session.day), strict=True):
                    self._states[slot][field] = time_ns
        usual = self._usual_day_of(session.symbol) if session.day else None
        self._states[slot][USUAL] = 0.0 if usual is None else usual.shares or 0.0
        forest = running.get("isolation_forest")
        forest = forest if isinstance(forest, IsolationForestParameters) else None
        self._rows.open(slot, keeps=forest is not None)
        self._sessions[slot] = (session, forest)
        self._forests.pop(slot, None)
        if forest is not None:
            self._refit_least = min(forest.refit_trades, self._refit_least or forest.refit_trades)

    def save(self, slot: int) -> bytes:
        """See `StateStore`: the record, with 0 for the times of past bursts, and the rows that fits need."""
        head = self._states[slot : slot + 1].copy()
        places = np.arange(BURST_TIMES)
        is_over = (places - head["burst_tail"]) % BURST_TIMES >= head["burst_head"] - head["burst_tail"]
        for ring in ("burst_ns", "burst_price", "burst_trade", "burst_path"):
            head[ring][0, is_over] = 0
        trades = int(head["trades"][0])
        return head.tobytes() + self._rows.read(slot, self._first_row(slot, trades), trades).tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`."""
        head = one_record(saved[: STATE.itemsize], STATE).copy()
        trades = int(head["trades"])
        if trades < 0:
            raise ValueError(f"it is of {trades} trades")
        first = self._first_row(slot, trades)
        rows = records(saved[STATE.itemsize :], _ROW, trades - first)
        for field in (*chain.from_iterable(CALENDAR.values()), USUAL):
            head[field] = self._states[slot][field]
        self._states[slot] = head
        self._rows.make_room(np.array([slot]), np.array([trades]))
        self._rows.write(slot, first, rows)

    def _first_row(self, slot: int, trades: int) -> int:
        """Return the number of the oldest row worth keeping after so many trades."""
        p = self._sessions[slot][1]
        return trades if p is None else p.first_row_needed(trades)

    @property
    def states(self) -> np.ndarray:
        """The state of each session, by slot: `state.STATE`; read-only."""
        return self._states

    def advance(self, batch: Batch) -> np.ndarray:
        """Update the sessions' state with the next trades.

        Bars, and trades of which neither price nor size is eligible, are left out.

        Returns
        -------
        array
            `state.MEASURES` of each trade, shape (n,); 0 for what is left out.
        """
        taken = (batch.eligible & (PRICE_ELIGIBLE | VOLUME_ELIGIBLE) != 0) & (batch.eligible & BAR == 0)
        measures = np.zeros(len(batch), MEASURES)
        if taken.all():
            self._advance_all(batch, measures)
            return measures
        own = measures[taken]
        self._advance_all(batch[taken], own)
        measures[taken] = own
        return measures

    def _advance_all(self, batch: Batch, measures: np.ndarray) -> None:
        for part in self._pieces(batch.slot, 0, len(batch)):
            self._advance(batch[part], measures[part])

    def _advance(self, batch: Batch, measures: np.ndarray) -> None:
        parameters = self._records
        trades = np.bincount(batch.slot)
        slots = np.flatnonzero(trades)
        self._rows.make_room(slots, self._states["trades"][slots] + trades[slots])
        _walk(
            self._states,
            self._rows.pages,
            self._rows.page_of,
            batch.slot,
            batch.event_ns,
            batch.price,
            batch.size,
            batch.side,
            batch.eligible,
            parameters["off_market_price"],
            parameters["unusual_size"],
            parameters["burst"],
            parameters["isolation_forest"],
            parameters["auction_cross"],
            parameters["scheduled_burst"],
            parameters["fast_market"],
            measures,
        )
        if self._refit_least is not None:
            scores, scored = self._forest_scores(batch.slot, measures)
            measure_forest(self._states, batch.slot, scores, parameters["isolation_forest"], measures)
            for forest, at in scored:
                flagged = at[measures["forest_evidence"][at] >= ALERT]
                if len(flagged):
                    measures["forest_shares"][flagged] = _shares(forest, _forest_rows(measures[flagged]))

    def _pieces(self, slot: np.ndarray, start: int, stop: int) -> list[slice]:
        """Cut a batch so that no session has more trades in a piece than between two fits.

        The rows that a fit needs must still be in the session's record when its turn comes.
        """
        every = self._refit_least or FOREST_ROWS
        if stop - start <= every or np.bincount(slot[start:stop]).max() <= every:
            return [slice(start, stop)]
        middle = (start + stop) // 2
        return self._pieces(slot, start, middle) + self._pieces(slot, middle, stop)

    def _forest_scores(
        self, slot: np.ndarray, measures: np.ndarray
    ) -> tuple[np.ndarray, list[tuple[Forest, np.ndarray]]]:
        """Score measured trades, each by its session's newest forest at that trade.

        Returns the scores, 0 where there is no forest yet, and the places that each forest scored.
        """
        rows = _forest_rows(measures)
        scores = np.zeros(len(slot))
        scored = []
        order = np.argsort(slot, kind="stable")
        ordered = slot[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        trades = self._states["trades"]
        for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
            session_slot = int(ordered[start])
            p = self._sessions[session_slot][1]
            if p is None:
                continue
            places = order[start:stop]
            first = int(trades[session_slot]) - len(
                places
            )  # the session's number of the first of these trades
            done = 0
            while done < len(places):
                fitted = (first + done) // p.refit_trades * p.refit_trades
                take = min(len(places), fitted + p.refit_trades - first)
                if fitted > 0:
                    at = places[done:take]
                    forest = self._forest_of(session_slot, fitted)
                    scores[at] = -forest.score_samples(rows[at])
                    scored.append((forest, at))
                done = take
        return scores, scored

    def _forest_of(self, slot: int, fitted: int) -> Forest:
        """Return the forest fitted at a trade count; fitted now if it is not in memory."""
        known = self._forests.pop(slot, None)
        if known is None or known[0] != fitted:
            session, p = self._sessions[slot]
            assert p is not None  # noqa: S101 - only sessions with a forest come here
            rows = self._rows.read(slot, p.first_row_needed(fitted), fitted)
            known = (fitted, fit_forest(rows, p, session, fitted))
        self._forests[slot] = known  # moved to the end
        if len(self._forests) > FORESTS_KEPT:
            del self._forests[next(iter(self._forests))]
        return known[1]


@njit(cache=True)
def _walk(
    states: np.ndarray,
    pages: np.ndarray,
    page_of: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    side: np.ndarray,
    eligible: np.ndarray,
    price_parameters: np.ndarray,
    size_parameters: np.ndarray,
    burst_parameters: np.ndarray,
    forest_parameters: np.ndarray,
    auction_parameters: np.ndarray,
    scheduled_parameters: np.ndarray,
    fast_parameters: np.ndarray,
    measures: np.ndarray,
) -> None:
    """Measure trades in order and remember each in its session's record."""
    for i in range(len(slots)):
        slot = slots[i]
        s = states[slot]
        out = measures[i]
        price_p = price_parameters[slot]
        size_p = size_parameters[slot]
        burst_p = burst_parameters[slot]
        fast_p = fast_parameters[slot]
        x = price[i]
        z = size[i]
        is_priced = eligible[i] & PRICE_ELIGIBLE != 0
        is_sized = eligible[i] & VOLUME_ELIGIBLE != 0
        if s.trades == 0:
            s.size_ns = event_ns[i]
            s.pace_ns = event_ns[i]
            s.usual_pace = PACE_PRIOR * USUAL_S
            start_size(s, size_p)
            start_tail(s.tails[FOREST], forest_parameters[slot])
        if is_priced and s.priced == 0:
            s.last_ns = s.second_last_ns = event_ns[i]
            s.last_price = x
            start_price(s, price_p, event_ns[i], x)
            start_burst(s, burst_p, event_ns[i])
            start_market(s, fast_p, event_ns[i], x)
        if event_ns[i] < max(s.last_ns, s.size_ns):
            set_clock_back(s, event_ns[i])
        learns = learns_from(s, event_ns[i])
        lowest, highest, middle = -1e300, 1e300, 0.0
        is_reopening = False
        if is_priced:
            measure_market(s, fast_p, event_ns[i], z if is_sized else 0.0, step_of(s), out)
            lowest, highest, middle = measure_price(s, price_p, event_ns[i], x, side[i], learns, out)
            if s.level_ns > 0 or out.price_evidence >= ALERT:
                measure_level(s, fast_p, event_ns[i], x, out)
            if out.price_evidence > JUST_LOW and (
                is_small_distance(s, fast_p, event_ns[i], out.distance)
                or is_scheduled_move(s, scheduled_parameters[slot], event_ns[i], out.distance)
            ):
                out.price_evidence = JUST_LOW
        else:
            x = s.last_price
        if is_sized:
            is_cross = measure_cross(s, auction_parameters[slot], event_ns[i], x, z, side[i], out)
            is_reopening = is_priced and is_reopening_print(
                s, auction_parameters[slot], event_ns[i], z, side[i]
            )
            measure_size(s, size_p, event_ns[i], x, z, side[i], lowest, highest, is_cross, learns, out)
            if is_reopening:  # unusual, and no error
                out.price_evidence = min(out.price_evidence, JUST_LOW)
                out.size_evidence = min(out.size_evidence, JUST_LOW)
        if is_priced:
            measure_burst(s, burst_p, event_ns[i], x, out)
            if out.burst_evidence > JUST_LOW and is_small_burst(s, fast_p, out.burst_drift, step_of(s)):
                out.burst_evidence = low_of(out.burst_evidence)
            if is_scheduled(s, scheduled_parameters[slot], event_ns[i], out.burst_evidence):
                if max(out.price_evidence, out.size_evidence) < ALERT:
                    out.is_scheduled = 1.0
                else:  # what else is found of this trade stays an alert
                    out.burst_evidence = min(out.burst_evidence, 0.99 * ALERT)
        place = s.trades & (FOREST_ROWS - 1)
        row = pages[page_of[slot, place // PAGE_ROWS], place % PAGE_ROWS]
        row[0] = out.price_value
        row[1] = out.size_ratio
        row[2] = out.burst_value
        if is_priced:
            remember_price(s, price_p, event_ns[i], x, middle, learns, is_reopening)
            s.second_last_ns = s.last_ns
            s.last_ns = event_ns[i]
            s.last_price = x
            s.priced += 1
        if is_sized:
            remember_size(s, size_p, z, side[i], learns)
            s.size_ns = event_ns[i]
            s.last_side = side[i]
            s.sized += 1
        s.trades += 1


@njit(cache=True)
def set_clock_back(s: Record, now_ns: int) -> None:
    """Forget that a session's last trades were later than now: one of them had a wrong stamp."""
    s.last_ns = min(s.last_ns, now_ns)
    s.second_last_ns = min(s.second_last_ns, now_ns)
    s.size_ns = min(s.size_ns, now_ns)
    s.off_grid_ns = min(s.off_grid_ns, now_ns)
    s.change_ns = min(s.change_ns, now_ns)
    s.first_ns = min(s.first_ns, now_ns)
    s.left_ns = min(s.left_ns, now_ns)
    for j in range(len(s.anchor_ns)):
        s.anchor_ns[j] = min(s.anchor_ns[j], now_ns)
    set_burst_back(s, now_ns)


def _forest_rows(measures: np.ndarray) -> np.ndarray:
    """Return the forest's features as `_walk` keeps them, float32, shape (n, FOREST_FEATURES)."""
    columns = (measures["price_value"], measures["size_ratio"], measures["burst_value"])
    return np.column_stack(columns).astype(np.float32)


def _shares(forest: Forest, rows: np.ndarray) -> np.ndarray:
    """Return each feature's share in a row's isolation; a row's shares add up to 1.

    A short path in a feature's cuts gives it a low signature; the least isolating feature counts 0.
    """
    with np.errstate(invalid="ignore"):  # a feature that no tree cuts
        signature = forest.feature_signature(rows)
    longest = np.nanmax(signature, axis=1, keepdims=True)
    shortness = np.nan_to_num(longest - signature)
    total = shortness.sum(axis=1, keepdims=True)
    return np.where(total > 0, shortness / np.where(total > 0, total, 1.0), 1.0 / rows.shape[1])
