"""Changes that are no fault: none of them may turn red."""

from dataclasses import replace

import msgspec

from services.contracts.iso_time import iso_ns
from services.contracts.trade import Trade
from services.detector.engine.columns import nanoseconds
from services.detector.profiles.calendar import CalendarEvent
from services.detector.profiles.profile import Profile
from services.detector.profiles.suppress import Suppress
from tests.mutants.base import Harmless
from tests.mutants.profiles import with_parameters
from tests.mutants.rig import DAY, Setup

SEPARATE = 10**6
"""What the numbers of added trades differ by."""


def as_it_is(usual: Setup) -> Setup:
    return usual


def small_batches(usual: Setup) -> Setup:
    return replace(usual, step_s=0.5, minutes=8)


def large_batches(usual: Setup) -> Setup:
    return replace(usual, step_s=30.0, minutes=40)


def restarts(usual: Setup) -> Setup:
    return replace(usual, restarts=3, minutes=25)


def one_partition(usual: Setup) -> Setup:
    return replace(usual, partitions=1)


def many_partitions(usual: Setup) -> Setup:
    return replace(usual, partitions=7)


def another_instance(usual: Setup) -> Setup:
    """Another instance has half of the partitions, and works them off."""
    return replace(usual, partitions=2, keep=lambda trade, _: trade.symbol in ("ACME", "CRUX"))


def all_alerts(profile: Profile, factor: float) -> Profile:
    for name, parameters in profile.detectors.running.items():
        rarity = getattr(parameters, "alert_rarity", None)
        if rarity is not None:
            profile = with_parameters(profile, name, alert_rarity=rarity * factor)
    return profile


def higher_thresholds(usual: Setup) -> Setup:
    return replace(usual, profile=all_alerts(usual.profile, 1.4))


def lower_thresholds(usual: Setup) -> Setup:
    return replace(usual, profile=all_alerts(usual.profile, 0.8))


def own_parameters(usual: Setup) -> Setup:
    symbols = {"ACME": {"off_market_price": {"alert_rarity": 5.0}, "print_storm": None}}
    return replace(usual, profile=usual.profile.model_copy(update={"symbols": symbols}))


def small_ones_are_held_back(usual: Setup) -> Setup:
    lines = (Suppress(label="Off-Market Price", below_bp=20), Suppress(below_shares=5, label="Unusual Size"))
    return replace(usual, profile=usual.profile.model_copy(update={"suppress": lines}))


def planned_day(usual: Setup) -> Setup:
    """A day of the calendar holds back what comes, as somebody has said."""
    event = CalendarEvent.model_validate({"name": "index day", "day": DAY, "skip": True})
    return replace(usual, profile=usual.profile.model_copy(update={"calendar": (event,)}))


def pre_market(usual: Setup) -> Setup:
    return replace(usual, start="13:10:00")


def opening(usual: Setup) -> Setup:
    return replace(usual, start="14:28:00")


def close(usual: Setup) -> Setup:
    return replace(usual, start="20:47:00", minutes=25)


def after_hours(usual: Setup) -> Setup:
    return replace(usual, start="21:20:00", minutes=60, symbols=4)


def quiet(usual: Setup) -> Setup:
    return replace(usual, keep=lambda _, number: number % 12 == 0, start="17:30:00", minutes=60)


def thin(usual: Setup) -> Setup:
    """One symbol hardly trades: some prints a day."""
    return replace(usual, keep=lambda trade, number: trade.symbol != "BOLT" or number % 300 == 0)


def past_day(usual: Setup) -> Setup:
    return replace(usual, wall_ahead_s=200 * 86_400.0)


def nothing_trades(usual: Setup) -> Setup:
    return replace(usual, start="23:59:00", minutes=20)


def _at(trade: Trade, seconds: float, number: int, **changed: object) -> Trade:
    at_ns = int(nanoseconds([trade.timestamp])[0]) + int(seconds * 1e9)
    return msgspec.structs.replace(
        trade,
        timestamp=iso_ns(at_ns),
        ts_recv=iso_ns(at_ns + 170_000),
        trade_id=f"{trade.trade_id}-{number}",
        **changed,
    )


