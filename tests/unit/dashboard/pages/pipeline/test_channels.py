from dashboard.pages.pipeline.channels import ChannelHealth, channels_health, to_table
from services.common.observability.samples import to_samples
from tests.docs import surface

SENDING = """
tapewatch_alert_queue_length{channel="pager"} 3.0
tapewatch_alert_queue_length{channel="desk"} 0.0
tapewatch_alert_oldest_unsent_seconds{channel="pager"} 42.5
tapewatch_alert_oldest_unsent_seconds{channel="desk"} 0.0
tapewatch_alert_held_back{channel="pager"} 0.0
tapewatch_alert_held_back{channel="desk"} 14.0
tapewatch_alert_channel_open{channel="pager"} 1.0
tapewatch_alert_channel_open{channel="desk"} 0.0
tapewatch_alert_deliveries_total{channel="desk",outcome="sent"} 1200.0
tapewatch_alert_deliveries_total{channel="desk",outcome="held"} 14.0
tapewatch_alert_deliveries_total{channel="pager",outcome="failed"} 6.0
tapewatch_alert_deliveries_total{channel="pager",outcome="dead"} 1.0
"""
STANDBY = """
tapewatch_alert_queue_length{channel="desk"} 0.0
tapewatch_alert_deliveries_total{channel="desk",outcome="sent"} 5.0
"""


def test_channels_are_counted_over_all_alerters() -> None:
    assert channels_health([to_samples(SENDING), to_samples(STANDBY)]) == [
        ChannelHealth("desk", False, 0, 0.0, 14, 1205, 0, 0),
        ChannelHealth("pager", True, 3, 42.5, 0, 0, 6, 1),
    ]
    assert channels_health([]) == channels_health([to_samples("tapewatch_lag_messages 1\n")]) == []


def test_a_channel_that_fails_is_told_from_one_that_works() -> None:
    table = to_table(channels_health([to_samples(SENDING)]))
    assert table["State"].tolist() == ["working", "failing, or switched off"]
    assert table["Oldest"].tolist() == ["", "42.5 s"]
    assert table["Sent"].tolist() == ["1,200", "0"]


def test_what_is_read_is_what_the_alerter_serves() -> None:
    read = {*to_samples(SENDING)}
    assert read <= surface.metrics().keys()
