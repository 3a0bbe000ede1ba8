"""The tests that docs/determinism.md names exist."""

import re

from tests.docs.pages import ROOT, code, rows

PAGE = (ROOT / "docs" / "determinism.md").read_text()
TEST = re.compile(r"\btest_\w+")
STATUSES = {"tested", "enforced", "by design", "not covered", "tested by hand"}


def test_every_test_that_is_named_exists() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for span in code(PAGE) for name in TEST.findall(span)}
    assert [name for name in sorted(named) if f"def {name}(" not in sources] == []


def test_every_item_has_a_status_and_names_its_test() -> None:
    for row in rows(PAGE):
        assert row["status"] in STATUSES, row
        assert row["status"] != "tested" or TEST.search(row["how"]), row
