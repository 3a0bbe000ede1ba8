import datetime as dt
from pathlib import Path

import pytest

from services.alerter.rules.model import ChannelSpec, Hours, Match, Route, Rule
from services.alerter.rules.reading import load_rules, parse_rules
from services.common.errors import TapewatchError
from services.contracts.anomaly import Severity

WHOLE = """\
channels:
  desk: {kind: slack, url_file: /run/secrets/slack, budget_per_hour: 30}
  pager: {kind: pagerduty, key_file: /run/secrets/key}
rules:
  - name: urgent
    match:
      symbols: [NVDA, ON, "BTC-*"]
      labels: [Off-Market Price]
      families: [Data quality]
      severity: high
      score: 0.7
      venues: [XNAS, NO]
      sessions: [pre, regular]
    group_by: family
    quiet: 90s
    inhibited_by: never
    send:
      - {channel: pager, severity: critical}
      - {channel: desk, days: "fri-mon", hours: "09:00-17:30", time_zone: Europe/Berlin}
      - {channel: desk, days: [sat, sun], time_zone: UTC}
  - name: rest
    send: [{channel: desk}]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(text)
    return path


def test_every_key_of_a_file_is_read(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, WHOLE))
    assert rules.channels == {
        "desk": ChannelSpec("desk", "slack", {"url_file": "/run/secrets/slack"}, 30),
        "pager": ChannelSpec("pager", "pagerduty", {"key_file": "/run/secrets/key"}, None),
    }
    urgent, rest = rules.rules
    assert urgent == Rule(
        name="urgent",
        match=Match(
            symbols=("NVDA", "ON", "BTC-*"),
            labels=frozenset({"Off-Market Price"}),
            families=frozenset({"Data quality"}),
            severity=Severity.HIGH,
            score=0.7,
            venues=("XNAS", "NO"),
            sessions=frozenset({"pre", "regular"}),
        ),
        group_by="family",
        quiet_s=90.0,
        inhibited_by=None,
        send=(
            Route("pager", Severity.CRITICAL),
            Route("desk", hours=Hours(frozenset({4, 5, 6, 0}), dt.time(9), dt.time(17, 30), "Europe/Berlin")),
            Route("desk", hours=Hours(frozenset({5, 6}), dt.time(0), dt.time(0), "UTC")),
        ),
    )
    assert rest == Rule("rest", Match(), "label", 300.0, Severity.CRITICAL, (Route("desk"),))


def test_the_built_in_rules_tell_everything_from_medium_on() -> None:
    [rule] = load_rules().rules
    assert rule.name == "anomalies"
    assert rule.match == Match(severity=Severity.MEDIUM)
    assert (rule.group_by, rule.quiet_s, rule.inhibited_by) == ("label", 300.0, Severity.CRITICAL)
    assert [channel.kind for channel in load_rules("default").channels.values()] == ["stdout"]


@pytest.mark.parametrize(
    ("quiet", "seconds"), [("1s", 1), ("30 s", 30), ("1.5m", 90), ("5m", 300), ("2h", 7_200), ("24h", 86_400)]
)
def test_times_have_a_unit(tmp_path: Path, quiet: str, seconds: float) -> None:
    rules = load_rules(write(tmp_path, WHOLE.replace("90s", quiet)))
    assert rules.rules[0].quiet_s == seconds


@pytest.mark.parametrize(
    ("hours", "start", "end"),
    [("22:00-06:00", dt.time(22), dt.time(6)), ("00:00-24:00", dt.time(0), dt.time(0))],
)
def test_hours_may_end_on_the_next_day(tmp_path: Path, hours: str, start: dt.time, end: dt.time) -> None:
    read = load_rules(write(tmp_path, WHOLE.replace("09:00-17:30", hours))).rules[0].send[1].hours
    assert read is not None
    assert (read.start, read.end) == (start, end)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("rules:", "rulez:", "line 4: rulez: no such name is known here"),
        ("    group_by: family", "    group: family", "line 14: rules.0.group: no such name is known here"),
        (
            "family\n",
            "symbol\n",
            "line 14: rules.0.group_by: unknown group symbol; write one of label, family",
        ),
        (
            "[Off-Market Price]",
            "[Off-Market]",
            "line 8: rules.0.match.labels.0: unknown label Off-Market; did",
        ),
        ("[Data quality]", "[Quality]", "line 9: rules.0.match.families.0: unknown family Quality; did you"),
        ("severity: high", "severity: info", "line 10: rules.0.match.severity: what is natural and expected"),
        (
            "severity: high",
            "severity: hi",
            "line 10: rules.0.match.severity: unknown severity hi; did you mean high?",
        ),
        ("score: 0.7", "score: 7", "line 11: rules.0.match.score: Input should be less than or equal to 1"),
        ("[pre, regular]", "[pre, lunch]", "line 13: rules.0.match.sessions.1: unknown session lunch; write"),
        ("[pre, regular]", "pre", "line 13: rules.0.match.sessions: write a list, such as [A, B]"),
        ("quiet: 90s", "quiet: 90", "line 15: rules.0.quiet: write a time with its unit, such as 30s"),
        ("quiet: 90s", "quiet: 25h", "line 15: rules.0.quiet: write a time from 1s to 24h"),
        (
            "never",
            "nobody",
            "line 16: rules.0.inhibited_by: unknown severity nobody; write one of low, medium",
        ),
        ("severity: critical", "severity: 9", "line 18: rules.0.send.0.severity: unknown severity 9"),
        ("[sat, sun]", "[]", "line 20: rules.0.send.2.days: write weekdays such as mon-fri"),
        ("fri-mon", "fri-mo", "line 19: rules.0.send.1.days: write weekdays such as mon-fri"),
        ("09:00-17:30", "9-17", "line 19: rules.0.send.1.hours: write hours such as"),
        ("09:00-17:30", "09:00-24:30", "line 19: rules.0.send.1.hours: write hours such as"),
        (
            "Europe/Berlin",
            "Mars",
            "line 19: rules.0.send.1.time_zone: unknown time zone; write a name such as",
        ),
        (", time_zone: UTC", "", "line 20: rules.0.send.2: days and hours need a `time_zone`"),
        ("days: [sat, sun], ", "", "line 20: rules.0.send.2: a `time_zone` is for `days` or `hours`"),
        ("[{channel: desk}]", "[]", "line 22: rules.1.send: write at least one"),
        ("name: rest", "name: urgent", "line 21: two rules have the name urgent"),
        ("name: rest", 'name: "a/b"', "line 21: rules.1.name: write a name of at most 64 letters"),
        ("[{channel: desk}]", "[{channel: desc}]", "line 22: there is no channel desc"),
        ("kind: slack, ", "", "line 2: channels.desk.kind: it is missing"),
        (
            "budget_per_hour: 30",
            "budget_per_hour: 0",
            "line 2: channels.desk.budget_per_hour: Input should be",
        ),
        ("  pager: {", "  desk: {", "desk stands here twice"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in WHOLE
    with pytest.raises(TapewatchError) as error:
        load_rules(write(tmp_path, WHOLE.replace(before, after, 1)))
    assert message in error.value.cause
    assert error.value.hint


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match=r"line 10: .*line 15: "):
        load_rules(write(tmp_path, WHOLE.replace("high", "hi").replace("90s", "90")))


def test_a_channel_that_cannot_be_used_is_named_with_its_line(tmp_path: Path) -> None:
    def refuse(spec: ChannelSpec) -> None:
        if spec.name == "pager":
            raise TapewatchError("The key is missing.", "Add it.")

    with pytest.raises(TapewatchError, match=r"line 3: The key is missing\. Add it\."):
        load_rules(write(tmp_path, WHOLE), refuse)


@pytest.mark.parametrize("text", ["", "- a\n", "rules: [\n"])
def test_what_is_no_rules_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TapewatchError, match="rules file"):
        load_rules(write(tmp_path, text))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TapewatchError, match=r"The rules file none\.yaml cannot be read: No such file"):
        load_rules("none.yaml")


def test_the_hash_changes_with_what_decides_and_not_with_where_it_is_sent(tmp_path: Path) -> None:
    before = load_rules(write(tmp_path, WHOLE)).hash
    for text, is_same in (
        (WHOLE.replace("budget_per_hour: 30", "budget_per_hour: 3"), True),
        (WHOLE.replace("Europe/Berlin", "UTC"), True),
        (WHOLE.replace("quiet: 90s", "quiet: 91s"), False),
        (WHOLE.replace("[pre, regular]", "[pre]"), False),
        (WHOLE.replace("name: rest", "name: others"), False),
    ):
        assert (load_rules(write(tmp_path, text)).hash == before) is is_same
    assert len(before) == 16


def test_a_text_is_read_as_a_file_is(tmp_path: Path) -> None:
    assert parse_rules(WHOLE) == load_rules(write(tmp_path, WHOLE))
    with pytest.raises(TapewatchError, match=r"rules file is invalid: line 10: .*unknown severity urgent"):
        parse_rules(WHOLE.replace("severity: high", "severity: urgent"))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\n", "line 2: \\*a stands for another part"),
        ("rules:\n  - {symbols: [*]}\n", "not YAML"),
        ("rules: " + "[" * 5_000, "nested too deeply|not YAML"),
    ],
)
def test_a_text_from_anybody_cannot_stand_for_far_more_than_it_is(text: str, cause: str) -> None:
    with pytest.raises(TapewatchError, match=cause):
        parse_rules(text)
