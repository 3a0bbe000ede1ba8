from tests.compose.containers_seen import container
from tests.compose.hardening import (
    PASSWORD_OF,
    judge_files,
    judge_readable,
    judge_rights,
    judge_shown,
)

STATUS = """Name:\tpython
Uid:\t1000\t1000\t1000\t1000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
NoNewPrivs:\t1
"""
PASSWORDS = {"elastic": "aaaa", "tapewatch-indexer": "bbbb"}
TRIED = "/app/x Read-only file system\n/tmp/x written\n"


def test_a_process_without_rights_is_good() -> None:
    assert judge_rights("indexer", STATUS, is_ours=True) == []


def test_each_right_of_a_process_is_reported() -> None:
    status = STATUS.replace("CapBnd:\t0000000000000000", "CapBnd:\t00000000a80425fb").replace("1000", "0")
    (violation,) = judge_rights("indexer", status, is_ours=True)
    assert violation.examples == ("CapBnd 00000000a80425fb", "Uid 0")
    (violation,) = judge_rights("redpanda", status, is_ours=False)
    assert violation.examples == ("CapBnd 00000000a80425fb",)
    (violation,) = judge_rights("redpanda", "", is_ours=False)
    assert violation.count == 4


def test_a_file_system_that_can_be_written_is_reported() -> None:
    assert judge_files(container("indexer"), TRIED) == []
    (violation,) = judge_files(
        container("indexer"), TRIED.replace("/app/x Read-only file system", "/app/x written")
    )
    assert violation.examples == ("/app/x written",)
    (violation,) = judge_files(container("indexer", is_read_only=False), TRIED)
    assert violation.examples == ("its file system is not read-only",)
    refused = TRIED.splitlines()[1].replace("written", "Permission denied")
    (violation,) = judge_files(container("indexer"), refused)
    assert violation.examples == (refused,)


def test_a_password_that_everybody_sees_is_reported() -> None:
    assert judge_shown("indexer", '"A=b"', PASSWORDS) == []
    (violation,) = judge_shown("indexer", '"P=aaaa"', PASSWORDS)
    assert violation.examples == ("elastic",)


def test_a_service_reads_its_own_password_and_no_other() -> None:
    assert PASSWORD_OF["indexer"] == {"tapewatch-indexer"}
    assert judge_readable(container("indexer"), "bbbb\n", PASSWORDS) == []
    assert judge_readable(container("detector"), "", PASSWORDS) == []
    wrong = judge_readable(container("indexer"), "aaaa\n", PASSWORDS)
    assert [(one.kind, one.examples) for one in wrong] == [
        ("reads a password", ("elastic",)),
        ("cannot read its password", ("tapewatch-indexer",)),
    ]
