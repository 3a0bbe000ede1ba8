"""An alert's message: the worst anomaly's own sentence, and what has become of the alert."""

from services.alerter.deciding.state import AlertRecord
from services.contracts.alert import AlertState

_SECOND_NS = 1_000_000_000
_BY_VENUE = {"cancel": "cancelled", "error": "cancelled", "correct": "corrected"}


def message_of(record: AlertRecord, state: AlertState) -> str:
    """Return the sentences of a revision."""
    worst = record.details[0]
    sentences = [worst.message]
    if state is not AlertState.OPENED and record.count > 1:
        sentences.append(f"The worst of {record.count:,} anomalies {_span(record)}.")
    sentences += _corrections(record)
    if state is AlertState.CLOSED:
        sentences.append(f"Over: nothing more for {duration_text(record.quiet_ns)}.")
    elif state is AlertState.WITHDRAWN:
        sentences.append("Withdrawn: none of its trades is flagged any more.")
    return " ".join(sentences)


def duration_text(ns: int) -> str:
    """Write a duration for people: whole seconds up to two minutes, then minutes, then hours."""
    seconds = round(ns / _SECOND_NS)
    if ns < _SECOND_NS:
        return "less than a second" if ns else "no time"
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7_200:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3_600:.3g} h"


def _span(record: AlertRecord) -> str:
    ns = record.last_ns - record.first_ns
    return f"in {duration_text(ns)}" if ns > 0 else "at the same time"


def _corrections(record: AlertRecord) -> list[str]:
    """Say how many of its prints the venue has cancelled or corrected, and whether the worst is one."""
    sentences = []
    for what in ("cancelled", "corrected"):
        trades = {one.trade_id for one in record.corrected if _BY_VENUE[one.action] == what}
        if not trades:
            continue
        if record.count <= 1:
            sentences.append(f"The print was {what} by the venue.")
            continue
        it = ", the worst among them" if record.details[0].trade_id in trades else ""
        were = "print was" if len(trades) == 1 else "prints were"
        sentences.append(f"{len(trades):,} {were} {what} by the venue{it}.")
    return sentences
