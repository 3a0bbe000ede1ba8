import stat
from pathlib import Path

import pytest

from infra.docker.make_storage_passwords import (
    ALL,
    GRAFANA,
    HANDED_OUT,
    READ_BY_OTHERS,
    ROLES,
    main,
)

VOLUMES = (ALL, *HANDED_OUT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for volume in VOLUMES:
        (tmp_path / volume).mkdir()
    main(tmp_path)
    return tmp_path


def contents(root: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in root.rglob("*") if path.is_file()}


def test_each_role_has_a_password_of_its_own_and_each_volume_only_its_roles(root: Path) -> None:
    passwords = {role: (root / ALL / f"{role}.password").read_text() for role in ROLES}
    admin = (root / GRAFANA / "admin.password").read_text()
    assert len({*passwords.values(), admin}) == len(ROLES) + 1
    assert all(len(password) >= 32 for password in (*passwords.values(), admin))
    for volume, role in HANDED_OUT.items():
        assert (root / volume / "password").read_text() == passwords[role]
        others = {password for owner, password in passwords.items() if owner != role}
        assert not others & {text for path, text in contents(root / volume).items()}
    assert [path for path, text in contents(root).items() if text == admin] == [
        root / GRAFANA / "admin.password"
    ]


def test_only_volumes_of_other_users_images_have_files_that_others_may_read(root: Path) -> None:
    for path in contents(root):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o644 if path.parent.name in READ_BY_OTHERS else 0o600), path


def test_a_second_start_keeps_everything(root: Path) -> None:
    before = contents(root)
    main(root)
    assert contents(root) == before
