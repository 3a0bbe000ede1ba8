"""`suppress` and `calendar` in a profile's file."""

from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.profiles.profile import Profile, load_profile
from services.detector.profiles.write import profile_text


def read(folder: Path, text: str) -> Profile:
    file = folder / "own.yaml"
    file.write_text(text)
    return load_profile(file)


BOTH = """\
suppress:
  - {label: Off-Market Price, below_bp: 5}
  - {label: Burst, symbol: ON}
calendar:
  - {name: earnings, symbols: [ON], from: 2024-11-20 16:00, to: 2024-11-20T20:00:00, at_most: low}
  - {name: index day, day: 2024-12-20, skip: true}
"""


def test_lines_and_events_are_read(tmp_path: Path) -> None:
    profile = read(tmp_path, BOTH)
    assert [line.text for line in profile.suppress] == ["Off-Market Price below 5 bp", "Burst of ON"]
    assert [event.name for event in profile.calendar] == ["earnings", "index day"]
    first, second = (event.range_ns("America/New_York") for event in profile.calendar)
    assert first == (1_732_136_400_000_000_000, 1_732_150_800_000_000_000)
    assert second[1] - second[0] == 86_400 * 10**9


def test_a_day_of_the_exchange_may_have_23_hours(tmp_path: Path) -> None:
    [event] = read(tmp_path, "calendar: [{name: dst, day: 2024-03-10}]").calendar
    start, end = event.range_ns("America/New_York")
    assert end - start == 23 * 3600 * 10**9


def test_they_are_part_of_the_hash_and_profiles_without_them_keep_theirs(tmp_path: Path) -> None:
    lines = BOTH.splitlines(keepends=True)
    hashes = [
        load_profile().hash,
        read(tmp_path, "name: default\nsuppress: []\n").hash,
        read(tmp_path, "name: default\n" + "".join(lines[:3])).hash,
        read(tmp_path, "name: default\n" + "".join(lines[3:])).hash,
        read(tmp_path, "name: default\n" + BOTH).hash,
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4


def test_a_profile_that_is_written_keeps_them(tmp_path: Path) -> None:
    profile = read(tmp_path, BOTH).model_copy(update={"symbols": {"ON": {}}})
    again = read(tmp_path, profile_text(profile, None, [], {}))
    assert (again.suppress, again.calendar) == (profile.suppress, profile.calendar)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "suppress:\n  - {label: Burst}\n  - {label: Burts}\n",
            "line 3: suppress.1: unknown label Burts; did",
        ),
        ("suppress:\n  - {}\n", "line 2: suppress.0: an empty line would hold everything back"),
        ("suppress:\n  - {label: Burst, below_bp: 5}\n", "Burst measures no distance"),
        ("suppress:\n  - {below_bp: -5}\n", "line 2: suppress.0.below_bp"),
        ("suppress:\n  - {below: 5}\n", "line 2: suppress.0.below"),
        ("calendar:\n  - {name: x}\n", "line 2: calendar.0: give either `day`, or `from` and `to`"),
        ("calendar:\n  - {name: x, day: 2024-12-02, from: 2024-12-02 10:00}\n", "give either `day`"),
        ("calendar:\n  - {name: x, from: 2024-12-02 10:00}\n", "give both `from` and `to`"),
        ("calendar:\n  - {name: x, from: 2024-12-02 10:00, to: 2024-12-02 09:00}\n", "`to` is not after"),
        ("calendar:\n  - {name: x, from: 2024-12-02 10:00, to: 2024-12-02T19:00:00Z}\n", "offset such as Z"),
        ("calendar:\n  - {name: x, day: 2024-12-02, skip: true, at_most: low}\n", "has no severity"),
        ("calendar:\n  - {name: x, day: 2024-12-02, at_most: lowest}\n", "calendar.0.at_most"),
        ("calendar:\n  - {name: x, day: 2024-13-02}\n", "line 2: calendar.0.day: write a day as 2024-12-20"),
        ("calendar:\n  - {name: x, day: 20241202}\n", "line 2: calendar.0.day: write a day as"),
        (
            "calendar:\n  - {name: x, from: 16:00, to: 20:00}\n",
            "calendar.0.from: write a day as",
        ),
        (
            "calendar:\n  - {name: x, from: '16:00', to: '20:00'}\n",
            "calendar.0.to: write a day as",
        ),
        (
            "calendar:\n  - {name: x, from: 2024-12-02 9:30, to: 2024-12-02 10:00}\n",
            "calendar.0.from: write a time",
        ),
        (
            "calendar:\n  - {name: x, day: 2024-12-02, symbols: ON}\n",
            "calendar.0.symbols: write a list",
        ),
        (
            "calendar:\n  - {name: x, day: 2024-12-02, symbol: ON}\n",
            "calendar.0.symbol: no such name",
        ),
        ("calendar: {name: x, day: 2024-12-02}\n", "line 1: calendar: write a list, such as"),
        ("calendar:\n  - x\n", "line 2: calendar.0: write names and values"),
        ("calender:\n  - {name: x}\n", "line 1: calender: no such name is known here"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(TapewatchError) as error:
        read(tmp_path, text)
    assert fault in str(error.value)
