"""Links and pictures lead somewhere, and never out of the repository."""

from pathlib import Path

import pytest

from tests.docs.pages import NAMES, ROOT, anchors, links


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_resolves(name: str) -> None:
    page = ROOT / name
    assert broken(page, ROOT) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_page_leads_out_of_the_repository(name: str) -> None:
    assert [line for line in (ROOT / name).read_text().splitlines() if "../shared" in line] == []


def broken(page: Path, root: Path) -> list[str]:
    """Return the links of a page that lead nowhere, or out of `root`."""
    found = []
    for link in links(page.read_text()):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        is_there = target.is_relative_to(root) and target.exists()
        if not is_there or (anchor and anchor not in anchors(target.read_text())):
            found.append(link)
    return found


def test_broken_links_pictures_and_anchors_are_found(tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text("# Outside\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "other.md").write_text("# A part\n")
    page = root / "page.md"
    page.write_text(
        "[good](other.md#a-part) [page](#here) [web](https://example.org/x)\n"
        "[gone](gone.md) ![gone](gone.png) [part](other.md#no-part) [out](../outside.md)\n\n# Here\n"
    )
    assert broken(page, root) == ["gone.md", "gone.png", "other.md#no-part", "../outside.md"]
