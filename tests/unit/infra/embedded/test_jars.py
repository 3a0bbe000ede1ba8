import pytest

from infra.embedded.jars import (
    COMPILER,
    ELASTICSEARCH,
    KAFKA,
    LOCK_FILE,
    Jar,
    locked_jars,
    locked_version,
    read_lock,
    write_lock,
)

SHA256 = "0123456789abcdef" * 4
PLAIN = Jar("org.example", "lib", "1.2", "", SHA256, 42)
CLASSIFIED = Jar("org.example", "lib", "1.2", "linux", SHA256, 43)


def test_lock_survives_a_round_trip() -> None:
    sections = {"a": [PLAIN, CLASSIFIED], "b": []}
    assert {name: set(jars) for name, jars in read_lock(write_lock(sections)).items()} == {
        "a": {PLAIN, CLASSIFIED},
        "b": set(),
    }


def test_lock_may_have_comments_and_blank_lines() -> None:
    text = f"# what this is\n\n[a]\norg.example:lib:1.2 {SHA256} 42  # why\n"
    assert read_lock(text) == {"a": [PLAIN]}


def test_jar_knows_its_coordinate_and_path() -> None:
    assert PLAIN.coordinate == "org.example:lib:1.2"
    assert str(PLAIN.path) == "org/example/lib/1.2/lib-1.2.jar"
    assert CLASSIFIED.coordinate == "org.example:lib:linux:1.2"
    assert str(CLASSIFIED.path) == "org/example/lib/1.2/lib-1.2-linux.jar"


@pytest.mark.parametrize(
    "line",
    [
        "org.example:lib:1.2",
        f"org.example:lib {SHA256} 42",
        f"a:b:c:d:e {SHA256} 42",
        "org.example:lib:1.2 abc 42",
        f"org.example:lib:1.2 {SHA256} many",
    ],
)
def test_bad_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2 of the jar lock"):
        read_lock(f"[a]\n{line}\n")


def test_jar_outside_a_section_is_rejected() -> None:
    with pytest.raises(ValueError, match="before any"):
        read_lock(f"org.example:lib:1.2 {SHA256} 42\n")


def test_own_lock_is_complete_and_names_no_host() -> None:
    sections = locked_jars()
    assert set(sections) == {KAFKA, ELASTICSEARCH, COMPILER}
    for jars in sections.values():
        paths = [jar.path for jar in jars]
        assert len(set(paths)) == len(paths)
    assert locked_version(KAFKA, "kafka_2.13") == locked_version(KAFKA, "kafka-clients")
    assert locked_version(ELASTICSEARCH, "elasticsearch") == locked_version(ELASTICSEARCH, "transport-netty4")
    assert "://" not in LOCK_FILE.read_text()
