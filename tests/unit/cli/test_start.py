"""The start of the command line."""

import subprocess
import sys

HEAVY = ("coniferest", "numba", "pandas", "polars", "scipy", "sklearn", "streamlit", "xgboost")


def test_a_command_starts_without_the_libraries_of_the_others() -> None:
    script = f"import sys, cli.main; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
