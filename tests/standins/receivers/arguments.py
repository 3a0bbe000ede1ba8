"""How a receiver's process is told what to do."""

import argparse
import json
from pathlib import Path


def read_arguments() -> argparse.Namespace:
    """Return a receiver's arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--faults", type=json.loads, default=[])
    parser.add_argument("--secrets", type=json.loads, default=[])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate", help="a file with key and certificate, for TLS")
    parser.add_argument("--implicit", action="store_true", help="of a mail server: TLS from the first byte")
    return parser.parse_args()
