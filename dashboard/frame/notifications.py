"""Notifications of the browser: one for each new urgent anomaly, for whoever has switched them on."""

import datetime as dt
from enum import StrEnum
from typing import Any

import streamlit as st

from dashboard.server.new_anomalies import find_new_anomalies
from dashboard.settings import DashboardSettings
from dashboard.ui.error_boundary import error_boundary
from services.common.elastic.client import Elasticsearch
from services.contracts.anomaly import Severity

_KEY = "notify"
_SINCE = "notify-since"
_COMPONENT = "notify-browser"

# Texts of a notification are no markup. What this page has told is not told again.
_TELL = """
const told = new Set();
export default function ({ data, setStateValue }) {
  if (!("Notification" in window)) { setStateValue("permission", "missing"); return; }
  const tell = () => {
    for (const { id, title, body } of data.items) {
      if (!told.has(id)) { told.add(id); new Notification(title, { body, tag: id }); }
    }
  };
  if (Notification.permission === "granted") { tell(); return; }
  if (Notification.permission === "denied") { setStateValue("permission", "denied"); return; }
  Notification.requestPermission().then((answer) => {
    if (answer === "granted") tell(); else setStateValue("permission", answer);
  });
}
"""


class Level(StrEnum):
    """Of which new anomalies a notification is shown."""

    OFF = "off"
    CRITICAL = "critical"
    HIGH = "critical and high"


_SEVERITIES = {Level.CRITICAL: [Severity.CRITICAL], Level.HIGH: [Severity.CRITICAL, Severity.HIGH]}


def choose_notifications() -> None:
    """Let notifications be switched on, until the page is closed or loaded again; at first they are off."""

    def begin() -> None:
        st.session_state[_SINCE] = dt.datetime.now(dt.UTC)

    st.session_state.setdefault(_KEY, Level.OFF)
    st.segmented_control(
        "Notifications of new anomalies", list(Level), required=True, key=_KEY, on_change=begin
    )
    permission = (st.session_state.get(_COMPONENT) or {}).get("permission")
    if permission and st.session_state[_KEY] is not Level.OFF:
        st.caption("The browser does not show them: allow notifications in the settings of this page.")


def show_notifications(client: Elasticsearch) -> None:
    """Have the browser show what is new, looked for as often as pages are refreshed; nothing if off."""
    if st.session_state.get(_KEY, Level.OFF) is not Level.OFF:
        st.fragment(_tell, run_every=DashboardSettings().refresh_s)(client)


def _tell(client: Elasticsearch) -> None:
    items: list[dict[str, Any]] = []
    with error_boundary():
        severities = _SEVERITIES[st.session_state[_KEY]]
        items = [
            {
                "id": one["trade_id"],
                "title": f"{one['severity'].capitalize()}: {one['symbol']}",
                "body": one["message"],
            }
            for one in find_new_anomalies(client, st.session_state[_SINCE], severities)
        ]
    component = st.components.v2.component("tapewatch_notifications", js=_TELL)
    component(data={"items": items}, key=_COMPONENT, height=1, on_permission_change=lambda: None)
