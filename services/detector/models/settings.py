"""Where trained models are."""

from pathlib import Path

from services.common.config.settings import EnvironmentSettings


class ModelSettings(EnvironmentSettings):
    """See `Settings`."""

    models: Path = Path("models")
    """The folder of trained models."""
