"""The tables of the second injector's kinds."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from services.detector.offline.evaluation.confidence import interval_of_ratio
from services.detector.offline.evaluation.limits import Days
from services.detector.offline.evaluation.outcomes import FEW_ALERTS, LABELS, LOUD
from services.detector.offline.evaluation.scenarios.registry import SCENARIOS

NATURAL_LOUD_AT_MOST = 0.10
SHOWN_LABELS = 2


def scenarios_of(days: Days) -> dict[str, dict[str, Any]]:
    """Aggregate the events of all days by kind, in the order of the report.

    Returns
    -------
    dict
        For each kind that has events: `events`; the shares `flagged`, `named`, `in_few_alerts` (1 to 3) and
        `loud` (`medium` or above), each with its 95 % interval over days; means an event of `alerts`,
        `false_alarms` and `alarms_lost`; `score`, the median of the flagged; `labels` and `severities` of
        the best alerts; and what is asked: `asked_named` and `most_alerts`, None where nothing is.
    """
    files = sorted({str(day["file"]) for day in days})
    result = {}
    for kind, labels in LABELS.items():
        by_file = {
            file: [
                event
                for day in days
                if day["file"] == file
                for event in day["events"]
                if event["kind"] == kind
            ]
            for file in files
        }
        events = [event for of_file in by_file.values() for event in of_file]
        if not events:
            continue
        flagged = [event for event in events if event["alerts"]]
        scenario = SCENARIOS.get(kind)

        def share(
            is_so: Callable[[dict[str, Any]], bool], by_file: dict[str, Days] = by_file
        ) -> dict[str, Any]:
            counts = [len(of_file) for of_file in by_file.values()]
            found = [sum(map(is_so, of_file)) for of_file in by_file.values()]
            return {"share": sum(found) / sum(counts), "interval": interval_of_ratio(found, counts)}

        result[kind] = {
            "natural": not labels,
            "events": len(events),
            "flagged": share(lambda event: event["alerts"] > 0),
            "named": share(lambda event: event["named"]),
            "in_few_alerts": share(lambda event: 1 <= event["alerts"] <= FEW_ALERTS),
            "loud": share(lambda event: event["severity"] in LOUD),
            "alerts": _mean(events, "alerts"),
            "score": float(np.median([event["score"] for event in flagged])) if flagged else None,
            "false_alarms": _mean(events, "false_alarms"),
            "alarms_lost": _mean(events, "alarms_lost"),
            "labels": dict(Counter(event["label"] for event in flagged).most_common()),
            "severities": dict(Counter(event["severity"] for event in flagged).most_common()),
            "asked_named": scenario.asked_named if scenario else None,
            "most_alerts": scenario.most_alerts if scenario else None,
        }
    return result


def scenario_table(scenarios: dict[str, dict[str, Any]]) -> Table:
    """Return the table of kinds that are to be found."""
    table = Table(
        title="Events that are to be found; new / lost: alarms on other trades within ten minutes",
        title_justify="left",
    )
    table.add_column("kind", no_wrap=True)
    for heading in ("events", "flagged", "named", "95 %", "asked", "alerts", "1 to 3", "score", "new / lost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("mostly as")
    for kind, sums in scenarios.items():
        if sums["natural"]:
            continue
        asked = sums["asked_named"]
        mark = (
            "" if asked is None else "[green]✓[/green]" if sums["named"]["share"] >= asked else "[red]✗[/red]"
        )
        table.add_row(
            kind.replace("_", " "),
            str(sums["events"]),
            f"{sums['flagged']['share']:.0%}",
            f"{sums['named']['share']:.0%}",
            _interval(sums["named"]["interval"]),
            "" if asked is None else f"{asked:.0%} {mark}",
            f"{sums['alerts']:.1f}",
            f"{sums['in_few_alerts']['share']:.0%}",
            "-" if sums["score"] is None else f"{sums['score']:.2f}",
            f"{sums['false_alarms']:.1f} / {sums['alarms_lost']:.1f}",
            _most(sums["labels"]),
        )
    return table


def natural_table(scenarios: dict[str, dict[str, Any]]) -> Table:
    """Return the table of natural kinds, which have to stay quiet."""
    table = Table(
        title=f"Natural events: medium or above in {NATURAL_LOUD_AT_MOST:.0%} at most",
        title_justify="left",
    )
    table.add_column("kind", no_wrap=True)
    for heading in ("events", "flagged", "medium or above", "95 %", "alerts", "asked", "new / lost"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("mostly as")
    table.add_column("severity")
    for kind, sums in scenarios.items():
        if not sums["natural"]:
            continue
        most = sums["most_alerts"]
        quiet = sums["loud"]["share"] <= NATURAL_LOUD_AT_MOST and (most is None or sums["alerts"] <= most)
        table.add_row(
            kind.replace("_", " "),
            str(sums["events"]),
            f"{sums['flagged']['share']:.0%}",
            f"{sums['loud']['share']:.0%} " + ("[green]✓[/green]" if quiet else "[red]✗[/red]"),
            _interval(sums["loud"]["interval"]),
            f"{sums['alerts']:.1f}",
            "" if most is None else f"≤ {most}",
            f"{sums['false_alarms']:.1f} / {sums['alarms_lost']:.1f}",
            _most(sums["labels"]),
            _most(sums["severities"]),
        )
    return table


def _mean(events: Sequence[dict[str, Any]], name: str) -> float:
    return float(np.mean([event[name] for event in events]))


def _interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.0%} to {interval[1]:.0%}"


def _most(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in list(counts.items())[:SHOWN_LABELS])
