"""The part of `docs/models.md` that is measured: tables, and the verdict."""

from collections.abc import Sequence
from pathlib import Path

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done
from services.detector.offline.training.experiments import (
    ADDED,
    CALIBRATED,
    FORWARD,
    GENERATED,
    IN_PLACE,
    KIND_OUT,
    MODEL,
    OTHER_INJECTOR,
    STYLE_OUT,
    Protocol,
)
from services.detector.offline.training.figures import FIGURES
from services.detector.offline.training.reliability import Reliability
from services.detector.offline.training.results import Results
from services.detector.offline.training.verdict import verdict_of

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

_TITLES = dict(
    zip(
        FIGURES,
        ("ROC-AUC", "average precision", "precision@50", "found at 0.05 %", "found at 0.1 %"),
        strict=True,
    )
)
_ABOUT = {
    FORWARD: "Other days, other places, the same injector and its kinds: what a model knows how to find.",
    KIND_OUT: "Of each kind, found by a model that never saw one; the mean over the six kinds.",
    STYLE_OUT: "Bursts of a style, found by a model that never saw that style.",
    OTHER_INJECTOR: "Events of the second injector, of kinds that no model was trained on: single prints and "
    "patterns. The calibrated score has detectors for them.",
    GENERATED: "A generated symbol with the generator's anomalies, a third injector; the last day's model.",
}


def measured_text(protocol: Protocol, days: Sequence[str], command: str) -> str:
    """Write the tables and the verdict as Markdown."""
    results = protocol.results
    methods = [title.format(kind) for kind in protocol.rounds for title in (MODEL, ADDED, IN_PLACE)]
    rounds = ", ".join(f"{kind} in {_range(found)}" for kind, found in protocol.rounds.items())
    tested = len(days) - 2
    parts = [
        f"Measured with `{command}` on {len(days)} sessions ({', '.join(days)}): {protocol.anomalies:,} "
        f"anomalies to be found, on the last {tested} of them. A model learnt from at most "
        f"{protocol.rows:,} rows ({rounds} rounds). Each cell is a mean over days, with "
        f"the 95 % interval of the bootstrap over days; of {tested} days it says little, and of one there is "
        "none.",
        _verdict_text(results, methods),
    ]
    for split in results.splits():
        about = _ABOUT.get(split, "The last day as another stock, which no model has learnt from.")
        parts.append(f"#### {split[0].upper()}{split[1:]}\n\n{about}\n\n{_table(results, split)}")
    about = "Average precision, forward in time and with the kind left out."
    for kind in protocol.rounds:
        parts.append(f"#### By kind: {kind}\n\n{about}\n\n{_kinds(results, kind)}")
    for kind, reliability in protocol.reliability.items():
        parts.append(f"#### Calibration: {kind}\n\n{_reliability_text(reliability)}")
    return "\n\n".join(parts)


def write_page(path: Path, text: str) -> None:
    """Put the measured part into a page, between its marks; a page without them is written as a whole.

    Raises
    ------
    TapewatchError
        The page cannot be read or written.
    """
    try:
        page = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise TapewatchError(f"{path} cannot be read: {error}.", "Name another file.") from error
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        before, after = "# Trained detectors: what they are worth\n\n", "\n"
    with replaced_when_done(path) as unfinished:
        unfinished.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _verdict_text(results: Results, methods: list[str]) -> str:
    verdict = verdict_of(results, methods)
    first = (
        f"**On: *{verdict.method}* beats the calibrated score at the same number of alerts.**"
        if verdict.is_on
        else "**Off: no way of using a model beats the calibrated score at the same number of alerts.**"
    )
    rule = (
        "To be on, one of the three ways of using a model (alone, added to the calibrated evidence, in "
        "place of the part for bursts) has to find more anomalies at both budgets, forward in time and "
        "wherever something was left out, with intervals above zero, and may lose on no other stock."
    )
    closest = "" if verdict.is_on else f" What comes closest is *{verdict.method}*."
    lines = ";\n".join(f"- {sentence}" for sentence in verdict.sentences)
    return (
        f"#### Verdict\n\n{first} {rule}{closest} The share of anomalies that it finds, less that of the "
        f"calibrated score:\n\n{lines}.\n\n"
        "These labels are injected, and a model on injected labels is no judge of the market: what would "
        "count is people's verdicts, or what venues cancelled, of which these days have none."
    )


def _table(results: Results, split: str) -> str:
    prevalence = results.metric(split, CALIBRATED, "prevalence")
    rows = [
        f"| {method} | " + " | ".join(results.metric(split, method, one).text() for one in FIGURES) + " |"
        for method in results.methods(split)
    ]
    return _markdown(["ranking", *_TITLES.values()], rows) + f"\n\nPrevalence: {prevalence.mean or 0:.5f}."


def _kinds(results: Results, model: str) -> str:
    alone, added = (title.format(model) for title in (MODEL, ADDED))
    columns = [
        (FORWARD, CALIBRATED),
        (FORWARD, alone),
        (FORWARD, added),
        (KIND_OUT, alone),
        (KIND_OUT, added),
    ]
    titles = [f"{method}{', left out' if split == KIND_OUT else ''}" for split, method in columns]
    rows = [
        f"| {kind.replace('_', ' ')} | "
        + " | ".join(
            results.metric(split, method, "average_precision", kind).text() for split, method in columns
        )
        + " |"
        for kind in results.kinds(FORWARD)
    ]
    return _markdown(["kind", *titles], rows)


def _reliability_text(reliability: Reliability) -> str:
    rows = [
        f"| {one.low:g} to {one.high:g} | {one.trades:,.0f} | {one.predicted:.5f} | {one.observed:.5f} |"
        for one in reliability.bins()
    ]
    table = _markdown(["probability", "trades", "mean probability", "share of anomalies"], rows)
    return (
        "Isotonic, fitted on the day before the tested one and corrected for the rate of the test; an "
        f"anomaly's trades count as one. Brier score {reliability.brier:.6f}; a forecast of the mean rate "
        f"alone has {reliability.brier_of_rate:.6f}.\n\n{table}"
    )


def _markdown(titles: Sequence[str], rows: Sequence[str]) -> str:
    marks = "|".join(["---", *["--:"] * (len(titles) - 1)])
    return "\n".join([f"| {' | '.join(titles)} |", f"|{marks}|", *rows])


def _range(values: Sequence[int]) -> str:
    return f"{min(values)} to {max(values)}" if min(values) < max(values) else str(min(values))
