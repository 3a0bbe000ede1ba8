"""Quix Streams as pinned, in an environment of its own: it needs an older Kafka client than Tapewatch."""

from pathlib import Path

from benchmarks.peers.python_packages import environment_of, locked_version

LOCK = Path(__file__).with_name("requirements.lock")
ENVIRONMENT = environment_of("Quix Streams", LOCK)
NAME = f"Quix Streams {locked_version(LOCK, 'quixstreams')}"
