"""The part of the pipeline page about trained models: what each flags beside its challenger, and drift."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from services.common.observability.samples import Samples

DRIFTED = 0.25
"""Population stability index from which on a feature is called drifted."""
MOST_DRIFTED = 5


@dataclass(frozen=True)
class ModelHealth:
    """A model and its challenger, or one of them alone, over all detectors since their start.

    Parameters
    ----------
    model, challenger
        Names with the beginning of the digest; empty where there is none.
    judged
        Trades.
    both, model_only, challenger_only
        How many of them each flags.
    drift
        The features that have moved most from those of the training days, with their index, and the highest
        index over detectors; falling, `MOST_DRIFTED` at most.
    """

    model: str
    challenger: str
    judged: int
    both: int
    model_only: int
    challenger_only: int
    drift: tuple[tuple[str, float], ...]

    @property
    def agreement(self) -> float | None:
        """Share that both flag of the trades that either flags; None of none, or where one is alone."""
        flagged = self.both + self.model_only + self.challenger_only
        return self.both / flagged if flagged and self.model and self.challenger else None


def models_health(detectors: Sequence[Samples]) -> list[ModelHealth]:
    """Return the models of all detectors, sorted by name; empty where no profile names one."""

    def values(metric: str) -> list[tuple[dict[str, str], float]]:
        return [one for samples in detectors for one in samples.get(f"tapewatch_{metric}", ())]

    def total(metric: str, **wanted: str) -> int:
        return int(sum(value for labels, value in values(metric) if wanted.items() <= labels.items()))

    pairs = {(labels["model"], labels["challenger"]) for labels, _ in values("model_judged_trades_total")}
    found = []
    for model, challenger in sorted(pairs):
        names = {"model": model, "challenger": challenger}
        both, alone, other = (
            total("model_flagged_trades_total", **names, by=by) for by in ("both", "model", "challenger")
        )
        drift: dict[str, float] = {}
        for labels, value in values("feature_drift"):
            if labels["model"] == (model or challenger):
                drift[labels["feature"]] = max(value, drift.get(labels["feature"], 0.0))
        most = sorted(drift.items(), key=lambda one: (-one[1], one[0]))[:MOST_DRIFTED]
        judged = total("model_judged_trades_total", **names)
        found.append(ModelHealth(model, challenger, judged, both, alone, other, tuple(most)))
    return found


def show_models(models: Sequence[ModelHealth]) -> None:
    """Show a row for each model."""
    st.dataframe(
        to_table(models),
        hide_index=True,
        width="stretch",
        key="models",
        column_config={
            name: st.column_config.TextColumn(alignment="right")
            for name in ("Judged", "Both flag", "Model only", "Challenger only", "Agreement")
        },
    )
    st.caption(
        "Trades since the start of the detectors. A challenger judges in the shadow: it is counted here, and "
        "nothing of it is published. Drift: the features that are furthest from the training days, by the "
        f"population stability index; {DRIFTED} and more is much."
    )


def to_table(models: Sequence[ModelHealth]) -> pd.DataFrame:
    """Lay models out under the headings that a person sees, one a row."""
    return pd.DataFrame(
        [
            {
                "Model": one.model or "none",
                "Challenger": one.challenger or "none",
                "Judged": f"{one.judged:,}",
                "Both flag": f"{one.both:,}" if one.model and one.challenger else "",
                "Model only": f"{one.model_only:,}" if one.model else "",
                "Challenger only": f"{one.challenger_only:,}" if one.challenger else "",
                "Agreement": "" if one.agreement is None else f"{one.agreement:.0%}",
                "Drift": ", ".join(f"{feature} {index:.2f}" for feature, index in one.drift),
            }
            for one in models
        ]
    )
