"""Links and images lead to existing targets inside the repository."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import NAMES, ROOT, anchors, code, headings, links

PATH = re.compile(r"(cli|services|dashboard|infra|benchmarks|tests|docs)/[\w./-]*")


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_resolves(name: str) -> None:
    page = ROOT / name
    assert broken(page, ROOT) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_page_leads_out_of_the_repository(name: str) -> None:
    assert [line for line in (ROOT / name).read_text().splitlines() if "../shared" in line] == []


@pytest.mark.parametrize("name", [name for name in NAMES if "adding-a-" not in name])
def test_every_path_that_a_page_shows_exists(name: str) -> None:
    assert lost_paths((ROOT / name).read_text(), ROOT) == []


def lost_paths(text: str, root: Path) -> list[str]:
    """Return the files and folders of the project that a text names but that do not exist."""
    paths = [span for span in code(text) if PATH.fullmatch(span)]
    return [path for path in paths if not (root / path).exists()]


def test_missing_path_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    assert lost_paths("`docs` `docs/` `docs/gone.md` `infra/<name>/x` `and/or`", tmp_path) == ["docs/gone.md"]


def test_every_page_can_be_reached_from_the_readme() -> None:
    assert unreached(ROOT / "README.md", [ROOT / name for name in NAMES]) == []


def test_changelog_has_the_version_and_a_place_for_what_comes() -> None:
    (version,) = re.findall(r"^version = \"(.+)\"$", (ROOT / "pyproject.toml").read_text(), re.M)
    titles = headings((ROOT / "CHANGELOG.md").read_text())
    assert titles[1] == "Unreleased"
    assert version in titles


def unreached(start: Path, pages: list[Path]) -> list[Path]:
    """Return the pages that cannot be reached by links."""
    waiting, seen = [start], {start}
    while waiting:
        page = waiting.pop()
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page.read_text())}
        new = {target for target in targets if target.suffix == ".md" and target.is_file()} - seen
        seen |= new
        waiting += new
    return [page for page in pages if page not in seen]


def test_page_without_a_way_to_it_is_found(tmp_path: Path) -> None:
    for name, text in (("a", "[b](b.md)"), ("b", "[c](c.md#x)"), ("c", "[a](a.md)"), ("d", "[a](a.md)")):
        (tmp_path / f"{name}.md").write_text(text)
    pages = [tmp_path / f"{name}.md" for name in "abcd"]
    assert unreached(pages[0], pages) == [pages[3]]


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
