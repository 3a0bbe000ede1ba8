"""Compiled code keeps the order of operations: no fast arithmetic and no parallel loops anywhere."""

import ast
from collections.abc import Iterator
from pathlib import Path

import services

COMPILERS = {"njit", "jit", "vectorize", "guvectorize", "stencil", "cfunc"}
FORBIDDEN = {"prange", "fastmath", "parallel"}


def compiled_functions(source: str) -> Iterator[tuple[str, str]]:
    """Yield each function that is compiled, and its decorator as it is written."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in COMPILERS:
                    yield node.name, ast.unparse(decorator)


def reordering_names(source: str) -> set[str]:
    """Return the names in a source that would let the compiler change the order of sums."""
    nodes = list(ast.walk(ast.parse(source)))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    used |= {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
    return used & FORBIDDEN


def test_compiled_code_keeps_the_order_of_operations() -> None:
    sources = [path.read_text() for path in Path(services.__path__[0]).rglob("*.py")]
    compiled = [function for source in sources for function in compiled_functions(source)]
    assert len(compiled) > 20
    assert {decorator for _, decorator in compiled} == {"njit(cache=True)"}
    assert [source for source in sources if "numba" in source and reordering_names(source)] == []


def test_fast_arithmetic_and_parallel_loops_are_found() -> None:
    source = (
        "import numba\n@numba.njit(fastmath=True)\ndef f(x):\n    for i in numba.prange(3):\n        pass\n"
    )
    assert list(compiled_functions(source)) == [("f", "numba.njit(fastmath=True)")]
    assert reordering_names(source) == {"prange", "fastmath"}
