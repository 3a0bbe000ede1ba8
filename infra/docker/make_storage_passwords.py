"""Creates Postgres's and Grafana's passwords at the first start with the profile storage, in volumes.

`docker compose run --rm storage-passwords USER` shows one.
"""

import secrets
import sys
from pathlib import Path

from infra.docker.secret_files import ROOT, hand_out, let_others_read, make_passwords, show, write_once
from services.contracts.postgres import READER_ROLE, WRITER_ROLE

ALL = "storage-passwords"
"""The volume with all of Postgres's passwords, which `setup-postgres` gives to the roles."""

SUPERUSER = "postgres"
GRAFANA_ADMIN = "admin"
ROLES = (SUPERUSER, WRITER_ROLE, READER_ROLE)
POSTGRES, WRITER, GRAFANA = "postgres", "writer", "grafana"
HANDED_OUT = {POSTGRES: SUPERUSER, WRITER: WRITER_ROLE, GRAFANA: READER_ROLE}
"""For each service's volume, whose password is in its file `password`."""

READ_BY_OTHERS = (POSTGRES, GRAFANA)
"""Volumes of images that have users of their own."""


def main(root: Path = ROOT) -> None:
    """Create the files that do not exist yet; keep existing ones."""
    make_passwords(root / ALL, ROLES)
    hand_out(root / ALL, root, HANDED_OUT)
    make_passwords(root / GRAFANA, [GRAFANA_ADMIN])
    write_once(root / GRAFANA / "secret-key", secrets.token_hex(32))
    let_others_read(root, READ_BY_OTHERS)


if __name__ == "__main__":
    main()
    if len(sys.argv) > 1:
        kept = {role: ROOT / ALL / f"{role}.password" for role in ROLES}
        kept[GRAFANA_ADMIN] = ROOT / GRAFANA / f"{GRAFANA_ADMIN}.password"
        sys.exit(show(sys.argv[1], kept))
