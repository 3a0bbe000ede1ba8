"""A model's card: what people should know before they use it."""

from services.detector.models.manifest import Manifest


def card_text(manifest: Manifest) -> str:
    """Write a card as Markdown."""
    data = "\n".join(f"| {one.name} | `{one.digest[:16]}…` |" for one in manifest.data)
    labels = "\n".join(
        f"| {one.origin} | {one.anomalies:,} | {one.trades:,} | {one.weight:g} |" for one in manifest.labels
    )
    metrics = "\n".join(f"| {name} | {one.text(4)} |" for name, one in sorted(manifest.metrics.items()))
    days = "; ".join(f"{use}: {', '.join(days)}" for use, days in manifest.days.items())
    versions = ", ".join(f"{name} {version}" for name, version in manifest.versions.items())
    threads = f"{manifest.threads} thread{'s' if manifest.threads > 1 else ''}"
    return "\n\n".join(
        [
            f"# {manifest.name}@{manifest.digest[:12]}",
            "## Purpose",
            "Ranks single trades by how much they look like anomalies. For people who review trades, beside "
            "the calibrated detectors; not for decisions about people, nor alone.",
            "## Theory",
            f"{manifest.kind}, {manifest.rounds} rounds, on {len(manifest.features)} features of each trade "
            "(docs/features.md). Its probability is isotonic, and corrected for "
            f"{manifest.true_rate:g} anomalies per trade.",
            "## Data",
            f"Sessions: {days}. Trained on {manifest.rows:,} trades.",
            f"| file | SHA-256 |\n|---|---|\n{data}",
            f"| labels | anomalies | trades | weight of one |\n|---|--:|--:|--:|\n{labels}",
            "## Figures",
            "Of the test days, which it has not seen. An anomaly counts once; nothing is point-adjusted.",
            f"| figure | mean (95 % interval over days) |\n|---|--:|\n{metrics}",
            "## Limits",
            "\n".join(_limits(manifest)),
            "## Make it again",
            f"```sh\n{manifest.command}\n```",
            f"Seed {manifest.seed}, {threads}, {versions}. The same command gives the same digest: "
            f"`{manifest.digest}`.\n",
        ]
    )


def _limits(manifest: Manifest) -> list[str]:
    return [
        "- Injected labels show what the injector does, not what the market does. docs/models.md says what a "
        "model on them is worth on kinds and styles that it has not seen.",
        "- Verdicts exist only of what was flagged or drawn for review: what all detectors miss counts as "
        "ordinary.",
        "- Made for the features of this version: one that computes others refuses it. The calibrated "
        f"measures among them had the parameters of the profile `{manifest.profile}`.",
    ]
