"""The controls of one threshold: its value, and whether its detector runs; both stand in the address."""

import streamlit as st

from dashboard.pages.tuning.state import KEYS
from dashboard.ui.url_state import note_control, read, write
from services.detector.offline.tuning.profile_choice import Profile
from services.detector.offline.tuning.thresholds import Present, Threshold

OFF = "off"


def key_of(threshold: Threshold, profile: Profile, symbol: str) -> str:
    """Return where a threshold's control keeps its value."""
    # With another profile or symbol, another setting is the present one.
    return f"{KEYS}{threshold.detector}-{profile.hash}-{symbol}"


def switch(threshold: Threshold, now: Present, profile: Profile, symbol: str) -> bool:
    """Show a detector's name, and let it be switched; returns whether it shall run."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{threshold.title}**", width="content")
        key = key_of(threshold, profile, symbol) + "-runs"
        if key not in st.session_state:
            st.session_state[key] = read(
                threshold.detector,
                lambda text: text != OFF and parsed(threshold, text, float, now.value) is not None,
                now.runs,
            )
        return st.toggle(
            "In the configuration",
            key=key,
            width="content",
            help="Whether the detector runs with the configuration at the end of this page",
            on_change=note_control,
        )


def number_input(threshold: Threshold, now: Present, profile: Profile, symbol: str) -> float:
    """Let a threshold be tried."""
    kind = int if threshold.is_whole else float
    key = key_of(threshold, profile, symbol)
    if key not in st.session_state:
        st.session_state[key] = read(
            threshold.detector, lambda text: parsed(threshold, text, kind, kind(now.value)), kind(now.value)
        )
    step = 0.05 if threshold.parameter == "alert_rarity" else float(f"{now.value / 20:.1g}") or 1.0
    return st.number_input(
        f"Threshold: {threshold.unit}",
        min_value=kind(min(threshold.least, now.value)),
        max_value=kind(max(threshold.most, now.value)),
        step=kind(max(step, 1) if threshold.is_whole else step),
        format="%d" if threshold.is_whole else "%.6g",
        key=key,
        on_change=note_control,
    )


def parsed(threshold: Threshold, text: str, kind: type[float], present: float) -> float:
    """Read what the address says of a threshold; raises ValueError for an invalid value."""
    if text == OFF:
        return present
    value = kind(text)
    if not threshold.least <= value <= threshold.most:
        raise ValueError(f"{value} is out of range")
    return value


def setting(threshold: Threshold, chosen: float, now: Present, runs: bool) -> dict[str, float] | None:
    """Put a choice into the address, and return what it means in a profile."""
    is_as_before = runs == now.runs and (not runs or chosen == now.value)
    write(**{threshold.detector: None if is_as_before else f"{chosen:.12g}" if runs else OFF})
    return {threshold.parameter: chosen} if runs else None
