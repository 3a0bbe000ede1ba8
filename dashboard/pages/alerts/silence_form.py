"""The form that adds a silence, and what this visitor has added or ended just now."""

import streamlit as st

from dashboard.server.alerts import find_symbols
from dashboard.server.silences import find_names
from dashboard.settings import DashboardSettings
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.who import ask_who, needed
from services.alerter.silencing.words import add_command, duration_text, names_of
from services.alerter.silencing.writing import add_silence, check_silence
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.common.kafka.connection import kafka_connection
from services.contracts.alert import Matcher, Silence
from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS
from services.review.history import MAX_COMMENT, Person

KAFKA_TIMEOUT_S = 5.0
"""How long a page waits for Kafka, which it may not reach at all."""

_HOUR_S = 3600
_LASTS_S = tuple(round(hours * _HOUR_S) for hours in (0.5, 1, 2, 4, 8, 24, 72, 168, 720))
_USUAL_S = 2 * _HOUR_S
_WRITTEN = "silences-written"
_IN_COMPOSE = "docker compose run --rm --entrypoint tapewatch setup"


def written() -> list[Silence]:
    """Return what this visitor has added or ended: it may not be indexed yet."""
    return list(st.session_state.get(_WRITTEN, {}).values())


def note_written(silence: Silence) -> None:
    """Note a silence that was just written."""
    st.session_state[_WRITTEN] = {**st.session_state.get(_WRITTEN, {}), silence.silence_id: silence}


@st.dialog("Silence alerts")
def ask_for_silence(client: Elasticsearch, person: Person | None, matcher: Matcher | None = None) -> None:
    """Ask for a silence, and add it.

    Parameters
    ----------
    client
        Client of the cluster.
    person
        Who is at the screen; asked for here if that is not known.
    matcher
        What the form is filled in with.
    """
    with error_boundary():
        st.caption(
            "Alerts that fit everything that is filled in are recorded, but not sent, also not later. "
            "The silence ends by itself."
        )
        if person is None:
            person = ask_who("silence-who")
        with st.form("silence", border=False):
            wanted = _ask_for_matcher(client, matcher or Matcher())
            for_s = st.selectbox(
                "For", _LASTS_S, index=_LASTS_S.index(_USUAL_S), format_func=duration_text, width=120
            )
            reason = st.text_input("Why", max_chars=MAX_COMMENT, placeholder="Shown to others")
            is_submitted = st.form_submit_button("Silence", type="primary")
        if is_submitted:
            _add(wanted, for_s, reason, person)


def _ask_for_matcher(client: Elasticsearch, filled: Matcher) -> Matcher:
    try:
        known, known_symbols = find_names(client), find_symbols(client)
    except TapewatchError:
        # They only help: a silence goes to Kafka, and any name can be typed.
        known, known_symbols = {"rules": [], "channels": []}, []
    symbols = _ask_for_names("Symbols", filled.symbols, known_symbols, "All; BTC-* is a pattern")
    labels = _ask_for_names("Labels", filled.labels, list(LABELS), "All")
    rules = _ask_for_names("Rules", filled.rules, known["rules"], "All")
    channels = _ask_for_names("Channels", filled.channels, known["channels"], "All")
    below = st.selectbox(
        "Only alerts less urgent than", [*reversed(Severity)][:-2], index=None, placeholder="Any severity"
    )
    return Matcher(symbols, labels, rules, channels, below)


def _ask_for_names(title: str, filled: list[str], known: list[str], nothing: str) -> list[str]:
    options = list(dict.fromkeys([*filled, *known]))
    chosen = st.multiselect(
        title, options, default=filled, placeholder=nothing, accept_new_options=True, select_all=False
    )
    return names_of(chosen)


def _add(matcher: Matcher, for_s: float, reason: str, person: Person | None) -> None:
    """Add a silence and show the page again; where that is not possible, say why and keep the form."""
    try:
        author = needed(person).name
        check_silence(matcher, reason, author)
    except TapewatchError as error:
        st.warning(f"{error.cause} {error.hint}")
        return
    try:
        with st.spinner("Telling Kafka …"):
            kafka = kafka_connection(Settings())
            silence = add_silence(kafka, matcher, for_s, reason, author, KAFKA_TIMEOUT_S)
    except TapewatchError as error:
        show_refused(error, add_command(matcher, for_s, reason.strip(), author))
        return
    note_written(silence)
    st.toast(f"Silenced for {duration_text(for_s)}.", icon=":material/notifications_paused:")
    st.rerun()


def show_refused(error: TapewatchError, command: str) -> None:
    """Say that Kafka did not take a silence, and with which command it can be written elsewhere."""
    st.error("Kafka did not take it.", icon=":material/cloud_off:")
    st.text(error.cause)
    if DashboardSettings().in_compose:
        command = command.replace("tapewatch", _IN_COMPOSE, 1)
    else:
        st.text(error.hint)
    st.text("The same as a command, for where Kafka can be reached:")
    st.code(command, language="shell", wrap_lines=True)
