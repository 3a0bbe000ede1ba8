"""Rules for imports between the project's packages; each returns its violations as readable lines."""

import ast
import re
from collections.abc import Iterable, Mapping

from tests.architecture.source_tree import PACKAGES, Tree, imports, is_within

SERVICES = (
    "services.producer",
    "services.detector",
    "services.indexer",
    "services.alerter",
    "services.dead_letters",
    "services.export",
)

LAYERS: tuple[tuple[str, ...], ...] = (
    ("services.contracts",),
    ("services.common",),
    ("services.sources", "services.review"),
    SERVICES,
    ("dashboard", "infra"),
    ("benchmarks",),
    ("cli",),
)
"""From the lowest layer up: a package imports only from itself and from lower layers."""

PARTS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "services.detector": (
        (
            "services.detector.detectors",
            "services.detector.profiles",
            "services.detector.engine",
            "services.detector.features",
            "services.detector.models",
        ),
        ("services.detector.selftest", "services.detector.watchdog"),
        ("services.detector.live", "services.detector.offline"),
    ),
    "services.alerter": (
        (
            "services.alerter.seen",
            "services.alerter.times",
            "services.alerter.rules",
            "services.alerter.deciding",
            "services.alerter.channels",
            "services.alerter.silencing",
        ),
        ("services.alerter.sending",),
        ("services.alerter.live", "services.alerter.offline"),
    ),
}
"""Layers inside a package; the same rule, but packages of the lowest layer may import each other."""

OPEN_TO: Mapping[str, tuple[str, ...]] = {
    "services.detector": ("services.detector.offline.expected", "services.detector.offline.tuning"),
    "services.alerter": ("services.alerter.silencing", "services.alerter.offline"),
}
"""What the dashboard may import of a service; nothing of services that are not listed."""

LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "databento": ("services.sources.databento",),
    "elasticsearch": ("services.common.elastic", "benchmarks"),
    "elastic_transport": ("services.common.elastic",),
    "streamlit": ("dashboard",),
    "confluent_kafka": (
        "services.common.kafka",
        "services.common.process.readiness",  # it writes a client's errors in a line
        "services.producer",
        "services.detector.live",
        "services.indexer",
        "services.alerter.live",
        "services.alerter.sending",
        "services.alerter.silencing",
        "services.dead_letters",
        "infra",
        "benchmarks",
    ),
    "numba": ("services.detector",),
    "sklearn": (
        "services.detector.detectors",
        "services.detector.offline.evaluation",
        "services.detector.offline.training",
        "benchmarks",
    ),
    "coniferest": ("services.detector.detectors", "benchmarks"),
    "xgboost": ("services.detector.models", "services.detector.offline.training"),
    "safetensors": ("services.detector.models", "services.detector.offline.training"),
    "jax": ("services.detector.offline.training.kinds.autoencoder.fit",),
    "optax": ("services.detector.offline.training.kinds.autoencoder.fit",),
}
"""Where a library may be imported; other code uses the packages that wrap it."""

PURE = (
    "services.detector.engine",
    "services.detector.detectors",
    "services.detector.selftest",
    "services.detector.watchdog",
    "services.detector.features",
    "services.alerter.seen",
    "services.alerter.rules",
    "services.alerter.deciding",
)
"""The same trades give the same anomalies, and those the same alerts: no clock, randomness or environment."""

IMPURE_MODULES = (
    *("random", "secrets", "uuid", "time", "os", "platform", "socket", "subprocess", "threading"),
    *("confluent_kafka", "elasticsearch"),
    "numpy.random",  # by its whole name, `np.random`, it can be told what is drawn without a seed
)
CLOCKS_AND_SURROUNDINGS = ("now", "utcnow", "today", "getenv", "input", "hash")
"""Python salts the hashes of texts anew in each process."""

SEEDED_BY_ARGUMENT = ("default_rng", "RandomState")


def upward_imports(tree: Tree) -> list[str]:
    """Return imports of a package from a higher layer, or from another package of the same layer."""
    level = {package: number for number, layer in enumerate(LAYERS) for package in layer}
    found = []
    for each in imports(tree):
        source, target = _package(each.module, level), _package(each.imported, level)
        if source is None or target is None or source == target:
            continue
        if level[target] >= level[source]:
            found.append(str(each))
    return found


