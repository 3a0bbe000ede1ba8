"""The pipeline page: state of the services and of Elasticsearch, refreshed every few seconds."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd
import streamlit as st

from dashboard.pages.pipeline.channels import channels_health, show_channels
from dashboard.pages.pipeline.dead_letters import show_dead_letters
from dashboard.pages.pipeline.feeds import show_feed_events, show_feeds
from dashboard.pages.pipeline.models import models_health, show_models
from dashboard.pages.pipeline.probe import (
    ElasticsearchState,
    Latency,
    ServiceState,
    Status,
    every_instance,
    probe_all,
    probe_elasticsearch,
    targets,
)
from dashboard.pages.pipeline.selftest import show_selftest
from dashboard.settings import DashboardSettings
from dashboard.ui.error_boundary import error_boundary, show_error
from dashboard.ui.markdown import as_markdown, show_text
from dashboard.ui.palette import CHIP_COLORS
from dashboard.ui.times import format_time
from dashboard.ui.zone import zone
from services.common.elastic.client import Elasticsearch
from services.common.observability.rates import RATE_WINDOW_S
from services.common.observability.selftest import selftest_health
from services.contracts.anomaly import Severity
from services.contracts.components import FEED, Component
from services.contracts.sinks import COMPONENTS

BadgeColor = Literal["red", "orange", "green", "gray"]

STATE_COLORS = {
    Status.WORKING: "#0b7f70",
    Status.NOT_READY: CHIP_COLORS[Severity.HIGH],
    Status.STUCK: CHIP_COLORS[Severity.CRITICAL],
    Status.NO_ANSWER: CHIP_COLORS[Severity.CRITICAL],
    Status.NOT_RUNNING: CHIP_COLORS[Severity.INFO],
    Status.UNKNOWN: CHIP_COLORS[Severity.INFO],
}
CLUSTER_COLORS: dict[str, BadgeColor] = {"green": "green", "yellow": "orange", "red": "red"}
NUMBERS = (
    "Per second",
    "Total",
    "Behind",
    "Event lag",
    "Commit (ms)",
    "Bulk (ms)",
    "Retries",
    "Dead letters",
    "Checkpoint",
    "To replay",
    "Uptime",
    "Memory",
)
"""Columns of the table of services that are set to the right."""

_BEFORE = "health-before"


@st.cache_resource
def known_names() -> dict[str, str]:
    """Return which service was found at an address last: one that has stopped cannot say what it is."""
    return {}


def show(client: Elasticsearch) -> None:
    """Show the page, and refresh it every few seconds if that is switched on."""
    settings = DashboardSettings()
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.subheader("Services", anchor=False, width="content")
        is_live = st.toggle(
            f"Refresh every {settings.refresh_s:g} s", value=True, key="health-live", width="content"
        )
    st.fragment(show_states, run_every=settings.refresh_s if is_live else None)(client, settings.services)


def show_states(client: Elasticsearch, addresses: Sequence[str]) -> None:
    """Show the current states; each part by itself, so that one that fails hides no other."""
    with error_boundary():
        names = known_names()
        where = [
            replace(one, name=one.name or names.get(one.address, ""))
            for one in targets(every_instance(addresses))
        ]
        services = probe_all(where)
        names.update({one.address: one.name for one in services if one.version is not None})
        show_services(services, addresses)
        show_dead_letters()
        if feeds := [feed for service in services for feed in service.feeds]:
            st.subheader("Feeds", anchor=False)
            show_feeds(feeds)
        if health := selftest_health([service.samples for service in services]):
            st.subheader("Selftest", anchor=False)
            show_selftest(health)
        if models := models_health([service.samples for service in services]):
            st.subheader("Trained models", anchor=False)
            show_models(models)
        if channels := channels_health([service.samples for service in services]):
            st.subheader("Alert channels", anchor=False)
            show_channels(channels)
    st.subheader("Elasticsearch", anchor=False)
    with error_boundary():  # one for both, which the same outage would fail
        show_elasticsearch(probe_elasticsearch(client))
        show_feed_events(client)


def show_services(services: Sequence[ServiceState], addresses: Sequence[str]) -> None:
    """Show what is wrong with services, and the numbers of each; the next call shows means since this one."""
    st.caption(
        f"As of {format_time(dt.datetime.now(dt.UTC), '%H:%M:%S')}. "
        f"Rates are over the last {RATE_WINDOW_S} s."
    )
    show_problems(services, addresses)
    with st.container(horizontal=True):
        for service in services:
            show_card(service)
    before: dict[str, ServiceState] = st.session_state.get(_BEFORE, {})
    st.dataframe(
        to_table(services, before, dt.datetime.now(dt.UTC)),
        hide_index=True,
        width="stretch",
        key="services",
        column_config={
            "State": st.column_config.MultiselectColumn(
                options=[str(state) for state in STATE_COLORS], color=list(STATE_COLORS.values()), width=110
            ),
            **{name: st.column_config.TextColumn(alignment="right") for name in NUMBERS},
        },
    )
    st.caption(
        "Per second and total: trades published, trades scored, anomalies put into alerts, documents "
        "indexed. Behind: messages not processed yet. "
        "Event lag: age of the newest event processed; days, when a past day is replayed. "
        "Commit and bulk: mean time since the last refresh, or since the start if nothing happened "
        "since. Checkpoint: size of the largest session in the last save. "
        "To replay: messages that a restart reads again."
    )
    st.session_state[_BEFORE] = {service.address: service for service in services}


def show_problems(services: Sequence[ServiceState], addresses: Sequence[str]) -> None:
    """Say which services are not working, why, and what to do."""
    for service in services:
        if service.state == Status.WORKING:
            continue
        name = service.name or "service"
        component = COMPONENTS.get(service.name)
        text = f"The {name} at {service.address} is {service.state}."
        match service.state:
            case Status.NOT_RUNNING:
                show_box = st.warning if component is None or component.runs_always else st.info
            case Status.NOT_READY:
                show_box = st.warning
            case Status.NO_ANSWER:
                show_box, text = st.error, f"The {name} at {service.address} does not answer."
            case Status.UNKNOWN:
                show_box, text = st.error, f"The {name} is not running at {service.address}."
            case _:
                show_box = st.error
        advice = start_hint(component) if component and service.state == Status.NOT_RUNNING else ""
        if service.state in (Status.NOT_RUNNING, Status.UNKNOWN) and not addresses:
            advice += " If it runs elsewhere, put its address into TAPEWATCH_SERVICES."
        show_box(f"{as_markdown(f'{text} {service.why}')} {advice}".strip(), icon=":material/monitor_heart:")


def start_hint(component: Component) -> str:
    """Say how to start a component: as a command, or under docker compose."""
    if not DashboardSettings().in_compose:
        return component.start_hint
    if component == FEED:
        return "To watch a market live: `FEED=coinbase:BTC-USD,ETH-USD docker compose --profile live up`."
    if component.runs_always:
        return f"Start it: `docker compose up --detach {component.service}`."
    return (
        "It ends when its files are published. "
        f"To publish more: `DATA_DIR=/path/to/days docker compose up {component.service}`."
    )


def show_card(service: ServiceState) -> None:
    """Show the most important numbers of a service."""
    with st.container(border=True, width="stretch", height="stretch"):
        st.text(f"{service.name or 'unknown'} · {service.address}")
        st.badge(str(service.state), color=_badge_color(service.state))
        if service.per_second is not None:
            unit = COMPONENTS[service.name].unit
            st.metric(f"{unit} per second", f"{service.per_second:,.1f}")
        if service.lag_messages is not None:
            st.caption(f"{_many(int(service.lag_messages), 'message')} behind")


def show_elasticsearch(state: ElasticsearchState) -> None:
    """Show the state of the cluster and its newest documents."""
    now = dt.datetime.now(dt.UTC)
    if state.problem is not None:
        show_error("Elasticsearch does not answer.", state.problem)
    elif state.cluster is None:
        show_text("The dashboard's user lacks the privilege `monitor`, so the cluster's state is unknown.")
    else:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(state.cluster.status, color=CLUSTER_COLORS.get(state.cluster.status, "gray"))
            shards = state.cluster.unassigned_shards
            st.text(
                f"{_many(state.cluster.nodes, 'node')}, {_many(shards, 'shard')} unassigned", width="content"
            )
    trades, anomalies = state.indexed.trades, state.indexed.anomalies
    table = pd.DataFrame(
        [
            ("Trades", _number(trades.count), *_moments(trades.newest, now)),
            ("Anomalies", _number(anomalies.count), *_moments(anomalies.newest, now)),
            ("Anomalies, by time of detection", "", *_moments(state.indexed.newest_detection, now)),
        ],
        columns=["Indexed", "Documents", f"Newest ({zone().city})", "Ago"],
    )
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        key="indexed",
        column_config={name: st.column_config.TextColumn(alignment="right") for name in ("Documents", "Ago")},
    )


def to_table(
    services: Sequence[ServiceState], before: dict[str, ServiceState], now: dt.datetime
) -> pd.DataFrame:
    """Lay services out under the headings that a person sees, one a row.

    Parameters
    ----------
    services
        As they are now.
    before
        As they were at the last refresh, by address.
    now
        UTC.
    """
    return pd.DataFrame(
        [
            {
                "Service": one.name or "unknown",
                "State": [str(one.state)],
                "Address": one.address,
                "Per second": _number(one.per_second, 1),
                "Total": _number(one.done),
                "Behind": _number(one.lag_messages),
                "Event lag": span(one.event_lag_s),
                "Commit (ms)": _mean_ms(one.commit, _earlier(before, one, "commit")),
                "Bulk (ms)": _mean_ms(one.bulk, _earlier(before, one, "bulk")),
                "Retries": _number(one.retries),
                "Dead letters": _number(one.dead_letters),
                "Checkpoint": _size(one.checkpoint_bytes or None),
                "To replay": _number(one.checkpoint_age_messages),
                "Uptime": span((now - one.started).total_seconds() if one.started else None),
                "Memory": _size(one.memory_bytes),
                "Version": one.version or "",
            }
            for one in services
        ]
    )


def span(seconds: float | None) -> str:
    """Write a time span in the largest unit that fits, such as `3.2 s` or `718 d`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 0:
        return f"-{span(-seconds)}"
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds // length_s:,.0f} {unit}"
    return f"{seconds:.1f} s"


