from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.models.manifest import Alias
from services.detector.models.registry import ALIASES, ModelRegistry
from services.detector.offline.models.store import set_alias
from tests.unit.services.detector.models.trained import stored


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    stored(tmp_path)
    stored(tmp_path, seed=2)
    stored(tmp_path, name="other")
    return ModelRegistry(tmp_path)


def test_models_are_found_by_name_digest_and_alias(registry: ModelRegistry) -> None:
    assert registry.names() == ["other", "trades"]
    first, second = registry.digests("trades")
    assert registry.find(f"trades@{second}").name == second
    assert registry.find(f"trades@{first[:8]}").name == first
    assert set_alias(registry, "trades", Alias.CHAMPION, second) is None
    assert set_alias(registry, "trades", Alias.CHALLENGER, first) is None
    assert registry.find("trades").name == registry.find("trades@champion").name == second
    assert registry.find("trades@challenger").name == first
    assert set_alias(registry, "trades", Alias.CHAMPION, first) == second


@pytest.mark.parametrize(
    ("reference", "cause"),
    [
        ("none", "There is no model 'none'"),
        ("../trades", "There is no model '../trades'"),
        ("trades", "No model trades is the champion."),
        ("trades@0123", "No models fit 'trades@0123'."),
        ("trades@*", "No models fit 'trades@*'."),
        (f"trades@{'0' * 64}", "No models fit"),
    ],
)
def test_what_is_not_there_is_said_with_the_fix(registry: ModelRegistry, reference: str, cause: str) -> None:
    with pytest.raises(TapewatchError) as caught:
        registry.find(reference)
    assert caught.value.cause.startswith(cause)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["{", '{"first": "x"}', '{"champion": "../x"}'])
def test_damaged_aliases_are_named(registry: ModelRegistry, text: str) -> None:
    (registry.folder / "trades" / ALIASES).write_text(text)
    with pytest.raises(TapewatchError, match=r"aliases.json cannot be read"):
        registry.find("trades@champion")


def test_a_folder_that_is_missing_has_no_models(tmp_path: Path) -> None:
    assert ModelRegistry(tmp_path / "none").names() == []