def imports_against_parts(tree: Tree) -> list[str]:
    """Return imports inside a package that run up its layers, or sideways above the lowest layer."""
    found = []
    for parts in PARTS.values():
        level = {package: number for number, layer in enumerate(parts) for package in layer}
        for each in imports(tree):
            source, target = _package(each.module, level), _package(each.imported, level)
            if source is None or target is None or source == target:
                continue
            if level[target] > level[source] or level[target] == level[source] > 0:
                found.append(str(each))
    return found


def insides_in_the_dashboard(tree: Tree) -> list[str]:
    """Return the dashboard's imports from services that are not open to it."""
    return [
        str(each)
        for each in imports(tree)
        if is_within(each.module, "dashboard")
        and any(
            is_within(each.imported, service) and not is_within(each.imported, *OPEN_TO.get(service, ()))
            for service in SERVICES
        )
    ]


def pages_that_import_others(tree: Tree) -> list[str]:
    """Return imports of one page of the dashboard by another; what two need is shared beside the pages."""
    return [
        str(each)
        for each in imports(tree)
        if is_within(each.module, "dashboard.pages")
        and is_within(each.imported, "dashboard.pages")
        and each.module.split(".")[:3] != each.imported.split(".")[:3]
    ]


def import_cycles(tree: Tree) -> list[str]:
    """Return modules that import themselves through others."""
    arrows = _arrows(tree)
    done: set[str] = set()
    found = []

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            found.append(" -> ".join([*way[way.index(module) :], module]))
            return
        if module not in done:
            for imported in sorted(arrows[module]):
                visit(imported, [*way, module])
            done.add(module)

    for module in sorted(arrows):
        visit(module, [])
    return found


def misplaced_libraries(tree: Tree) -> list[str]:
    """Return imports of libraries outside the packages that wrap them."""
    return [
        str(each)
        for each in imports(tree)
        for library, homes in LIBRARIES.items()
        if is_within(each.imported, library) and not is_within(each.module, *homes)
    ]


def impure_detection(tree: Tree) -> list[str]:
    """Return clocks, unseeded randomness and the like in code that must depend on trades alone.

    What this code imports of the project, directly or not, must not import them either.
    """
    pure = _with_imports(tree, [module for module in tree if is_within(module, *PURE)])
    found = [
        str(each)
        for each in imports(tree)
        if each.module in pure and is_within(each.imported, *IMPURE_MODULES)
    ]
    for module, parsed in tree.items():
        if not is_within(module, *PURE):
            continue
        for node in ast.walk(parsed):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name in CLOCKS_AND_SURROUNDINGS:
                    found.append(f"{module}:{node.lineno} asks its surroundings: {ast.unparse(node)}")
                elif name in SEEDED_BY_ARGUMENT:
                    if not node.args and not node.keywords:
                        found.append(f"{module}:{node.lineno} draws without a seed: {ast.unparse(node)}")
                elif re.fullmatch(r"(np|numpy)\.random\.\w+", ast.unparse(node.func)):
                    found.append(f"{module}:{node.lineno} draws from a shared state: {ast.unparse(node)}")
    return found


def _with_imports(tree: Tree, modules: Iterable[str]) -> set[str]:
    """Return modules and all of the project that they import, directly or not."""
    arrows = _arrows(tree)
    waiting, found = list(modules), set[str]()
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += arrows[module]
    return found


def _arrows(tree: Tree) -> dict[str, set[str]]:
    """Return by module what it imports of the project."""
    arrows: dict[str, set[str]] = {name: set() for name in tree}
    for each in imports(tree):
        if each.imported in tree and each.imported != each.module:
            arrows[each.module].add(each.imported)
    return arrows


def unplaced_packages(tree: Tree) -> list[str]:
    """Return modules that are in no layer, so that a new package must be added to one."""
    placed = [package for layer in LAYERS for package in layer]
    roots = (*PACKAGES, "services")
    return [name for name in tree if name not in roots and not is_within(name, *placed)]


def _package(module: str, level: Mapping[str, int]) -> str | None:
    return next((package for package in level if is_within(module, package)), None)
