"""Differences between a reference page and the code, as readable lines."""

import re

from tests.docs import surface
from tests.docs.compare import differences, same_default
from tests.docs.pages import first_code, headings, rows, section


def command_problems(page: str) -> list[str]:
    """Compare the sections of commands and their tables of flags."""
    commands = surface.commands()
    titles = {_command_of(title): title for title in headings(page) if title.startswith("`tapewatch")}
    problems = differences(titles, commands)
    for name in titles.keys() & commands.keys():
        defaults = {first_code(row["flag"]).split()[0]: row["default"] for row in _flags(page, titles[name])}
        flags = surface.flags(commands[name])
        problems += [f"{name}: {difference}" for difference in differences(defaults, flags)]
        for flag in defaults.keys() & flags.keys():
            if not same_default(defaults[flag], flags[flag].default):
                problems.append(f"{name} {flag}: the default is {flags[flag].default}")
            if flags[flag].required != (defaults[flag] == "required"):
                problems.append(f"{name} {flag}: required is {flags[flag].required}")
    return problems


def _command_of(title: str) -> str:
    """Return what follows `tapewatch` in a section's title, without the arguments, which are in capitals."""
    return re.sub(r" \[?[A-Z].*", "", first_code(title)).removeprefix("tapewatch ")


def _flags(page: str, title: str) -> list[dict[str, str]]:
    return [row for row in rows(section(page, title)) if "flag" in row]


def variable_problems(page: str) -> list[str]:
    """Compare the environment variables and their defaults."""
    documented = {first_code(row["variable"]): row["default"] for row in rows(page)}
    settings = surface.settings()
    return differences(documented, surface.variables()) + [
        f"{name}: the default is {settings[name]}"
        for name in sorted(documented.keys() & settings.keys())
        if not same_default(documented[name], settings[name])
    ]


def metric_problems(page: str) -> list[str]:
    """Compare the metrics, their types and labels; each except the build information has a unit."""
    documented = {first_code(row["metric"]): row for row in rows(page) if "type" in row}
    real = surface.metrics()
    problems = differences(documented, real)
    for name in documented.keys() & real.keys():
        row = documented[name]
        told = (row["type"], tuple(re.findall(r"`(\w+)`", row["labels"])))
        if told != real[name]:
            problems.append(f"{name}: it is {real[name]}")
        if not row["unit"] and row["type"] != "info":
            problems.append(f"{name}: no unit")
    return problems


def target_problems(page: str) -> list[str]:
    """Compare the targets of the Makefile."""
    table = [row for row in rows(page) if "target" in row]
    documented = {first_code(row["target"]).removeprefix("make ") for row in table}
    return differences(documented, surface.make_targets())
