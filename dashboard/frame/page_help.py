"""What each page is for and what its words mean, and where the docs say more."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from dashboard.ui.home import SYMBOL


@dataclass(frozen=True)
class PageHelp:
    """The help of one page."""

    purpose: str
    words: Mapping[str, str]
    """Words that a newcomer does not know, and their meanings."""
    docs: tuple[str, ...]
    """Where the docs explain the page: paths in the project's folder, with the heading."""


SEVERITY = "how urgent an anomaly is, from critical to low; info marks what is natural, such as auctions"
SCORE = "0 to 1; 0.5 just reaches the detector's threshold, higher is more unusual"
LABEL = "the kind of anomaly: what the detector that found it looks for"

HELP: Mapping[str, PageHelp] = {
    "": PageHelp(
        "All symbols at a glance: where and when anomalies were found, the worst, the newest, open alerts.",
        {
            "Heat map": "a lane for each of the worst symbols: colour is the worst severity, height the "
            "number; click a cell to open it",
            "Incident": "anomalies of at least three symbols within one second",
            "Session": "a trading day of the exchange, from midnight to midnight there",
            "Severity": SEVERITY,
            "Label": LABEL,
        },
        ("docs/dashboard.md#overview", "docs/detection.md"),
    ),
    SYMBOL: PageHelp(
        "Prices, volumes and the anomalies found in them, refreshed every few seconds.",
        {
            "Session": "a trading day of the exchange, from midnight to midnight there",
            "Severity": SEVERITY,
            "Score": SCORE,
            "Label": LABEL,
            "Side": "who took the initiative in a trade: the buyer, the seller, or nobody known",
            "Expected": "what the detector compared each trade with, and from where on it flags",
        },
        ("docs/dashboard.md#one-symbol", "docs/detection.md"),
    ),
    "alerts": PageHelp(
        "Alerts to be worked on: anomalies that rules put together, each with its case.",
        {
            "Alert": "anomalies of one event, sent as one message that is revised while the event goes on",
            "Case": "what people did about an alert: acknowledged, assigned, commented, closed",
            "Rule": "which anomalies make an alert, and to whom it is sent",
            "Silence": "alerts that fit it are not sent until it ends; they are still listed here",
        },
        ("docs/dashboard.md#alerts", "docs/alerts.md"),
    ),
    "search": PageHelp(
        "All anomalies of all days, by symbol, time, label, severity, verdict or words; with exports.",
        {
            "Severity": SEVERITY,
            "Score": SCORE,
            "Verdict": "what a person found the anomaly to be: confirmed, or a false alarm",
            "Venue's correction": "whether the venue took the trade back or changed it afterwards",
        },
        ("docs/dashboard.md#search",),
    ),
    "anomaly": PageHelp(
        "Why one trade was flagged, the trades around it, and what people say of it.",
        {
            "Seen, expected, threshold": "the value that the detector measured, the usual one, and the "
            "largest that is not flagged, in the unit below the label",
            "Isolation": "how easily a trade is told apart from the others by a forest of random cuts",
            "Profile hash": "short name of all the detectors' settings: the same settings, the same hash",
            "Contribution": "how much a feature of the trade added to the score",
        },
        ("docs/dashboard.md#one-anomaly", "docs/detection.md"),
    ),
    "tuning": PageHelp(
        "How many anomalies other thresholds would give on a symbol's day; nothing is changed here.",
        {
            "Threshold": "the largest value that is not flagged; higher gives fewer anomalies",
            "Alert level": "the score from which a calibrated detector flags, learnt from ordinary trades",
            "Profile": "a file with the settings of all detectors",
            "Samples": "trades above and below thresholds, to be judged without what the detectors say",
        },
        ("docs/dashboard.md#tuning", "docs/trust.md"),
    ),
    "health": PageHelp(
        "Whether each part works, how fast, and how far behind it is.",
        {
            "Behind": "messages that wait to be read (lag)",
            "Event lag": "from a trade's time to when it was worked on",
            "Dead letters": "messages that could not be read, kept for a look",
            "Checkpoint": "what a service has to remember to start again where it stopped",
        },
        ("docs/dashboard.md#pipeline-health", "docs/monitoring.md"),
    ),
}
"""By path of the page."""


def show_help(path: str) -> None:
    """Show the button that explains a page."""
    known = HELP[path]
    with st.popover("", icon=":material/help:", type="tertiary", help="About this page", key="frame-help"):
        st.markdown(known.purpose)
        st.markdown("\n".join(f"- **{word}**: {meaning}" for word, meaning in known.words.items()))
        st.markdown("More in " + " and ".join(f"`{one}`" for one in known.docs))
