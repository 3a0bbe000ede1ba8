"""Rewrites `jars.lock`: `python -m infra.embedded.lock_jars`.

To upgrade a server, change its version in `ROOTS`, run this, and run the tests.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from jgo.maven import Artifact, MavenContext

from infra.embedded.download import repository_url
from infra.embedded.jars import COMPILER, ELASTICSEARCH, KAFKA, LOCK_FILE, Jar, write_lock

ROOTS = {
    KAFKA: ["org.apache.kafka:kafka_2.13:4.3.1"],
    ELASTICSEARCH: [
        "org.elasticsearch:elasticsearch:9.5.3",
        "org.elasticsearch.plugin:transport-netty4:9.5.3",
    ],
    COMPILER: ["org.eclipse.jdt:ecj:3.46.0"],
}


def write_locked(
    lock_file: Path, roots: Mapping[str, list[str]], alone: Mapping[str, list[str]] | None = None
) -> None:
    """Resolve the dependencies of every root, download them, and write a lock.

    Parameters
    ----------
    lock_file
        File to write.
    roots
        Coordinates by section of the lock, which come with what they depend on.
    alone
        Further coordinates by section, which come without.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Neither the user's Maven cache nor other local repositories may influence what is pinned.
        context = MavenContext(
            repo_cache=Path(folder), local_repos=[], remote_repos={"repository": repository_url()}
        )
        sections = {section: _lock(context, names) for section, names in roots.items()}
        for section, names in (alone or {}).items():
            sections[section] += [_pin(context.create_dependency(name).artifact) for name in names]
    lock_file.write_text(write_lock(sections))
    jars = [jar for section in sections.values() for jar in section]
    print(f"{len(jars)} jars, {sum(jar.size_bytes for jar in jars) / 1e6:.1f} MB")


def _lock(context: MavenContext, roots: list[str]) -> list[Jar]:
    given, needed = context.resolver.resolve([context.create_dependency(root) for root in roots])
    artifacts = [dependency.artifact for dependency in given + needed]
    if not any(root.startswith("org.apache.kafka:kafka_") for root in roots):
        return [_pin(artifact) for artifact in artifacts]
    # The binding between slf4j and log4j is only part of Kafka's release archive. As a root of its own it
    # would change the versions of other jars.
    log4j = next(artifact for artifact in artifacts if artifact.artifactId == "log4j-core")
    binding = context.project(log4j.groupId, "log4j-slf4j-impl").at_version(log4j.version).artifact()
    return [_pin(artifact) for artifact in [*artifacts, binding]]


def _pin(artifact: Artifact) -> Jar:
    content = artifact.resolve().read_bytes()
    print(f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}")
    return Jar(
        group=artifact.groupId,
        artifact=artifact.artifactId,
        version=artifact.version,
        classifier=artifact.classifier,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


if __name__ == "__main__":
    write_locked(LOCK_FILE, ROOTS)
