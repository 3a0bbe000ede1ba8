"""Builds the home folder that Elasticsearch starts from: its modules and the compiled launcher."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from infra.embedded.jars import Jar
from infra.embedded.java import java_command
from services.common.errors import TapewatchError

LAUNCHER_CLASS = "EmbeddedNode"
_PLUGIN_CLASS = "RootEndpoint"
_SOURCES = [Path(__file__).with_name(f"{name}.java") for name in (LAUNCHER_CLASS, _PLUGIN_CLASS)]


def is_transport(jar: Jar) -> bool:
    """Tell whether a jar belongs to the HTTP transport, which the server loads as a module."""
    return jar.group == "io.netty" or jar.artifact == "transport-netty4"


def build_home(version: str, server: Mapping[Jar, Path], compiler: Mapping[Jar, Path], cache: Path) -> Path:
    """Return the home folder for a version; build it if the cache does not have it yet.

    Parameters
    ----------
    version
        Elasticsearch's version.
    server
        Elasticsearch's jars and their files, including the transport's.
    compiler
        The Java compiler's jars and their files.
    cache
        Folder of home folders. The name of each contains a hash of its inputs, so that none is ever outdated.

    Returns
    -------
    Path
        Folder with `modules/` and `launcher/`; never changed after it was built.

    Raises
    ------
    TapewatchError
        If the launcher does not compile.
    """
    home = cache / f"{version}-{_fingerprint([*server, *compiler])}"
    if home.exists():
        return home
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as temporary:
        building = Path(temporary) / "home"
        launcher = building / "launcher"
        launcher.mkdir(parents=True)
        (building / "plugins").mkdir()
        _compile(launcher, list(server.values()), list(compiler.values()))
        root = _module(building, "root-endpoint", _PLUGIN_CLASS, version)
        with zipfile.ZipFile(root / "root-endpoint.jar", "w") as jar:
            for compiled in sorted(launcher.glob(f"{_PLUGIN_CLASS}*.class")):
                jar.write(compiled, compiled.name)
                compiled.unlink()
        transport = _module(
            building, "transport-netty4", "org.elasticsearch.transport.netty4.Netty4Plugin", version
        )
        for jar_file in (path for jar, path in server.items() if is_transport(jar)):
            shutil.copy(jar_file, transport)
        try:
            building.rename(home)
        except OSError:
            # Another process was faster and built the same content.
            if not home.exists():
                raise
    return home


def _fingerprint(jars: list[Jar]) -> str:
    digest = hashlib.sha256()
    for source in (*_SOURCES, Path(__file__)):
        digest.update(source.read_bytes())
    for jar in jars:
        digest.update(jar.sha256.encode())
    return digest.hexdigest()[:16]


def _module(home: Path, name: str, class_name: str, version: str) -> Path:
    """Create a module's folder with the descriptor that the server requires."""
    folder = home / "modules" / name
    folder.mkdir(parents=True)
    description = {
        "name": name,
        "description": name,
        "classname": class_name,
        "version": version,
        "elasticsearch.version": version,
        "java.version": "21",
        "has.native.controller": "false",
    }
    text = "".join(f"{key}={value}\n" for key, value in description.items())
    (folder / "plugin-descriptor.properties").write_text(text)
    return folder


def _compile(target: Path, class_path: list[Path], compiler: list[Path]) -> None:
    arguments = ["-21", "-nowarn", "-proc:none", "-cp", os.pathsep.join(map(str, class_path))]
    command = java_command(
        "org.eclipse.jdt.internal.compiler.batch.Main",
        [*arguments, "-d", str(target), *map(str, _SOURCES)],
        class_path=compiler,
    )
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise TapewatchError(
            f"Elasticsearch's launcher does not compile: {result.stdout}{result.stderr}",
            "Restore infra/embedded to its state in the repository, and start again.",
        )
