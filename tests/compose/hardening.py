"""Looks into the running containers: their rights, their file systems and the passwords they can read."""

import re
from collections.abc import Collection, Mapping

import orjson

from infra.docker.make_storage_passwords import GRAFANA_ADMIN, SUPERUSER
from services.contracts.postgres import READER_ROLE, WRITER_ROLE
from tests.chaos.verify import Violation
from tests.compose.engine import Container, docker, python_in, run
from tests.compose.stack import STORAGE_PASSWORDS, ComposeStack

OURS = ("producer", "detector", "alerter", "indexer", "dashboard", "indexer-postgres")
"""Services in containers built here, of those that keep running for a while."""

USER = "1000"
NO_RIGHTS = "0000000000000000"
PASSWORD_OF = {
    "elasticsearch": {"elastic"},
    "kibana": {"kibana_system"},
    "indexer": {"tapewatch-indexer"},
    "dashboard": {"tapewatch-dashboard"},
    "postgres": {SUPERUSER},
    "indexer-postgres": {WRITER_ROLE},
    "grafana": {READER_ROLE, GRAFANA_ADMIN},
}
"""The users whose passwords a service that keeps running can read; the others none."""

_ALL_PASSWORDS = """
import json, pathlib
files = pathlib.Path("/run/tapewatch").glob("*/*.password")
print(json.dumps({file.stem: file.read_text() for file in files}))
"""
_READ_ALL = "cat /run/tapewatch/*/* 2>/dev/null; true"
_WRITE = """
import sys
for path in sys.argv[1:]:
    try:
        open(path, "w").close()
    except OSError as error:
        print(path, error.strerror)
    else:
        print(path, "written")
"""


def check_hardening(stack: ComposeStack, *, has_storage: bool = False) -> list[Violation]:
    """Report rights and passwords that a container should not have.

    Parameters
    ----------
    stack
        Its services run.
    has_storage
        Whether those of the profile storage run, too.
    """
    everything = stack.containers()
    running = [one for one in everything.values() if one.state == "running"]
    violations = []
    for one in running:
        is_ours = one.service in OURS
        violations += judge_rights(
            one.name, docker("exec", one.name, "cat", "/proc/1/status"), is_ours=is_ours
        )
        if is_ours:
            violations += judge_files(one, python_in(one, _WRITE, "/app/x", "/venv/x", "/tmp/x"))  # noqa: S108
    passwords: dict[str, str] = {}
    for job in ("passwords", STORAGE_PASSWORDS) if has_storage else ("passwords",):
        asked = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "python", job, "-c", _ALL_PASSWORDS)
        passwords |= orjson.loads(stack.compose(*asked))
    for one in everything.values():
        shown = one.settings + run(["docker", "logs", one.name]).said
        violations += judge_shown(one.name, shown, passwords)
    for one in running:
        # As the files' owner, whatever the image's own user is.
        readable = docker("exec", "--user", USER, one.name, "sh", "-c", _READ_ALL)
        violations += judge_readable(one, readable, passwords)
    return violations


def judge_rights(name: str, status: str, *, is_ours: bool) -> list[Violation]:
    """Report what the first process of a container may do.

    Parameters
    ----------
    name
        The container's.
    status
        Its `/proc/1/status`.
    is_ours
        Whether its image is built here: then it must run as a user of its own.
    """
    fields = dict(re.findall(r"^(\w+):\s+(\S+)", status, re.M))
    wanted = {"CapEff": NO_RIGHTS, "CapPrm": NO_RIGHTS, "CapBnd": NO_RIGHTS, "NoNewPrivs": "1"}
    if is_ours:
        wanted["Uid"] = USER
    problems = [f"{key} {fields.get(key)}" for key, value in wanted.items() if fields.get(key) != value]
    return _violation(name, "has rights", problems)


def judge_files(container: Container, tried: str) -> list[Violation]:
    """Report where a container of ours can write, besides its memory.

    Parameters
    ----------
    container
        It.
    tried
        A line for each file that was written, or not.
    """
    problems = [] if container.is_read_only else ["its file system is not read-only"]
    for line in tried.splitlines():
        path, _, outcome = line.partition(" ")
        is_wanted = outcome == ("written" if path.startswith("/tmp/") else "Read-only file system")  # noqa: S108
        if not is_wanted:
            problems.append(line)
    return _violation(container.name, "writes", problems)


def judge_shown(name: str, shown: str, passwords: Mapping[str, str]) -> list[Violation]:
    """Report passwords in what everybody who may ask the engine can see: settings and logs."""
    return _violation(name, "shows a password", [user for user, text in passwords.items() if text in shown])


def judge_readable(container: Container, readable: str, passwords: Mapping[str, str]) -> list[Violation]:
    """Report passwords that a service can read and should not, and those that it cannot and should."""
    found = {user for user, text in passwords.items() if text in readable}
    wanted = PASSWORD_OF.get(container.service, set())
    return [
        *_violation(container.name, "reads a password", sorted(found - wanted)),
        *_violation(container.name, "cannot read its password", sorted(wanted - found)),
    ]


def _violation(name: str, kind: str, problems: Collection[str]) -> list[Violation]:
    return [Violation(name, kind, len(problems), tuple(problems))] if problems else []
