"""`tapewatch evidence`: what the reviews of samples say, by the history of verdicts."""

import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from services.common.elastic.client import Elasticsearch
from services.detector.offline.tuning.evidence.document import Evidence, read_evidence
from services.detector.offline.tuning.evidence.findings import Finding, find
from services.review.verdicts import blind_verdicts


def run_evidence(folder: Path, client: Elasticsearch, as_json: bool) -> int:
    """Print what the reviews say so far.

    Parameters
    ----------
    folder
        Has the file of samples.
    client
        Client of the cluster with the verdicts.
    as_json
        One JSON object, not sentences.

    Raises
    ------
    TapewatchError
        The file cannot be read, or Elasticsearch does not answer.
    """
    evidence = read_evidence(folder)
    judged = blind_verdicts(client, [one.trade_id for one in evidence.prints])
    findings = find(evidence, judged)
    text = _json(evidence, judged, findings) if as_json else "\n".join(_lines(evidence, judged, findings))
    sys.stdout.write(f"{text}\n")
    return 0


def _lines(evidence: Evidence, judged: dict[str, bool], findings: list[Finding]) -> list[str]:
    return [
        f"Profile {evidence.profile_name} {evidence.profile}, {evidence.trades:,} trades of "
        f"{evidence.symbol_days:,} days of symbols; {len(judged):,} of {len(evidence.prints):,} prints "
        "reviewed.",
        *evidence.changes,
        *(sentence for finding in findings for sentence in ("", *finding.sentences())),
    ]


def _json(evidence: Evidence, judged: dict[str, bool], findings: list[Finding]) -> str:
    fields = {
        "profile": evidence.profile,
        "before": evidence.before,
        "changes": evidence.changes,
        "prints": len(evidence.prints),
        "reviewed": len(judged),
        "thresholds": [
            asdict(one)
            | {"share": one.share, "share_between": one.share_between, "most_missed": one.most_missed}
            for one in findings
        ],
    }
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2).decode()
