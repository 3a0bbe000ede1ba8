from pathlib import Path

import pytest

from services.common.config.yaml_file import YamlFile, read_yaml_file
from services.common.errors import TapewatchError


def read(path: Path) -> YamlFile:
    return read_yaml_file(path, "The file", "give another", "first:")


def test_names_stay_the_text_that_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("symbols: [ON, 0700]\nvenues: [NO]\non: 16:00\nday: 2024-12-20\n")
    assert read(path).given == {"symbols": ["ON", "0700"], "venues": ["NO"], "on": 960, "day": "2024-12-20"}


def test_the_line_of_the_closest_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a:\n  - x: 1\n  - x: 2\n    y: 3\nb: 4\n")
    file = read(path)
    assert [
        file.line_of("a", 1, "y"),
        file.line_of("a", 1, "z"),
        file.line_of("a", 7),
        file.line_of("b", "c"),
        file.line_of("other"),
    ] == [4, 3, 1, 5, 1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_as_windows_writes_them_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("a: é\n".encode(encoding))
    assert read(path).given == {"a": "é"}


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.touch()
    assert read(path).given == {}


def test_merged_keys_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read(path).given["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    ("content", "cause", "hint"),
    [
        (b"a: [", "The file is not YAML", "Fix the line"),
        (b"a: 1\nb: {c: 1, c: 2}\n", "c stands here twice", "Fix the line"),
        (b"- a\n", "The file is not a mapping.", "Begin with lines such as `first:`."),
        (b"a: \xff\n", "The file cannot be read: not UTF-8.", "Save it as UTF-8, or give another."),
        (None, "The file cannot be read: No such file or directory.", "Give another."),
    ],
)
def test_what_cannot_be_read_is_named_with_its_fix(
    tmp_path: Path, content: bytes | None, cause: str, hint: str
) -> None:
    path = tmp_path / "a.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TapewatchError) as error:
        read(path)
    assert cause in error.value.cause
    assert hint in error.value.hint
