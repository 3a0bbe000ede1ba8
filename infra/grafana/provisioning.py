"""Where Grafana finds the data and the dashboards: files for its provisioning.

What differs from place to place comes from variables of Grafana's environment. The password comes from a
file: variables are shown by `docker inspect`.
"""

from typing import Any

import yaml

from infra.grafana.objects.queries import POSTGRES, PROMETHEUS
from services.contracts.postgres import READER_ROLE

POSTGRES_ADDRESS = "TAPEWATCH_GRAFANA_POSTGRES"
DATABASE = "TAPEWATCH_GRAFANA_DATABASE"
TLS_MODE = "TAPEWATCH_GRAFANA_SSLMODE"
PROMETHEUS_ADDRESS = "TAPEWATCH_GRAFANA_PROMETHEUS"
PASSWORD_FILE = "/run/tapewatch/grafana/password"  # noqa: S105 - where it is
DASHBOARDS_FOLDER = "/etc/grafana/dashboards"

_HEAD = "# Written by `python -m infra.grafana`; docs/grafana.md says what the variables are.\n"
_MOST_CONNECTIONS = 10
_CONNECTION_S = 14_400


def datasources() -> str:
    """Return the file that names the datasources."""
    postgres = {
        "name": "Tapewatch Postgres",
        **POSTGRES,
        "url": f"${POSTGRES_ADDRESS}",
        "user": READER_ROLE,
        "secureJsonData": {"password": f"$__file{{{PASSWORD_FILE}}}"},
        "jsonData": {
            "database": f"${DATABASE}",
            "sslmode": f"${TLS_MODE}",
            "postgresVersion": 1500,  # the newest that Grafana tells apart
            "maxOpenConns": _MOST_CONNECTIONS,
            "maxIdleConns": _MOST_CONNECTIONS,
            "connMaxLifetime": _CONNECTION_S,
        },
        "editable": False,
    }
    prometheus = {
        "name": "Tapewatch Prometheus",
        **PROMETHEUS,
        "access": "proxy",
        "url": f"${PROMETHEUS_ADDRESS}",
        "jsonData": {"timeInterval": "15s"},  # as often as infra/prometheus asks
        "editable": False,
    }
    return _file({"datasources": [postgres, prometheus]})


def providers() -> str:
    """Return the file that says where the dashboards are."""
    provider = {
        "name": "Tapewatch",
        "folder": "Tapewatch",
        "folderUid": "tapewatch",
        "type": "file",
        "allowUiUpdates": False,
        "disableDeletion": False,
        "options": {"path": DASHBOARDS_FOLDER},
    }
    return _file({"providers": [provider]})


def _file(content: dict[str, Any]) -> str:
    return _HEAD + yaml.safe_dump({"apiVersion": 1, **content}, sort_keys=False, width=110)
