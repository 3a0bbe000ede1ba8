from pathlib import Path

import pytest

from services.alerter.offline.dry_run import dry_run
from services.alerter.offline.rules import rules_to_try
from services.alerter.rules.model import Rules
from services.alerter.sending.routing import channels_of, is_open
from services.contracts.anomaly import Severity
from tests.docs.pages import ROOT, blocks
from tests.unit.services.alerter.anomalies import seen

TEXT = (ROOT / "docs" / "alerts.md").read_text()
EXAMPLES = [block for block in blocks(TEXT, "yaml") if "\nrules:\n" in block]

A_DAY = [
    seen(0, "a", labels=["Off-Market Price"], severity="critical", score=0.95, venue="XNAS"),
    seen(10, "b", labels=["Unusual Size"], severity="medium", score=0.6, venue="XNAS"),
    seen(20, "c", labels=["Stuck Price"], severity="low", score=0.55, venue="XNAS"),
    seen(30, "d", labels=["Burst"], severity="high", score=0.8, symbol="BTC-USD", source="coinbase"),
]


def example(number: int, folder: Path) -> Rules:
    path = folder / "rules.yaml"
    path.write_text(EXAMPLES[number])
    return rules_to_try(path)


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        (0, {"desk": ["a", "a", "d", "d"], "pager": ["a", "a"]}),
        (1, {"desk": ["a", "a"]}),
        (2, {"trading": ["a", "a"], "operations": ["c", "c"]}),
        (3, {"program": ["a", "a", "d", "d"], "terminal": ["a", "a"]}),
    ],
)
def test_each_example_is_loaded_and_sends_what_it_says(
    number: int, sent: dict[str, list[str]], tmp_path: Path
) -> None:
    found: dict[str, list[str]] = {}
    for message in dry_run(A_DAY, example(number, tmp_path)).sent:
        found.setdefault(message.channel, []).append(message.alert.worst.trade.trade_id)
    assert {channel: sorted(trades) for channel, trades in found.items()} == sent


def test_the_days_and_nights_shown_cover_the_week_and_do_not_overlap(tmp_path: Path) -> None:
    rules = example(1, tmp_path)
    [alert] = dry_run(A_DAY[:1], rules).alerts
    monday_s = 1_733_115_600  # midnight in New York
    for minute in range(0, 7 * 24 * 60, 30):
        open_there = [
            channel
            for channel, hours in channels_of(rules, alert).items()
            if is_open(hours, monday_s + 60 * minute)
        ]
        assert len(open_there) == 1, minute


def test_every_example_is_tried() -> None:
    assert len(EXAMPLES) == 4


def test_the_built_in_rules_are_as_the_page_says() -> None:
    assert [(rule.match.severity, rule.quiet_s) for rule in rules_to_try().rules] == [(Severity.MEDIUM, 300)]
