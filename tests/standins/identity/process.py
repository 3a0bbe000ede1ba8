"""A provider's process, as tests start it."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import asdict
from typing import Any, Self

from tests.standins.identity.client import Client, IdentityFault


class ProviderProcess:
    """A running provider of OpenID Connect; a context manager that ends it.

    Parameters
    ----------
    client
        The one client that it knows.

    Attributes
    ----------
    url
        Its issuer, on 127.0.0.1.
    """

    def __init__(self, client: Client) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.standins.identity.provider",
                "--client",
                json.dumps(asdict(client)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the provider has not started"
        self.url = f"http://127.0.0.1:{json.loads(line)['port']}"

    def next_is(self, claims: dict[str, Any], fault: IdentityFault | None = None) -> None:
        """Name who signs in from now on, and what goes wrong with it."""
        given = json.dumps({"claims": claims, "fault": fault}).encode()
        urllib.request.urlopen(f"{self.url}/_next", given, timeout=10).close()  # noqa: S310

    def state(self) -> dict[str, Any]:
        """Return how many have signed in and out."""
        with urllib.request.urlopen(f"{self.url}/_state", timeout=10) as answer:  # noqa: S310
            state: dict[str, Any] = json.load(answer)
            return state

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
