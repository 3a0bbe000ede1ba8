"""Imports run one way: from the command line down to the contracts, and never back up or sideways."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("cli", "dashboard", "infra", "benchmarks", "services")

LEVELS = {
    "cli": 6,
    "benchmarks": 5,
    "dashboard": 4,
    "infra": 4,
    "services.sources": 2,
    "services.review": 2,
    "services.common": 1,
    "services.contracts": 0,
}
"""Of each part that is no service. An import goes to a lower level."""

SERVICE_LEVEL = 3

DASHBOARD_MAY_IMPORT = "services.detector.offline.tuning"
"""The one inside of a service that another part may see."""


def part_of(module: str) -> str:
    """Return the part that a module belongs to, such as `dashboard` or `services.detector`."""
    names = module.split(".")
    return ".".join(names[: 2 if names[0] == "services" else 1])


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in PARTS)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PARTS:
            yield node.module


def wrong_arrows(root: Path) -> list[str]:
    """Return the imports that run up or sideways, as `module -> module`."""
    wrong = []
    for path in sorted(path for part in PARTS for path in (root / part).rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        here = part_of(module)
        for imported in imports_of(path):
            there = part_of(imported)
            is_down = here == there or LEVELS.get(there, SERVICE_LEVEL) < LEVELS.get(here, SERVICE_LEVEL)
            is_inside = there not in LEVELS and here == "dashboard"
            if not is_down or (is_inside and not imported.startswith(DASHBOARD_MAY_IMPORT)):
                wrong.append(f"{module} -> {imported}")
    return wrong


def test_imports_run_one_way() -> None:
    assert wrong_arrows(ROOT) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("services.common.x", "services.sources.base"),
        ("services.indexer.x", "services.detector.live.service"),
        ("services.producer.x", "infra.doctor"),
        ("dashboard.x", "services.detector.engine.engine"),
        ("dashboard.x", "cli.main"),
        ("infra.x", "dashboard.settings"),
    ],
)
def test_an_import_up_or_sideways_is_found(module: str, imported: str, tmp_path: Path) -> None:
    path = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True)
    path.write_text(f"def late() -> None:\n    from {imported} import anything\n")
    assert wrong_arrows(tmp_path) == [f"{module} -> {imported}"]