def real_anomalies(usual: Setup) -> Setup:
    """The tape itself has what is planted: prices far off, a storm, a huge size."""

    def with_some(trades: list[Trade]) -> list[Trade]:
        changed = []
        for number, trade in enumerate(trades):
            changed.append(trade)
            if number % 40 == 0:
                changed.append(_at(trade, 0.0, 1, price=round(trade.price * 1.08, 2)))
            if number % 97 == 0:
                changed.append(_at(trade, 0.0, 2, size=90_000))
            if number % 200 == 0:
                changed += [_at(trade, 0.0, 10 + copy, size=43) for copy in range(120)]
        return changed

    return replace(usual, change=with_some)


def repeats_and_late_ones(usual: Setup) -> Setup:
    def disturbed(trades: list[Trade]) -> list[Trade]:
        changed = []
        for number, trade in enumerate(trades):
            changed.append(trade)
            if number % 11 == 0:
                changed.append(trade)
            if number % 17 == 16:
                changed[-1], changed[-4] = changed[-4], changed[-1]
        return changed

    return replace(usual, change=disturbed)


def two_venues(usual: Setup) -> Setup:
    def merged(trades: list[Trade]) -> list[Trade]:
        return [
            msgspec.structs.replace(trade, venue="XNYS" if number % 3 else "XNAS", sequence=0)
            for number, trade in enumerate(trades)
        ]

    return replace(usual, change=merged)


def no_receipts(usual: Setup) -> Setup:
    return replace(
        usual, change=lambda trades: [msgspec.structs.replace(trade, ts_recv=None) for trade in trades]
    )


def news(usual: Setup) -> Setup:
    """The price jumps by 4 % and stays there."""

    def moved(trades: list[Trade]) -> list[Trade]:
        from_place = len(trades) // 40
        return [
            trade
            if number < from_place
            else msgspec.structs.replace(trade, price=round(trade.price * 1.04, 2))
            for number, trade in enumerate(trades)
        ]

    return replace(usual, change=moved)


HARMLESS = (
    Harmless("as_it_is", "nothing is changed", as_it_is),
    Harmless("small_batches", "batches of half a second", small_batches),
    Harmless("large_batches", "batches of half a minute", large_batches),
    Harmless("restarts", "the process dies three times, and comes back from its checkpoints", restarts),
    Harmless("one_partition", "one partition", one_partition),
    Harmless("many_partitions", "seven partitions, some of them empty", many_partitions),
    Harmless("another_instance", "half of the symbols are another instance's", another_instance),
    Harmless("higher_thresholds", "every `alert_rarity` of the profile times 1.4", higher_thresholds),
    Harmless("lower_thresholds", "every `alert_rarity` of the profile times 0.8", lower_thresholds),
    Harmless("own_parameters", "a symbol has parameters of its own, and one detector less", own_parameters),
    Harmless(
        "small_ones_are_held_back", "lines of `suppress` hold small ones back", small_ones_are_held_back
    ),
    Harmless("planned_day", "the profile's calendar skips the day", planned_day),
    Harmless("pre_market", "before the opening", pre_market),
    Harmless("opening", "across the opening", opening),
    Harmless("close", "across the close", close),
    Harmless("after_hours", "after the close", after_hours),
    Harmless("quiet", "a quiet market: a twelfth of the prints", quiet),
    Harmless("thin", "a symbol that hardly trades", thin),
    Harmless("past_day", "a past day is published again", past_day),
    Harmless("nothing_trades", "nothing trades after hours", nothing_trades),
    Harmless("real_anomalies", "the tape itself has anomalies of these kinds", real_anomalies),
    Harmless("repeats_and_late_ones", "prints come twice, and late", repeats_and_late_ones),
    Harmless("two_venues", "two venues without numbers", two_venues),
    Harmless("no_receipts", "nobody knows when prints were received", no_receipts),
    Harmless("news", "the price jumps, and stays", news),
)
