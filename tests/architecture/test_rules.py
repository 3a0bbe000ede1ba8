"""The rules hold for the project, and each rule reports a planted violation."""

from collections.abc import Callable

import pytest

from tests.architecture import rules
from tests.architecture.source_tree import PACKAGES, Tree, parse, read_tree, top_packages

Rule = Callable[[Tree], list[str]]

PLANTED: list[tuple[Rule, dict[str, str]]] = [
    (
        rules.upward_imports,
        {"services.common.a": "from infra.setup import topics", "infra.setup.topics": ""},
    ),
    (
        rules.upward_imports,
        {
            "services.detector.live.a": "def f():\n    from services.producer import b",
            "services.producer.b": "",
        },
    ),
    (rules.upward_imports, {"infra.a": "import cli.main", "cli.main": ""}),
    (
        rules.upward_imports,
        {"services.common.a": "from ..producer import b", "services.producer.b": ""},
    ),
    (
        rules.upward_imports,
        {"services.common": "from ..producer import b", "services.common.a": "", "services.producer.b": ""},
    ),
    (
        rules.imports_against_parts,
        {"services.detector.engine.a": "import services.detector.live.b", "services.detector.live.b": ""},
    ),
    (
        rules.imports_against_parts,
        {"services.detector.live.a": "import services.detector.offline.b", "services.detector.offline.b": ""},
    ),
    (
        rules.insides_in_the_dashboard,
        {"dashboard.a": "from services.detector.engine import b", "services.detector.engine.b": ""},
    ),
    (rules.insides_in_the_dashboard, {"dashboard.a": "import services.indexer.b", "services.indexer.b": ""}),
    (
        rules.insides_in_the_dashboard,
        {"dashboard.a": "from services.alerter.sending import b", "services.alerter.sending.b": ""},
    ),
    (
        rules.pages_that_import_others,
        {"dashboard.pages.a.page": "from dashboard.pages.b import state", "dashboard.pages.b.state": ""},
    ),
    (
        rules.import_cycles,
        {"infra.a": "import infra.b", "infra.b": "import infra.c", "infra.c": "from infra import a"},
    ),
    (rules.misplaced_libraries, {"services.detector.offline.a": "from databento.common import enums"}),
    (rules.misplaced_libraries, {"services.indexer.runner": "import elasticsearch"}),
    (rules.misplaced_libraries, {"services.review.a": "import streamlit as st"}),
    (rules.misplaced_libraries, {"services.sources.a": "import confluent_kafka"}),
    (
        rules.misplaced_libraries,
        {"services.detector.offline.training.kinds.autoencoder.trainer": "import jax.numpy as jnp"},
    ),
    (rules.impure_detection, {"services.detector.engine.a": "import time"}),
    (rules.impure_detection, {"services.detector.engine.a": "x = dt.datetime.now(dt.UTC)"}),
    (rules.impure_detection, {"services.detector.detectors.a": "x = np.random.default_rng()"}),
    (rules.impure_detection, {"services.detector.detectors.a": "np.random.shuffle(x)"}),
    (rules.impure_detection, {"services.detector.detectors.a": "from numpy.random import default_rng"}),
    (rules.impure_detection, {"services.detector.detectors.a": "x = default_rng()"}),
    (rules.impure_detection, {"services.detector.detectors.a": "x = hash(symbol)"}),
    (
        rules.impure_detection,
        {"services.detector.engine.a": "from services.common import b", "services.common.b": "import time"},
    ),
    (rules.unplaced_packages, {"services.something_new.a": ""}),
]

ALLOWED: list[tuple[Rule, dict[str, str]]] = [
    (
        rules.upward_imports,
        {"infra.doctor": "from services.contracts import topics", "services.contracts.topics": ""},
    ),
    (
        rules.insides_in_the_dashboard,
        {
            "dashboard.a": "from services.detector.offline.tuning import curve",
            "services.detector.offline.tuning.curve": "",
        },
    ),
    (
        rules.insides_in_the_dashboard,
        {"dashboard.a": "from services.alerter.silencing import b", "services.alerter.silencing.b": ""},
    ),
    (
        rules.pages_that_import_others,
        {"dashboard.pages.a.page": "from dashboard.pages.a import state", "dashboard.pages.a.state": ""},
    ),
    (rules.import_cycles, {"infra.a": "import infra.b", "infra.b": "if TYPE_CHECKING:\n    import infra.a"}),
    (rules.misplaced_libraries, {"services.sources.databento.dbn": "import databento"}),
    (rules.impure_detection, {"services.detector.engine.a": "x = np.random.default_rng(seed)"}),
    (rules.impure_detection, {"services.detector.live.a": "import time"}),
]

ALL = sorted({rule for rule, _ in PLANTED}, key=lambda rule: rule.__name__)


@pytest.fixture(scope="module")
def tree() -> Tree:
    return read_tree()


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule, tree: Tree) -> None:
    assert rule(tree) == []


@pytest.mark.parametrize(("rule", "sources"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, sources: dict[str, str]) -> None:
    assert len(rule(parse(sources))) == 1


@pytest.mark.parametrize(("rule", "sources"), ALLOWED)
def test_what_is_allowed_is_not_reported(rule: Rule, sources: dict[str, str]) -> None:
    assert rule(parse(sources)) == []


def test_every_rule_is_run() -> None:
    public = {
        value
        for name, value in vars(rules).items()
        if callable(value) and not name.startswith("_") and value.__module__ == rules.__name__
    }
    assert public == set(ALL)


def test_the_tree_is_read_whole(tree: Tree) -> None:
    assert set(PACKAGES) == top_packages()
    assert {"cli.main", "services.contracts.trade", "dashboard.app", "infra.embedded.stack"} <= tree.keys()
