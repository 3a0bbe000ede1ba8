import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config

from dashboard.server.sign_in import KEYS, check_sign_in
from infra.embedded.ports import free_port
from services.common.errors import TapewatchError

WHOLE = {key: f"secret-{key}" for key in KEYS}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for secrets that Streamlit has not read yet."""
    path = tmp_path / "secrets.toml"
    others = config.get_option
    monkeypatch.setattr(
        config, "get_option", lambda name: [str(path)] if name == "secrets.files" else others(name)
    )
    st.secrets._reset()
    yield path
    st.secrets._reset()


def auth(settings: dict[str, str]) -> str:
    return "[auth]\n" + "".join(f'{name} = "{value}"\n' for name, value in settings.items())


@pytest.mark.parametrize("content", [None, "", '[other]\nkey = "x"\n', auth(WHOLE)])
def test_no_sign_in_and_a_whole_one_are_right(file: Path, content: str | None) -> None:
    if content is not None:
        file.write_text(content)
    check_sign_in()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("is_empty", [False, True])
def test_what_a_sign_in_lacks_is_named_and_no_secret_is(file: Path, key: str, is_empty: bool) -> None:
    given = {name: value for name, value in WHOLE.items() if name != key}
    file.write_text(auth(given | {key: ""} if is_empty else given))
    with pytest.raises(TapewatchError, match=rf"lacks {key}: see \[auth\] in .*secrets\.toml") as error:
        check_sign_in()
    assert "secret-" not in str(error.value)


@pytest.mark.parametrize("content", ["auth = 3\n", 'auth = ""\n', "[auth]\n"])
def test_a_sign_in_that_is_empty_lacks_everything(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(TapewatchError, match=f"lacks {', '.join(KEYS)}"):
        check_sign_in()


@pytest.mark.parametrize("content", [b'[auth]\nclient_secret = "secret-x\n', b'[auth]\nclient_id = "\xff"\n'])
def test_a_file_that_cannot_be_read_is_an_error(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(TapewatchError, match=r"secrets\.toml cannot be read") as error:
        check_sign_in()
    assert "secret-x" not in str(error.value)


def test_a_server_does_not_start_without_the_sign_in_that_it_is_told_to_have(tmp_path: Path) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit/secrets.toml").write_text('[auth]\nclient_id = "tapewatch\n')
    ended = subprocess.run(
        [sys.executable, "-m", "dashboard.server.asgi", "127.0.0.1", str(free_port())],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1
    assert ended.stderr.endswith("Correct it, or remove it.\n")
