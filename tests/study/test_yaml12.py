"""YAML 1.2: words stay words, numbers numbers; what is no whole file is refused with its line."""

import pytest

from xlt_utils.study import yaml12


def parse(tmp_path, text):
    file = tmp_path / "file.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return yaml12.parse_yaml(file)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("true", True), ("null", None), ("~", None), ("1e-4", 1e-4),
        ("1.5e3", 1500.0), (".5", 0.5), ("-.inf", float("-inf")), ("0o10", 8), ("0x10", 16), ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"), ("'12'", "12"), ("[1, {a: b}]", [1, {"a": "b"}]), (">-\n  a: b\n  c", "a: b c"),
    ],
)  # fmt: skip
def test_values_are_of_yaml_1_2(tmp_path, written, meant):
    assert parse(tmp_path, f"key: {written}\n").content == {"key": meant}


def test_every_place_knows_its_line_and_what_is_written_there(tmp_path):
    document = parse(tmp_path, "a: 1\nb:\n  - 200k\n  - c: {d: 010}\n")
    assert document.line(("b", 1, "c", "d")) == 4 and document.value(("b", 0)) == "200k"
    assert document.line(("b", 0, "missing")) == 3
    assert document.faults == [
        (("b", 1, "c", "d"), "a number with a leading zero is read as 8-based by some; write 10")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("a: [1,\n", "line 2: no valid YAML"),
        ("a: {b: 1", "was it cut off?"),
        ("a: 'x", "was it cut off?"),
        ("a: 1\n b: 2\n", "line 2: no valid YAML"),
        ("- 1\n", "expected `key: value` lines"),
        ("a: &x [*x]\n", "contains itself"),
        (b"a: \xff\n", "not UTF-8"),
        ("a: 1\n---\nb: 2\n", "no valid YAML"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, text, expected):
    with pytest.raises(yaml12.Unreadable, match="file") as fault:
        parse(tmp_path, text)
    assert expected in str(fault.value)


def test_a_file_that_ends_in_mid_line_is_suspect(tmp_path):
    assert "was the file cut off" in parse(tmp_path, "a: 1\nb: 102").faults[0][1]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(yaml12.Unreadable, match=r"none\.yaml: cannot be read: No such file"):
        yaml12.parse_yaml(tmp_path / "none.yaml")