def _earlier(before: dict[str, ServiceState], one: ServiceState, name: str) -> Latency | None:
    known = before.get(one.address)
    # After a restart, counts start again at 0.
    return getattr(known, name) if known is not None and known.started == one.started else None


def _mean_ms(latency: Latency | None, earlier: Latency | None) -> str:
    if latency is None:
        return ""
    recent_ms = latency.mean_ms(earlier)
    mean_ms = latency.mean_ms() if recent_ms is None else recent_ms
    return "" if mean_ms is None else f"{mean_ms:,.1f}"


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _size(value_bytes: float | None) -> str:
    if value_bytes is None:
        return ""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value_bytes >= size:
            return f"{value_bytes / size:,.1f} {unit}"
    return f"{value_bytes:.0f} B"


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _moments(time: dt.datetime | None, now: dt.datetime) -> tuple[str, str]:
    """Write a time by the chosen clock, and as how long ago it was."""
    if time is None:
        return "", ""
    return f"{time.astimezone(zone().zone):%Y-%m-%d %H:%M:%S}", span((now - time).total_seconds())


def _badge_color(state: Status) -> BadgeColor:
    if state == Status.WORKING:
        return "green"
    return (
        "red"
        if state in (Status.STUCK, Status.NO_ANSWER)
        else "orange"
        if state == Status.NOT_READY
        else "gray"
    )
