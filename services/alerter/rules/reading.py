"""Reads a rules file; every error names its line and what to write instead."""

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self, get_args
from zoneinfo import ZoneInfo

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.alerter.rules.matching import SESSIONS
from services.alerter.rules.model import ChannelSpec, GroupBy, Hours, Match, Route, Rule, Rules
from services.common.config.yaml_file import YamlFile, read_yaml_file, read_yaml_text
from services.common.errors import TapewatchError
from services.contracts.anomaly import Severity
from services.contracts.detectors import FAMILIES, LABELS

FOLDER = Path(__file__).parent
BUILT_IN = tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))
_FIRST_LINE = "rules:"
HINT = "Compare it with docs/alerts.md, which has rules by example."

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST_QUIET_S = 86_400

_UNITS_S = {"s": 1, "m": 60, "h": 3_600}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?([smh])", re.ASCII)
_HOURS = re.compile(r"(\d\d):(\d\d) ?- ?(\d\d):(\d\d)", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,63}", re.ASCII)
_TOLD = tuple(severity for severity in Severity if severity is not Severity.INFO)

CheckChannel = Callable[[ChannelSpec], object]
"""Raises TapewatchError for a channel that cannot be used."""


def load_rules(source: str | Path | None = None, check_channel: CheckChannel | None = None) -> Rules:
    """Read rules.

    Parameters
    ----------
    source
        The name of built-in ones, or a YAML file; None for `default`.
    check_channel
        Called for each channel.

    Raises
    ------
    TapewatchError
        The file cannot be read or is invalid; the message names the line.
    """
    name = str(source or "default")
    path = FOLDER / f"{name}.yaml" if name in BUILT_IN else Path(name)
    what = f"The rules file {name}"
    instead = f"give one of the built-in rules: {', '.join(BUILT_IN)}"
    return _rules_of(read_yaml_file(path, what, instead, _FIRST_LINE), what, check_channel)


def parse_rules(text: str, check_channel: CheckChannel | None = None) -> Rules:
    """Read the text of a rules file, which may come from anybody; see `load_rules`.

    Raises
    ------
    TapewatchError
        It is invalid; the message names the line.
    """
    what = "This rules file"
    return _rules_of(read_yaml_text(text, what, _FIRST_LINE), what, check_channel)


def _rules_of(file: YamlFile, what: str, check_channel: CheckChannel | None) -> Rules:
    try:
        read = _File.model_validate(file.given)
    except ValidationError as error:
        faults = "; ".join(file.describe(fault) for fault in error.errors())
        raise TapewatchError(f"{what} is invalid: {faults}.", HINT) from error
    _check_names(what, file, read)
    channels = {name: channel.spec(name) for name, channel in read.channels.items()}
    for spec in channels.values():
        _check_channel(what, file, spec, check_channel)
    rules = tuple(rule.rule() for rule in read.rules)
    return Rules(rules, channels, _hash(rules))


def _fault(text: str) -> PydanticCustomError:
    return PydanticCustomError("rules", "{text}", {"text": text})


def _one_of(given: object, known: Iterable[str], what: str) -> str:
    """Return a text that is one of the known ones; raises with the nearest, or all of them."""
    known = tuple(known)
    if isinstance(given, str) and given in known:
        return given
    near = get_close_matches(str(given), known, 1)
    fix = f"did you mean {near[0]}?" if near else f"write one of {', '.join(known)}"
    raise _fault(f"unknown {what} {given}; {fix}")


def _severity(given: object) -> object:
    if given == Severity.INFO:
        raise _fault("what is natural and expected (info) is never sent; write low for all that is")
    return _one_of(given, _TOLD, "severity")


def _severity_or_never(given: object) -> object:
    if given in ("never", False):  # which is what YAML reads `no` and `off` as
        return None
    return _one_of(given, (*_TOLD, "never"), "severity")


def _seconds(given: object) -> object:
    read = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if read is None:
        raise _fault("write a time with its unit, such as 30s, 5m or 1h")
    seconds = float(read[1]) * _UNITS_S[read[2]]
    if not 1 <= seconds <= LONGEST_QUIET_S:
        raise _fault("write a time from 1s to 24h")
    return seconds


def _days(given: object) -> object:
    """Read weekdays: `mon-fri`, `sat, sun`, or a list of such."""
    parts = given if isinstance(given, list) else str(given).split(",")
    days: set[int] = set()
    for part in parts or ("",):
        first, _, last = (text.strip().lower() for text in str(part).partition("-"))
        if first not in DAYS or (last or first) not in DAYS:
            raise _fault("write weekdays such as mon-fri, or sat, sun")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days |= {day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)}
    return frozenset(days)


def _hours(given: object) -> object:
    read = _HOURS.fullmatch(given) if isinstance(given, str) else None
    if read is not None:
        start, end = ((int(read[at]), int(read[at + 1])) for at in (1, 3))
        if all((hour < 24 and minute < 60) or (hour, minute) == (24, 0) for hour, minute in (start, end)):
            return tuple(dt.time(hour % 24, minute) for hour, minute in (start, end))
    raise _fault('write hours such as "09:00-17:30"')


def _zone(given: object) -> object:
    try:
        ZoneInfo(str(given))
    except (KeyError, ValueError, OSError) as error:
        raise _fault(
            "unknown time zone; write a name such as America/New_York, Europe/Berlin or UTC"
        ) from error
    return given


