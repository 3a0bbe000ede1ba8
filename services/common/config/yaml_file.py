"""YAML files that people write, and what is wrong with them, by line."""

import codecs
import contextlib
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from services.common.errors import TapewatchError

NAMES = ("symbol", "symbols", "venues")
"""Keys whose values are names, taken as the text that stands there."""


@dataclass(frozen=True)
class YamlFile:
    """What a file holds.

    Parameters
    ----------
    given
        Its mapping; an empty file has an empty one.
    node
        The same with its lines; None of an empty file.
    """

    given: dict[str, Any]
    node: yaml.Node | None

    def line_of(self, *keys: str | int) -> int:
        """Return the line of the closest key in the file, from 1."""
        node, line = self.node, 1
        for key in keys:
            if isinstance(node, yaml.MappingNode):
                pairs = {key.value: (key, value) for key, value in node.value}
            elif isinstance(node, yaml.SequenceNode):
                pairs = {str(number): (value, value) for number, value in enumerate(node.value)}
            else:
                break
            if str(key) not in pairs:
                break
            found, node = pairs[str(key)]
            line = found.start_mark.line + 1
        return line

    def describe(self, fault: ErrorDetails, place: str = "") -> str:
        """Describe an error of validation, with its line.

        Parameters
        ----------
        fault
            As pydantic describes it.
        place
            Where in the file the part is that was validated, such as `symbols.NVDA.`.
        """
        above = place.rstrip(".").split(".") if place else []
        where = place + ".".join(str(part) for part in fault["loc"])
        line = self.line_of(*above, *fault["loc"])
        return f"line {line}: {where}: {_PLAINLY.get(fault['type'], fault['msg'])}"


def read_yaml_file(path: Path, what: str, instead: str, first_line: str) -> YamlFile:
    """Read a file whose content is a mapping.

    Parameters
    ----------
    path
        The file, in UTF-8, or in UTF-16 with a byte order mark, as Windows writes it.
    what
        What it is, for errors: `The profile x.yaml`.
    instead
        What can be given in its place, as the rest of a sentence that begins with a verb: `give …`.
    first_line
        A line that such a file may begin with.

    Raises
    ------
    TapewatchError
        It cannot be read, is not YAML, or not a mapping.
    """
    try:
        text = _text(path)
    except UnicodeDecodeError as error:
        raise TapewatchError(
            f"{what} cannot be read: not UTF-8.", f"Save it as UTF-8, or {instead}."
        ) from error
    except OSError as error:
        raise TapewatchError(
            f"{what} cannot be read: {error.strerror}.", f"{instead[:1].upper()}{instead[1:]}."
        ) from error
    return _read(text, what, first_line)


def read_yaml_text(text: str, what: str, first_line: str) -> YamlFile:
    """Read the text of such a file, which may come from anybody; see `read_yaml_file`.

    Raises
    ------
    TapewatchError
        It is not YAML, not a mapping, or a part stands for another one: a few such parts are enough to fill
        the memory when an error quotes them.
    """
    with contextlib.suppress(yaml.YAMLError):  # which is named below
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):
                line = token.start_mark.line + 1
                raise TapewatchError(
                    f"{what} is invalid: line {line}: *{token.value} stands for another part.",
                    "Write that part itself; put a text that begins with * in quotes.",
                )
    return _read(text, what, first_line)


def _read(text: str, what: str, first_line: str) -> YamlFile:
    try:
        given = _Loader(text).get_single_data() or {}
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        raise TapewatchError(f"{what} is not YAML: {error}.", "Fix the line it names.") from error
    except RecursionError as error:
        raise TapewatchError(f"{what} is nested too deeply.", "Write fewer brackets.") from error
    if not isinstance(given, dict):
        raise TapewatchError(f"{what} is not a mapping.", f"Begin with lines such as `{first_line}`.")
    return YamlFile(given, node)


class _Loader(yaml.SafeLoader):
    """Takes keys and symbols as the text that stands there: `ON`, `NO`, `TRUE` and `0700` are tickers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        self._refuse_repeated(node)
        self.flatten_mapping(node)
        for key, value in node.value:
            texts = [key]
            if key.value in NAMES:
                texts += value.value if isinstance(value, yaml.SequenceNode) else [value]
            for text in texts:
                if isinstance(text, yaml.ScalarNode):
                    text.tag = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG
        return super().construct_mapping(node, deep)

    def _refuse_repeated(self, node: yaml.MappingNode) -> None:
        """Refuse a name that stands twice in one place; the second would silently replace the first."""
        names: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    raise yaml.constructor.ConstructorError(
                        problem=f"{key.value} stands here twice", problem_mark=key.start_mark
                    )
                names.add(key.value)


# Days and times stay text, so that a wrong one is named with its line.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _text(path: Path) -> str:
    content = path.read_bytes()
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig")


_PLAINLY = {
    "extra_forbidden": "no such name is known here",
    "missing": "it is missing",
    "tuple_type": "write a list, such as [A, B], or a line that begins with - for each",
    "model_type": "write names and values, such as {name: value}",
    "dict_type": "write names and values, such as {name: value}",
    "date_from_datetime_parsing": "write a day as 2024-12-20",
    "date_from_datetime_inexact": "write a day as 2024-12-20, or `from` and `to` for times",
    "datetime_from_date_parsing": "write a time as 2024-12-20 09:30, an offset such as Z after it if need be",
}
"""What pydantic says in the terms of Python, by its type of error."""
