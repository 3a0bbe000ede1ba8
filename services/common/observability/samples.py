"""Reads what `/metrics` of a service says."""

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, list[tuple[dict[str, str], float]]]
"""Name of a sample to its labels and values."""


def to_samples(text: str) -> Samples:
    """Read Prometheus's text format.

    Raises
    ------
    ValueError
        It is not that.
    """
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples
