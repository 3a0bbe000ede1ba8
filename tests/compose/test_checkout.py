import os
from pathlib import Path

import yaml

from tests.compose.checkout import copy_for_its_owner
from tests.compose.stack import FILE, ROOT


def test_a_copy_is_its_owners_alone_and_has_what_is_built_and_mounted(tmp_path: Path) -> None:
    copy_for_its_owner(ROOT, tmp_path / "copy")
    copied = list((tmp_path / "copy").rglob("*"))
    assert not [path for path in copied if path.stat().st_mode & 0o077]
    assert not [path for path in copied if path.name == "__pycache__"]
    assert os.access(tmp_path / "copy" / "infra" / "docker" / "detect-warm", os.X_OK)
    services = yaml.safe_load((tmp_path / "copy" / FILE.name).read_text())["services"]
    built = {one["build"]["dockerfile"] for one in services.values() if "build" in one}
    for name in (*built, "infra/docker/no-data", "dashboard", "pyproject.toml", ".dockerignore"):
        assert (tmp_path / "copy" / name).exists()
    assert not (tmp_path / "copy" / "tests").exists()