def _name(given: str) -> str:
    if _NAME.fullmatch(given) is None:
        raise _fault("write a name of at most 64 letters, digits, '_', '-', '.' and blanks")
    return given


def _some(given: tuple[Any, ...]) -> tuple[Any, ...]:
    if not given:
        raise _fault("write at least one")
    return given


_Text = Annotated[str, Field(min_length=1)]
_Severity = Annotated[Severity, BeforeValidator(_severity)]
_Label = Annotated[str, BeforeValidator(lambda given: _one_of(given, LABELS, "label"))]
_Family = Annotated[
    str, BeforeValidator(lambda given: _one_of(given, (each.title for each in FAMILIES), "family"))
]
_Session = Annotated[str, BeforeValidator(lambda given: _one_of(given, SESSIONS, "session"))]
_GroupBy = Annotated[GroupBy, BeforeValidator(lambda given: _one_of(given, get_args(GroupBy), "group"))]
_Name = Annotated[str, AfterValidator(_name)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Match(_Strict):
    symbols: tuple[_Text, ...] = ()
    labels: tuple[_Label, ...] = ()
    families: tuple[_Family, ...] = ()
    severity: _Severity = Severity.LOW
    score: float = Field(0.0, ge=0, le=1)
    venues: tuple[_Text, ...] = ()
    sessions: tuple[_Session, ...] = ()

    def match(self) -> Match:
        return Match(
            symbols=self.symbols,
            labels=frozenset(self.labels),
            families=frozenset(self.families),
            severity=self.severity,
            score=self.score,
            venues=self.venues,
            sessions=frozenset(self.sessions),
        )


class _Route(_Strict):
    channel: str
    severity: _Severity = Severity.LOW
    days: Annotated[frozenset[int] | None, BeforeValidator(_days)] = None
    hours: Annotated[tuple[dt.time, dt.time] | None, BeforeValidator(_hours)] = None
    time_zone: Annotated[str | None, BeforeValidator(_zone)] = None

    @model_validator(mode="after")
    def _has_a_clock(self) -> Self:
        has_times = self.days is not None or self.hours is not None
        if has_times and self.time_zone is None:
            raise _fault("days and hours need a `time_zone`, such as America/New_York")
        if self.time_zone is not None and not has_times:
            raise _fault("a `time_zone` is for `days` or `hours`: give one of them")
        return self

    def route(self) -> Route:
        if self.time_zone is None:
            return Route(self.channel, self.severity)
        start, end = self.hours or (dt.time(), dt.time())
        days = frozenset(range(7)) if self.days is None else self.days
        return Route(self.channel, self.severity, Hours(days, start, end, self.time_zone))


class _Rule(_Strict):
    name: _Name
    match: _Match = _Match()
    group_by: _GroupBy = "label"
    quiet: Annotated[float, BeforeValidator(_seconds)] = 300.0
    inhibited_by: Annotated[Severity | None, BeforeValidator(_severity_or_never)] = Severity.CRITICAL
    send: Annotated[tuple[_Route, ...], AfterValidator(_some)]

    def rule(self) -> Rule:
        return Rule(
            name=self.name,
            match=self.match.match(),
            group_by=self.group_by,
            quiet_s=self.quiet,
            inhibited_by=self.inhibited_by,
            send=tuple(route.route() for route in self.send),
        )


class _Channel(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    kind: _Text
    budget_per_hour: Annotated[int, Field(ge=1)] | None = None

    def spec(self, name: str) -> ChannelSpec:
        options: dict[str, Any] = dict(self.model_extra or {})
        return ChannelSpec(name, self.kind, options, self.budget_per_hour)


class _File(_Strict):
    channels: dict[_Name, _Channel]
    rules: Annotated[tuple[_Rule, ...], AfterValidator(_some)]


def _check_names(what: str, file: YamlFile, read: _File) -> None:
    names: set[str] = set()
    for number, rule in enumerate(read.rules):
        if rule.name in names:
            line = file.line_of("rules", number, "name")
            raise TapewatchError(
                f"{what} is invalid: line {line}: two rules have the name {rule.name}.",
                "Give each rule a name of its own: it is part of its alerts' ids.",
            )
        names.add(rule.name)
        for place, route in enumerate(rule.send):
            if route.channel not in read.channels:
                line = file.line_of("rules", number, "send", place, "channel")
                raise TapewatchError(
                    f"{what} is invalid: line {line}: there is no channel {route.channel}.",
                    f"Add it to `channels`, or name one of {', '.join(read.channels) or 'those there'}.",
                )


def _check_channel(what: str, file: YamlFile, spec: ChannelSpec, check: CheckChannel | None) -> None:
    if check is None:
        return
    try:
        check(spec)
    except TapewatchError as error:
        line = file.line_of("channels", spec.name)
        raise TapewatchError(f"{what} is invalid: line {line}: {error.cause}", error.hint) from error


def _hash(rules: tuple[Rule, ...]) -> str:
    """Return 16 hexadecimal digits of what decides which alerts there are."""
    decisive = [
        [
            rule.name,
            [
                rule.match.symbols,
                sorted(rule.match.labels),
                sorted(rule.match.families),
                rule.match.severity,
                rule.match.score,
                rule.match.venues,
                sorted(rule.match.sessions),
            ],
            rule.group_by,
            rule.quiet_s,
            rule.inhibited_by,
        ]
        for rule in rules
    ]
    return hashlib.blake2b(msgspec.json.encode(decisive), digest_size=8).hexdigest()
