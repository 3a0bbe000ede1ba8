"""docs/alert-channels.md has every kind of channel with its options; its examples are opened here."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from services.alerter.channels import email, http
from services.alerter.channels.base import Channel
from services.alerter.channels.registry import CHANNELS, load_channel, open_channel
from services.alerter.rules.model import ChannelSpec
from tests.docs.compare import differences
from tests.docs.pages import ROOT, blocks, first_code, headings, rows, section

PAGE = (ROOT / "docs" / "alert-channels.md").read_text()
EXAMPLES = {
    name: channel for block in blocks(PAGE, "yaml") for name, channel in yaml.safe_load(block).items()
}
KINDS = sorted(CHANNELS)


def loaded(kind: str) -> type[Channel]:
    if CHANNELS[kind].extra:
        pytest.importorskip(kind, reason=f"the extra {CHANNELS[kind].extra} is not installed")
    return load_channel(kind)


def test_every_kind_has_its_section_its_example_and_its_row() -> None:
    assert differences({first_code(title) for title in headings(PAGE) if "`" in title}, CHANNELS) == []
    assert differences({example["kind"] for example in EXAMPLES.values()}, CHANNELS) == []
    table = rows(section(PAGE, "What holds for all of them"))
    assert differences({first_code(row["kind"]) for row in table}, CHANNELS) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_options_and_their_defaults_are_those_of_the_code(kind: str) -> None:
    table = {first_code(row["option"]): row["default"] for row in rows(section(PAGE, f"`{kind}`"))}
    assert table == {
        field.encode_name: default(field) for field in msgspec.structs.fields(loaded(kind).options)
    }


def default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    return "none" if field.default is None else f"`{str(field.default).lower()}`"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_opens(name: str, tmp_path: Path) -> None:
    example = dict(EXAMPLES[name])
    kind = example.pop("kind")
    loaded(kind)
    example.pop("budget_per_hour", None)

    open_channel(
        ChannelSpec(name, kind, {key: _here(key, value, tmp_path) for key, value in example.items()})
    )


def _here(option: str, value: Any, folder: Path) -> Any:  # noqa: ANN401 - of a file
    """Return an option's value with files that exist."""
    contents = {
        "secret_files": "whsec_" + base64.b64encode(b"k" * 32).decode(),
        "url_file": "json://127.0.0.1:9/" if "apprise" in str(value) else "https://hooks.example/services/1",
    }
    if not option.endswith(("_file", "_files")):
        return value
    path = folder / option
    path.write_text(contents.get(option, "s3cret"))
    return [str(path)] if option.endswith("_files") else str(path)


def test_the_limits_are_those_of_the_code() -> None:
    assert f"at most {http.TIMEOUT_S:g} seconds, a mail's {email.TIMEOUT_S:g}" in PAGE.replace("**", "")
    assert f"at most {http.MOST_BYTES // 1024} kB of an answer" in PAGE
