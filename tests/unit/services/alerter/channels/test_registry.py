import sys
from pathlib import Path

import msgspec
import pytest

from services.alerter.channels.base import Channel
from services.alerter.channels.registry import CHANNELS, load_channel, open_channel
from services.alerter.rules.model import ChannelSpec
from services.common.errors import TapewatchError
from tests.unit.services.alerter.channels import samples


@pytest.mark.parametrize("kind", sorted(set(CHANNELS) - {"apprise"}))
def test_each_kind_has_a_class_with_that_name_and_its_options(kind: str) -> None:
    found = load_channel(kind)

    assert issubclass(found, Channel)
    assert found.kind == kind
    assert issubclass(found.options, msgspec.Struct)


def test_only_the_kind_that_is_named_is_loaded() -> None:
    for name in ("services.alerter.channels.slack", "services.alerter.channels.email"):
        sys.modules.pop(name, None)

    load_channel("slack")

    assert "services.alerter.channels.slack" in sys.modules
    assert "services.alerter.channels.email" not in sys.modules


def test_an_unknown_kind_names_those_that_there_are() -> None:
    with pytest.raises(TapewatchError, match=r"'desk'.*Unknown kind of channel 'fax'") as error:
        open_channel(ChannelSpec("desk", "fax", {}))

    assert error.value.hint == f"Choose one of: {', '.join(sorted(CHANNELS))}."


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "services.alerter.channels.apprise", raising=False)
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(TapewatchError, match=r"tapewatch\[alerts-apprise\]"):
        open_channel(ChannelSpec("other", "apprise", {}))


def test_an_error_names_the_channel_and_the_option() -> None:
    with pytest.raises(TapewatchError) as error:
        open_channel(ChannelSpec("pager", "pagerduty", {}))

    assert error.value.cause == (
        "The channel 'pager' (pagerduty) cannot be used: the option key_file is missing."
    )


def test_a_secret_s_file_that_cannot_be_read_names_the_channel(tmp_path: Path) -> None:
    given = samples.options("slack", tmp_path) | {"url_file": "/nowhere/slack"}

    with pytest.raises(TapewatchError, match=r"'desk'.*/nowhere/slack cannot be read"):
        open_channel(ChannelSpec("desk", "slack", given))
