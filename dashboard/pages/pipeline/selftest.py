"""The part of the pipeline page about the selftest: when each label's planted anomaly fired last."""

import datetime as dt

import pandas as pd
import streamlit as st

from services.common.observability.selftest import SelftestHealth


def show_selftest(health: SelftestHealth) -> None:
    """Show what is wrong, and a row for each label."""
    now_s = dt.datetime.now(dt.UTC).timestamp()
    for problem in problems(health, now_s):
        st.error(problem, icon=":material/science_off:")
    st.dataframe(to_table(health, now_s), hide_index=True, width="stretch", key="selftest")
    st.caption(
        "Every few minutes each detector plants an anomaly of each label into copies of some symbols' "
        "sessions. Labels that take minutes to show are planted by the command tapewatch selftest alone. "
        "state: the detector's state is what its messages give. profile: the profile that is meant to run."
    )


def problems(health: SelftestHealth, now_s: float) -> list[str]:
    """Return a sentence for each thing that is wrong."""
    found = []
    if health.failing:
        found.append(f"The selftest fails: {', '.join(health.failing)}. The detector's log says why.")
    if health.is_late(now_s):
        found.append("The selftest has stopped: no round has ended for half an hour.")
    if health.stalled_partitions:
        found.append(
            f"Nobody works off {health.stalled_partitions} of the partitions of trades. "
            "Check the detector's instances and its log."
        )
    return found


def to_table(health: SelftestHealth, now_s: float) -> pd.DataFrame:
    """Lay the labels out under the headings that a person sees, failing ones first."""
    return pd.DataFrame(
        [
            {
                "State": "failing" if test.is_failing else "working" if test.fired_s else "nothing wrong",
                "Selftest": test.sentence(now_s),
            }
            for test in sorted(health.tests, key=lambda test: not test.is_failing)
        ],
        columns=["State", "Selftest"],
    )
