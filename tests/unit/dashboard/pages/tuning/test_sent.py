from dashboard.pages.tuning.sent import to_channel_table, to_severity_table, worst_html
from services.alerter.offline.dry_run import dry_run
from services.alerter.rules.model import ChannelSpec, Rules
from tests.unit.services.alerter.anomalies import rule, seen

EVIL = "<script>alert(1)</script>"
RULES = Rules((rule(),), {"desk": ChannelSpec("desk", "stdout", {}, 2)}, "0" * 16)
RUN = dry_run(
    [seen(0, "a", severity="high"), seen(100, "b", message=EVIL, severity="critical"), seen(200, "c")], RULES
)


def test_messages_are_counted_by_rule_and_channel() -> None:
    assert to_channel_table(RUN).to_dict("records") == [
        {"Rule": "all", "Channel": "desk", "Alerts": 1, "Sent": 2}
        | {"Inhibited": 0, "Outside hours": 0, "Over budget": 4}
    ]


def test_alerts_are_counted_by_severity_the_most_urgent_first() -> None:
    assert to_severity_table(RUN).to_numpy().tolist() == [
        ["critical", 1, 0],
        ["high", 1, 2],
        ["medium", 1, 0],
    ]


def test_the_worst_are_told_by_their_sentences_as_text() -> None:
    html = worst_html(RUN.worst(5))
    assert "<script" not in html
    assert html.index("&lt;script&gt;") < html.index("Burst of a.")
    assert "2024-12-02 16:01:40.000 UTC · price 100.5 · size 200 · score 0.700" in html


def test_nothing_is_a_table_of_zeros() -> None:
    empty = dry_run([], RULES)
    assert to_channel_table(empty)["Sent"].tolist() == [0]
    assert to_severity_table(empty).empty
