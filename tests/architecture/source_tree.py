"""The project's modules and their imports, parsed without running them."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "services", "dashboard", "infra", "benchmarks")


@dataclass(frozen=True)
class Import:
    """One import in a module, anywhere in the file.

    Parameters
    ----------
    module
        Who imports.
    line
        Where.
    imported
        What: a module of the project with the name taken from it (`a.b.name` where that is a module),
        or a module of another package.
    """

    module: str
    line: int
    imported: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.imported}"


Tree = Mapping[str, ast.Module]
"""Parsed modules by their dotted names."""


def read_tree(root: Path = ROOT) -> dict[str, ast.Module]:
    """Parse every module of the project but its tests."""
    tree = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            tree[name] = ast.parse(path.read_text(encoding="utf-8"))
    return tree


def parse(sources: Mapping[str, str]) -> dict[str, ast.Module]:
    """Parse modules given as text, for tests of the rules."""
    return {name: ast.parse(text) for name, text in sources.items()}


def imports(tree: Tree) -> Iterator[Import]:
    """Yield every import, including those inside functions, but not those only for type checkers."""
    for module, parsed in tree.items():
        for node in _walk_runtime(parsed):
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield Import(module, node.lineno, name.name)
            elif isinstance(node, ast.ImportFrom):
                source = _source(module, node, tree)
                for name in node.names:
                    full = f"{source}.{name.name}"
                    yield Import(module, node.lineno, full if full in tree else source)


def _source(module: str, node: ast.ImportFrom, tree: Tree) -> str:
    """Return the module that names are imported from, written out where it is relative."""
    if not node.level:
        return node.module or ""
    is_package = any(name.startswith(f"{module}.") for name in tree)
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def top_packages(root: Path = ROOT) -> set[str]:
    """Return the packages that stand at the top of the repository, the tests aside."""
    return {path.parent.name for path in root.glob("*/__init__.py")} - {"tests"}


def _walk_runtime(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        is_typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
        if not is_typing_only:
            yield child
            yield from _walk_runtime(child)


def is_within(module: str, *packages: str) -> bool:
    """Tell whether a module is one of the given packages, or in one of them."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)
