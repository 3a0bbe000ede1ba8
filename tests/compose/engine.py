"""The Docker engine: its containers, and what can be done to one."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.errors import TapewatchError

SHOWN_LINES = 15
JOBS_IMAGE = "tapewatch-setup"
"""The image in which a process can be killed from outside its container."""

_KILL_CHILDREN = """
import os, signal
for one in filter(str.isdecimal, os.listdir("/proc")):
    with open(f"/proc/{one}/stat") as stat:
        parent = stat.read().rpartition(")")[2].split()[1]
    if parent == "1":
        os.kill(int(one), signal.SIGKILL)
"""


@dataclass(frozen=True)
class Done:
    """What a program printed, and its exit code."""

    code: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.output + self.errors


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Done:
    """Run a program to its end; an interrupt of this one kills it."""
    # In a session of its own: Ctrl-C is for this program, which takes the containers away then.
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself a moment ago
            os.killpg(process.pid, signal.SIGKILL)  # docker and compose are two processes
        process.wait()
        raise
    return Done(process.returncode, output, errors)


def succeeded(done: Done, what: str) -> str:
    """Return what a program printed.

    Raises
    ------
    TapewatchError
        It failed.
    """
    if done.code:
        last = "\n".join(done.said.splitlines()[-SHOWN_LINES:])
        raise TapewatchError(f"{what} failed ({done.code}):\n{last}", "Check its output.")
    return done.output


def docker(*arguments: str) -> str:
    """Run `docker` and return what it prints; raises TapewatchError if it fails."""
    return succeeded(run(["docker", *arguments]), f"docker {' '.join(arguments)}")


def check_docker() -> None:
    """Check that there is an engine, and compose.

    Raises
    ------
    TapewatchError
        No engine was found.
    """
    for command, cause, hint in (
        (
            ["docker", "info"],
            "No Docker engine was found.",
            "Install Docker, start it, and be allowed to use it.",
        ),
        (["docker", "compose", "version"], "Docker has no compose.", "Install Docker's compose plugin."),
    ):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise TapewatchError(cause, hint) from error


@dataclass(frozen=True)
class Container:
    """A container as the engine describes it.

    Parameters
    ----------
    name, service
        Its own, and the compose file's.
    state, health
        Such as "running" and "healthy"; "" without a health check.
    exit_code
        Of its last end.
    pid
        Of its first process, as the engine's machine numbers it; 0 if it does not run.
    started_at
        Of its last start.
    restarts
        How often the engine has started it again since somebody did.
    settings
        All that it was started with: variables, command, labels, as one text.
    is_read_only
        Whether its file system is.
    addresses
        In each of its networks.
    """

    name: str
    service: str
    state: str
    health: str
    exit_code: int
    pid: int
    started_at: str
    restarts: int
    settings: str
    is_read_only: bool
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, inspected: Mapping[str, Any]) -> "Container":
        """Read the output of `docker inspect`."""
        state = inspected["State"]
        return cls(
            name=inspected["Name"].removeprefix("/"),
            service=inspected["Config"]["Labels"]["com.docker.compose.service"],
            state=state["Status"],
            health=state.get("Health", {}).get("Status", ""),
            exit_code=state["ExitCode"],
            pid=state["Pid"],
            started_at=state["StartedAt"],
            restarts=inspected["RestartCount"],
            settings=json.dumps([inspected["Config"], inspected["HostConfig"], inspected["Args"]]),
            is_read_only=inspected["HostConfig"]["ReadonlyRootfs"],
            addresses=tuple(
                network["IPAddress"]
                for network in inspected["NetworkSettings"]["Networks"].values()
                if network["IPAddress"]
            ),
        )

    @property
    def is_well(self) -> bool:
        """Whether it runs and is healthy."""
        return (self.state, self.health) == ("running", "healthy")


def containers(project: str) -> dict[str, Container]:
    """Return a project's containers by name, without those of `docker compose run`."""
    ids = docker(
        *("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}"),
        *("--filter", "label=com.docker.compose.oneoff=False"),
    ).split()
    found = [Container.of(one) for one in json.loads(docker("inspect", *ids))] if ids else []
    return {one.name: one for one in found}


def restart(container: Container) -> None:
    """Stop it as `docker compose restart` does, and start it."""
    docker("restart", container.name)


def kill(container: Container) -> None:
    """Kill its first process from outside, as a machine without memory does; the engine sees a crash.

    `docker kill` would count as somebody's wish, after which the engine starts nothing again.
    """
    docker(
        *("run", "--rm", "--pid", "host", "--network", "none", "--user", "0", "--entrypoint", "sh"),
        *(JOBS_IMAGE, "-c", f"kill -9 {container.pid}"),
    )


def kill_children(container: Container) -> None:
    """Kill the processes that its first process has started; needs Python in it."""
    docker("exec", container.name, "python", "-c", _KILL_CHILDREN)


def python_in(container: Container, program: str, *arguments: str) -> str:
    """Run a Python program in a container and return what it prints."""
    return docker("exec", container.name, "python", "-c", program, *arguments)
