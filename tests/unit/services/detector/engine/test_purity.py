"""What finds anomalies asks neither clock nor chance nor the machine: the same trades, the same result."""

import ast
from pathlib import Path

import pytest

import services.detector

FOLDER = Path(services.detector.__path__[0])
PURE = sorted([*FOLDER.glob("engine/*.py"), *FOLDER.glob("detectors/**/*.py")])
FORBIDDEN_MODULES = {
    "confluent_kafka", "elasticsearch", "os", "platform", "random", "secrets", "socket", "subprocess",
    "threading", "time", "uuid",
}  # fmt: skip
FORBIDDEN_CALLS = {"now", "utcnow", "today", "getenv", "input"}
UNSEEDED = {"default_rng", "RandomState", "seed"}


def impurities(source: str) -> list[str]:
    """Return what a source does that could differ from run to run."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    found = [name for name in found if name.partition(".")[0] in FORBIDDEN_MODULES]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            owner, _, name = ast.unparse(node.func).rpartition(".")
            is_unseeded = not node.args if name in UNSEEDED else owner in ("np.random", "numpy.random")
            if name in FORBIDDEN_CALLS or is_unseeded:
                found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(FOLDER)))
def test_detection_asks_neither_clock_nor_chance(path: Path) -> None:
    assert impurities(path.read_text()) == []


def test_clock_chance_and_machine_are_found() -> None:
    source = (
        "import time\nfrom os import environ\nimport datetime as dt\nimport numpy as np\n"
        "dt.datetime.now()\nnp.random.default_rng()\nnp.random.normal()\nnp.random.default_rng(3)\n"
    )
    assert impurities(source) == [
        "time",
        "os",
        "dt.datetime.now()",
        "np.random.default_rng()",
        "np.random.normal()",
    ]
