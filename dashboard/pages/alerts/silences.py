"""The silences on the page of alerts: those in force, those that ended lately, and buttons to add and end."""

import datetime as dt

import streamlit as st

from dashboard.pages.alerts.silence_form import (
    KAFKA_TIMEOUT_S,
    ask_for_silence,
    note_written,
    show_refused,
    written,
)
from dashboard.pages.alerts.silence_words import silence_html, to_ended_table
from dashboard.server.silences import ENDED_FOR, FoundSilences, find_silences
from dashboard.ui.who import needed
from dashboard.ui.zone import zone
from services.alerter.silencing.words import expire_command
from services.alerter.silencing.writing import end_silence
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.common.kafka.connection import kafka_connection
from services.contracts.alert import Silence
from services.review.history import Person


def show_silences(client: Elasticsearch, person: Person | None) -> None:
    """Show the silences, and let one be added or ended."""
    now = dt.datetime.now(dt.UTC)
    found = find_silences(client, now, written())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("#### Silences", width="content")
        if st.button("Add a silence", icon=":material/notifications_paused:"):
            ask_for_silence(client, person)
    if not found.in_force:
        st.caption("No silence is in force: every alert that is due is sent.")
    for silence in found.in_force:
        show_in_force(silence, found.held_back.get(silence.silence_id, 0), now, person)
    show_ended(found)


def show_in_force(silence: Silence, held_back: int, now: dt.datetime, person: Person | None) -> None:
    """Show a silence that holds back alerts, with a button to end it."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.html(silence_html(silence, held_back, now))
            ends = st.button("End", key=f"silence-end-{silence.silence_id}", icon=":material/alarm_off:")
        if ends:
            end(silence, person)


def end(silence: Silence, person: Person | None) -> None:
    """End a silence and show the page again; where that is not possible, say why."""
    try:
        author = needed(person).name
    except TapewatchError as error:
        st.warning(f"{error.cause} {error.hint}")
        return
    try:
        with st.spinner("Telling Kafka …"):
            note_written(end_silence(kafka_connection(Settings()), silence, author, KAFKA_TIMEOUT_S))
    except TapewatchError as error:
        show_refused(error, expire_command(silence, author))
        return
    st.toast("The silence has ended: alerts are sent again.", icon=":material/notifications_active:")
    st.rerun()


def show_ended(found: FoundSilences) -> None:
    """Show the silences that ended lately."""
    if not found.ended:
        return
    with st.expander(f"Ended in the last {ENDED_FOR.days} days ({len(found.ended)})"):
        st.dataframe(
            to_ended_table(found.ended, found.held_back),
            hide_index=True,
            width="stretch",
            column_config={
                "Held back": st.column_config.NumberColumn(format="localized", width=80),
                f"From ({zone().city})": st.column_config.TextColumn(width=130),
                f"Until ({zone().city})": st.column_config.TextColumn(width=130),
            },
        )
