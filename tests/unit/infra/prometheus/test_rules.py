import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.alerter.sending.queue import BREAK_AFTER
from services.contracts.alert import Outcome
from services.contracts.components import DETECTOR, INDEXER
from services.contracts.sinks import COMPONENTS
from services.detector.live.settings import DetectorSettings
from services.sources.feeds.health import SILENT_AFTER_S, STALLED_AFTER_S
from tests.docs import surface
from tests.docs.pages import ROOT, anchors, headings

FOLDER = ROOT / "infra" / "prometheus"
RULES_FILE, TESTS_FILE = FOLDER / "rules.yaml", FOLDER / "rules_test.yaml"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]
]
TESTS: list[dict[str, Any]] = yaml.safe_load(TESTS_FILE.read_text())["tests"]
PROMTOOL = os.environ.get("TAPEWATCH_TEST_PROMTOOL") or shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None,
    reason="needs promtool, of Debian's package prometheus, on the PATH or named by TAPEWATCH_TEST_PROMTOOL",
)


def named(name: str) -> dict[str, Any]:
    (found,) = (rule for rule in RULES if rule["alert"] == name)
    return found


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(
        [PROMTOOL or "", *map(str, arguments)], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@needs_promtool
def test_each_alert_fires_and_does_not_at_its_edge() -> None:
    assert "SUCCESS" in promtool("test", "rules", TESTS_FILE)


@needs_promtool
@pytest.mark.parametrize(
    ("alert", "before", "after"),
    [
        ("AlertsUnsent", "> 300", ">= 300"),
        ("NotReady", "for: 5m", "for: 6m"),
        ("ConsumerLag", "> 10000", ">= 10000"),
        ("FeedSilent", ">= 60", "> 60"),
        (
            "FeedGapLost",
            ' or sum by (venue) (tapewatch_feed_gaps_total{state="gap_lost"}',
            " unless (vector(1)",
        ),
    ],
)
def test_a_changed_rule_fails_the_tests(alert: str, before: str, after: str, tmp_path: Path) -> None:
    head, mark, tail = yaml.safe_dump(yaml.safe_load(RULES_FILE.read_text()), width=10_000).partition(
        f"alert: {alert}\n"
    )
    assert mark
    assert before in tail
    (tmp_path / "rules.yaml").write_text(head + mark + tail.replace(before, after, 1))
    tests = yaml.safe_load(TESTS_FILE.read_text())
    tests["tests"] = [
        test for test in TESTS if any(check["alertname"] == alert for check in test["alert_rule_test"])
    ]
    (tmp_path / TESTS_FILE.name).write_text(yaml.safe_dump(tests))
    with pytest.raises(AssertionError, match=alert):
        promtool("test", "rules", tmp_path / TESTS_FILE.name)


def test_each_alert_is_tested_firing_and_not_firing() -> None:
    checks = [check for test in TESTS for check in test["alert_rule_test"]]
    for rule in RULES:
        of_rule = [check.get("exp_alerts", []) for check in checks if check["alertname"] == rule["alert"]]
        assert [] in of_rule, rule["alert"]
        told = [alert["exp_labels"] for alerts in of_rule for alert in alerts]
        assert any(rule["labels"].items() <= labels.items() for labels in told), rule["alert"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_components_serve(rule: dict[str, Any]) -> None:
    served = surface.metrics()
    asked = re.findall(r"\b(tapewatch_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert asked or "up{" in rule["expr"]
    for metric, matchers in asked:
        assert metric in served, metric
        labels = {one.group(1) for one in re.finditer(r'(\w+)="', matchers)}
        assert labels <= {*served[metric][1]}, metric
    assert {*re.findall(r'outcome="(\w+)"', rule["expr"])} <= {*Outcome}
    jobs = {job for text in re.findall(r'job=~?"([^"]+)"', rule["expr"]) for job in text.split("|")}
    assert jobs <= COMPONENTS.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_urgent_it_is_what_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors((ROOT / page).read_text())


def test_the_page_explains_no_alert_that_does_not_exist() -> None:
    titles = headings((ROOT / "docs" / "monitoring.md").read_text())
    explained = [title for title in titles if re.fullmatch(r"(?:[A-Z][a-z]+){2,}", title)]
    assert explained == list(dict.fromkeys(rule["alert"] for rule in RULES))


def test_what_has_to_run_is_missed_when_it_does_not() -> None:
    missed = {rule["labels"]["component"] for rule in RULES if rule["alert"] == "ComponentDown"}
    needed = {one.service for one in COMPONENTS.values() if one.is_required and one.runs_always}
    assert missed == needed == {DETECTOR.service, INDEXER.service}
    others = {one.service for one in COMPONENTS.values() if not one.is_required and one.runs_always}
    assert f'job=~"{"|".join(sorted(others))}"' in named("ComponentStopped")["expr"]


def test_limits_are_those_of_the_code() -> None:
    assert BREAK_AFTER == 5, "the summary of DeliveryFailing says five"
    assert f">= {SILENT_AFTER_S:.0f} " in named("FeedSilent")["expr"]
    assert f">= {STALLED_AFTER_S:.0f}" in named("FeedGapNotFilled")["expr"]
    assert f"> {3 * DetectorSettings().checkpoint_trades}" in named("CheckpointAge")["expr"]
