from pathlib import Path
from unittest.mock import Mock

import pytest
from confluent_kafka.admin import AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from infra.setup.kafka_access import USERS, rights, set_up_kafka_access
from services.common.errors import TapewatchError
from services.contracts.topics import TOPICS


def test_rights_name_a_user_and_a_resource_each() -> None:
    for user in USERS:
        for one in rights(user):
            assert one.principal == f"User:{user}"
            assert one.permission_type is AclPermissionType.ALLOW
            assert one.operation not in (AclOperation.ALL, AclOperation.ANY)
            assert one.name != "*"
            if one.restype is ResourceType.TOPIC:
                assert one.name in TOPICS
                assert one.resource_pattern_type is ResourcePatternType.LITERAL


def test_nobody_may_create_delete_or_alter_anything() -> None:
    given = {one.operation for user in USERS for one in rights(user)}
    assert given == {
        AclOperation.READ,
        AclOperation.WRITE,
        AclOperation.DESCRIBE,
        AclOperation.DESCRIBE_CONFIGS,
        AclOperation.IDEMPOTENT_WRITE,
    }


def test_a_reader_writes_nothing() -> None:
    operations = {one.operation for one in rights("tapewatch-reader")}
    assert operations == {AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS}


def test_without_a_folder_nothing_is_asked() -> None:
    admin = Mock()
    assert set_up_kafka_access(admin, None) == []
    assert admin.method_calls == []


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="does not exist") as caught:
        set_up_kafka_access(Mock(), tmp_path / "missing")
    assert "TAPEWATCH_KAFKA_SECRETS_DIR" in caught.value.hint


def test_an_empty_password_is_named_before_anything_is_changed(tmp_path: Path) -> None:
    (tmp_path / "tapewatch-indexer.password").write_text("\n")
    admin = Mock()
    with pytest.raises(TapewatchError, match=r"tapewatch-indexer\.password is empty"):
        set_up_kafka_access(admin, tmp_path)
    assert admin.method_calls == []
