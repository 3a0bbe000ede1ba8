"""The environment that trains the autoencoder: `make autoencoder`."""

from pathlib import Path

from rich.console import Console

from services.common.process.locked_environment import LockedEnvironment

_PROJECT = Path(__file__).parents[6]

JAX = LockedEnvironment(
    "JAX", Path(__file__).with_name("requirements.lock"), _PROJECT / "out" / "autoencoder-venv"
)
"""It pulls what no service, user or test needs."""

if __name__ == "__main__":
    JAX.install(Console(stderr=True, highlight=False, soft_wrap=True).print)
