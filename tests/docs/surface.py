"""The code's public surface (commands, flags, variables, metrics, targets), read from the code itself."""

import importlib
import pkgutil
import re
from collections.abc import Iterable
from pathlib import Path

import typer
from prometheus_client import REGISTRY
from typer.core import TyperCommand, TyperGroup, TyperOption

import services
from cli.main import app
from services.common.config.settings import EnvironmentSettings
from tests.docs.pages import ROOT

VARIABLE = re.compile(r"TAPEWATCH_[A-Z][A-Z_]*[A-Z]")
METRIC = re.compile(r"(?<![\w-])tapewatch_[a-z_]+[a-z]")

_PARTS = ("cli", "services", "dashboard", "infra", "benchmarks")
_LITERAL = re.compile(rf"[\"'](?:{VARIABLE.pattern})[\"']")


def commands() -> dict[str, TyperCommand]:
    """Return the commands by what follows `tapewatch`, those of groups included."""
    return dict(_commands_of(typer.main.get_command(app), ""))


def _commands_of(command: object, name: str) -> Iterable[tuple[str, TyperCommand]]:
    if isinstance(command, TyperCommand):
        yield name, command
    elif isinstance(command, TyperGroup):
        for part, inner in command.commands.items():
            yield from _commands_of(inner, f"{name} {part}".strip())


def flags(command: TyperCommand) -> dict[str, TyperOption]:
    """Return a command's flags by their names."""
    options = (option for option in command.params if isinstance(option, TyperOption))
    return {name: option for option in options for name in option.opts}


def settings() -> dict[str, object]:
    """Return the variables that settings are read from, and their defaults."""
    _import_all("settings")
    found: dict[str, object] = {}
    waiting: list[type[EnvironmentSettings]] = [EnvironmentSettings]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        prefix = kind.model_config.get("env_prefix", "")
        found |= {f"{prefix}{name}".upper(): field.default for name, field in kind.model_fields.items()}
    return found


def variables() -> set[str]:
    """Return all environment variables that the code or the tests read."""
    sources = [path for part in (*_PARTS, "tests") for path in (ROOT / part).rglob("*.py")]
    named = {
        literal.strip("\"'")
        for path in sources
        if path.parent != Path(__file__).parent
        for literal in _LITERAL.findall(path.read_text())
    }
    return named | settings().keys()


def metrics() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the type and the labels of each metric, by the name that Prometheus shows."""
    _import_all("metrics", "counters", "http")
    ending = {"counter": "_total", "info": "_info"}
    labels = {
        name: tuple(collector._labelnames)
        for name, collector in REGISTRY._names_to_collectors.items()
        if hasattr(collector, "_labelnames")
    }
    return {
        f"{family.name}{ending.get(family.type, '')}": (family.type, labels[family.name])
        for family in REGISTRY.collect()
        if family.name.startswith("tapewatch_")
    }


def _import_all(*names: str) -> None:
    """Import all modules with these names."""
    for part in _PARTS:
        package = importlib.import_module(part)
        for module in pkgutil.walk_packages(package.__path__, f"{part}."):
            if module.name.rpartition(".")[2] in names:
                importlib.import_module(module.name)


def modules_with_metrics() -> list[str]:
    """Return the modules of the services that declare a metric, by the text of their sources."""
    root = Path(services.__path__[0])
    declares = re.compile(r"(?:Counter|Gauge|Histogram|Info|Summary)\(\s*\"tapewatch_")
    return [
        ".".join(path.relative_to(root.parent).with_suffix("").parts)
        for path in sorted(root.rglob("*.py"))
        if declares.search(path.read_text())
    ]


def make_targets() -> dict[str, str]:
    """Return the targets of the Makefile that its `help` lists, with their lines."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z-]+):.*?## (.+)$", text, re.M))


def make_variables() -> set[str]:
    """Return the variables that a target of the Makefile takes."""
    return set(re.findall(r"\$\(([A-Z]+)\)", (ROOT / "Makefile").read_text()))


def compose_variables() -> set[str]:
    """Return the variables that the compose file reads from the environment."""
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
