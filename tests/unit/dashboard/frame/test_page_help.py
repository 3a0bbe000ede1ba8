import re
from pathlib import Path

import pytest

from dashboard.frame.page_help import HELP

ROOT = Path(__file__).parents[4]


def anchors(path: str) -> set[str]:
    text = (ROOT / path).read_text()
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", HELP)
def test_the_docs_that_a_page_names_exist(path: str) -> None:
    assert HELP[path].docs
    for place in HELP[path].docs:
        page, _, anchor = place.partition("#")
        assert not anchor or anchor in anchors(page), place


@pytest.mark.parametrize("path", HELP)
def test_what_is_said_is_short(path: str) -> None:
    assert HELP[path].words
    assert all(len(meaning) <= 120 for meaning in HELP[path].words.values())
