"""How topics are spread over brokers, checked against what is there before anything is created."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import TapewatchError
from services.contracts.topics import DEFAULT_PARTITIONS, SAME_PARTITIONS, TRADES_TOPIC

MIN_IN_SYNC = "min.insync.replicas"


@dataclass(frozen=True)
class TopicLayout:
    """What is asked for; None leaves it to what exists, else to the default.

    Attributes
    ----------
    partitions
        Of each topic that may have several; 6 by default.
    replication
        Replicas of each partition; the brokers' own setting by default.
    min_insync_replicas
        Replicas that must have a message before it counts as written; likewise.
    """

    partitions: int | None = None
    replication: int | None = None
    min_insync_replicas: int | None = None


@dataclass(frozen=True)
class FoundTopic:
    """A topic that exists, with the replicas of the partition that has the fewest."""

    partitions: int
    replicas: int


def check_layout(wanted: TopicLayout, found: Mapping[str, FoundTopic], missing: int, brokers: int) -> None:
    """Check that what exists is what is asked for, and that what is missing can be created so.

    Parameters
    ----------
    wanted
        What is asked for.
    found
        The topics that exist, by name.
    missing
        How many are to be created.
    brokers
        How many are in the cluster now.

    Raises
    ------
    TapewatchError
        They contradict each other; says what to do.
    """
    _check_settings(wanted)
    trades = next((found[name].partitions for name in SAME_PARTITIONS if name in found), None)
    if wanted.partitions is not None and trades is not None and trades != wanted.partitions:
        raise TapewatchError(
            f"The topics have {trades} partitions, and TAPEWATCH_PARTITIONS is {wanted.partitions}: the "
            "number cannot be changed, because symbols would move away from their state.",
            f"Set TAPEWATCH_PARTITIONS to {trades}, or unset it. For another number, delete all of "
            "Tapewatch's topics, run `tapewatch setup`, and publish the files again.",
        )
    replication = wanted.replication
    if replication is not None:
        if differing := {name: one.replicas for name, one in found.items() if one.replicas != replication}:
            raise _other_replication(differing, replication)
        if missing and replication > brokers:
            raise TapewatchError(
                f"Kafka has {_counted(brokers, 'broker')}, and TAPEWATCH_REPLICATION is {replication}: each "
                "replica needs a broker of its own.",
                f"Start more brokers, or set TAPEWATCH_REPLICATION to {brokers} at most.",
            )
    in_sync = wanted.min_insync_replicas
    if in_sync is not None and (few := [name for name, one in found.items() if one.replicas < in_sync]):
        raise TapewatchError(
            f"The topic {few[0]} has {_counted(found[few[0]].replicas, 'replica')} of each partition, and "
            f"TAPEWATCH_MIN_INSYNC_REPLICAS is {in_sync}: Kafka would reject every message.",
            f"Set TAPEWATCH_MIN_INSYNC_REPLICAS to {found[few[0]].replicas} at most, or unset it.",
        )


def for_good(wanted: TopicLayout, partitions: int, missing: Sequence[str]) -> list[str]:
    """Say what cannot be changed once topics are created; nothing if none with several partitions is.

    Parameters
    ----------
    wanted
        What is asked for.
    partitions
        What topics that may have several get.
    missing
        The topics that are about to be created.
    """
    if TRADES_TOPIC not in missing:
        return []
    lines = [
        f"topics are about to be created with {_counted(partitions, 'partition')}, for as long as they "
        "exist: at most that many detectors, indexers and alerters share the work (TAPEWATCH_PARTITIONS)"
    ]
    if wanted.replication is not None:
        lines.append(
            f"each partition is about to get {_counted(wanted.replication, 'replica')}: later it takes "
            "kafka-reassign-partitions.sh, and an operator, to change that (TAPEWATCH_REPLICATION)"
        )
    return lines


def number_of_partitions(wanted: TopicLayout, counts: Mapping[str, int]) -> int:
    """Return how many partitions a missing topic gets: as many as those that it must agree with."""
    known = next((counts[name] for name in SAME_PARTITIONS if name in counts), wanted.partitions)
    return known or DEFAULT_PARTITIONS


def _check_settings(wanted: TopicLayout) -> None:
    in_sync = wanted.min_insync_replicas
    if in_sync is None:
        return
    if wanted.replication is None:
        raise TapewatchError(
            "TAPEWATCH_MIN_INSYNC_REPLICAS is set without TAPEWATCH_REPLICATION, so it is not known whether "
            "so many replicas are possible.",
            f"Set TAPEWATCH_REPLICATION, too: {in_sync + 1} lets one broker be away.",
        )
    if in_sync > wanted.replication:
        raise TapewatchError(
            f"TAPEWATCH_MIN_INSYNC_REPLICAS is {in_sync}, but TAPEWATCH_REPLICATION only "
            f"{wanted.replication}: Kafka would reject every message.",
            f"Set TAPEWATCH_REPLICATION to {in_sync + 1}, which lets one broker be away.",
        )


def _other_replication(differing: Mapping[str, int], replication: int) -> TapewatchError:
    listed = ", ".join(f"{name} has {replicas}" for name, replicas in list(differing.items())[:3])
    more = f" and {len(differing) - 3} more differ" if len(differing) > 3 else ""
    return TapewatchError(
        f"TAPEWATCH_REPLICATION is {replication}, but topics have other numbers of replicas "
        f"({listed}{more}).",
        "Reassign their partitions with kafka-reassign-partitions.sh, or the operator that runs Kafka; or "
        f"set TAPEWATCH_REPLICATION to {next(iter(differing.values()))}, or unset it.",
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
