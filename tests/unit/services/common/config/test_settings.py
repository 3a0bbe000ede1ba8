import pytest

from services.common.config.settings import Settings
from services.common.errors import TapewatchError


def test_nothing_is_served_beyond_this_machine_unless_told() -> None:
    assert Settings.model_fields["metrics_host"].default == "127.0.0.1"


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_METRICS_HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("TAPEWATCH_METRICS_PORT", "9500")
    monkeypatch.setenv("TAPEWATCH_INSTANCE", "a")
    settings = Settings()
    assert (settings.metrics_host, settings.metrics_port) == ("0.0.0.0", 9500)  # noqa: S104
    assert settings.instance == "a"


@pytest.mark.parametrize("name", ["kafka", "instance", "metrics_host", "metrics_port"])
def test_an_empty_variable_counts_as_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TAPEWATCH_{name.upper()}", "")
    assert getattr(Settings(), name) == Settings.model_fields[name].default


@pytest.mark.parametrize("port", ["http", "-1", "65536", "9.5"])
def test_a_port_that_is_none_is_told(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_METRICS_PORT", port)
    with pytest.raises(TapewatchError, match=f"TAPEWATCH_METRICS_PORT is '{port}': "):
        Settings()
