"""What parts agree on of Postgres: the schema, its version, the roles, and the tables that readers see."""

SCHEMA = "tapewatch"
SCHEMA_VERSION = 1
"""Number of the newest migration in `infra/postgres/migrations`, which the sink needs."""

OWNER_ROLE = "tapewatch_owner"
"""Owns everything; nobody can log in as it."""

WRITER_ROLE = "tapewatch_writer"
"""The sink's user."""

READER_ROLE = "tapewatch_reader"
"""The user of people and Grafana: reads, nothing else."""

TRADES_TABLE = "trades"
ANOMALIES_TABLE = "anomalies"
CORRECTIONS_TABLE = "corrections"
ALERTS_TABLE = "alerts"
OFFSETS_TABLE = "kafka_offsets"
"""How far each partition of the topics is in the tables."""
