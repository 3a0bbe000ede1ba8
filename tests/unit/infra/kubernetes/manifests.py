"""Reads the manifests of infra/kubernetes, and the published schemas to check them with."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra.kubernetes.files import FOLDER

Resource = dict[str, Any]

CRD_FOLDER = "TAPEWATCH_TEST_CRDS"
"""Variable with a folder of the operators' `CustomResourceDefinition` files, for tests alone."""


def resources() -> list[Resource]:
    """Return every resource of every file."""
    return [
        resource
        for path in sorted(FOLDER.glob("*.yaml"))
        for resource in yaml.safe_load_all(path.read_text())
    ]


def is_core(resource: Resource) -> bool:
    """Tell whether Kubernetes itself defines it."""
    group = resource["apiVersion"].partition("/")[0]
    return "." not in group or group.endswith(".k8s.io")


def title(resource: Resource) -> str:
    """Return kind and name."""
    return f"{resource['kind']} {resource['metadata']['name']}"


def pod_of(resource: Resource) -> Resource:
    """Return the pod that a Deployment or a Job starts."""
    spec: Resource = resource["spec"]["template"]["spec"]
    return spec


@cache
def crds() -> dict[tuple[str, str], Resource]:
    """Return the operators' schemas by API version and kind; empty without the folder of `CRD_FOLDER`."""
    folder = os.environ.get(CRD_FOLDER)
    return dict(_schemas(Path(folder))) if folder else {}


def _schemas(folder: Path) -> Iterator[tuple[tuple[str, str], Resource]]:
    for path in sorted(folder.rglob("*.yaml")):
        for one in yaml.load_all(path.read_text(), yaml.CSafeLoader):  # the other one takes minutes
            if isinstance(one, dict) and one.get("kind") == "CustomResourceDefinition":
                spec = one["spec"]
                for version in spec["versions"]:
                    key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                    yield key, closed(version["schema"]["openAPIV3Schema"])


def closed(schema: Resource) -> Resource:
    """Return a structural schema as JSON schema that rejects fields it does not know.

    Kubernetes's additions are translated: integers or strings, nullable values, and objects of any fields.
    """
    found = {
        name: value for name, value in schema.items() if not name.startswith("x-") and name != "description"
    }
    if "properties" in found:
        found["properties"] = {key: closed(value) for key, value in found["properties"].items()}
    for name in ("items", "additionalProperties", "not"):
        if isinstance(found.get(name), dict):
            found[name] = closed(found[name])
    if schema.get("x-kubernetes-int-or-string"):
        found["type"] = ["integer", "string"]
    elif "properties" in found and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    found.pop("format", None)
    if found.pop("nullable", False) and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found
