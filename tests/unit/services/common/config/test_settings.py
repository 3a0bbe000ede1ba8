import traceback
from pathlib import Path

import pytest

from dashboard.settings import DashboardSettings
from infra.setup.settings import SetupSettings
from services.common.config.settings import Settings
from services.common.errors import TapewatchError


def test_metrics_are_served_only_on_this_machine_by_default() -> None:
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
def test_an_invalid_port_is_reported(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_METRICS_PORT", port)
    with pytest.raises(TapewatchError, match=f"TAPEWATCH_METRICS_PORT is '{port}': "):
        Settings()


@pytest.mark.parametrize(
    ("kind", "name"),
    [(SetupSettings, "KIBANA"), (DashboardSettings, "KIBANA"), (DashboardSettings, "SERVICES")],
)
@pytest.mark.parametrize("value", ["http://user:hunter2@host:5601", "user:hunter2@host", "hunter2"])
def test_no_error_shows_a_value_that_may_hold_a_secret(
    kind: type[Settings], name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TAPEWATCH_{name}", value)
    with pytest.raises(TapewatchError, match=f"^TAPEWATCH_{name} cannot be used: ") as caught:
        kind()
    told = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in told
    assert "Value error" not in told


def test_setup_and_dashboard_take_the_same_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    monkeypatch.setenv("TAPEWATCH_KIBANA", "https://kibana:5601/s/desk/")
    monkeypatch.setenv("TAPEWATCH_KIBANA_USER", "elastic")
    monkeypatch.setenv("TAPEWATCH_KIBANA_PASSWORD_FILE", str(tmp_path / "password"))
    setup = SetupSettings()
    assert setup.kibana == DashboardSettings().kibana == "https://kibana:5601/s/desk"
    assert setup.kibana_login() == ("elastic", "hunter2")
