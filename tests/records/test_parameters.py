"""Parameters are held to their notebook before a kernel starts: none unknown, none missing, each of its type."""

import json

import pytest
from tiny_notebooks import RECORD, write_params

from xlt_utils.records import parameters


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sed": 1}, "sed = 1: {notebook} has no such parameter; did you mean `seed`?"),
        ({"seed": "1"}, "seed = '1': {notebook} declares it as int"),
        ({"seed": 1.0}, "seed = 1.0: {notebook} declares it as int"),
        ({"seed": True}, "seed = True: {notebook} declares it as int"),
        ({"rate": "1e-4"}, "rate = '1e-4': {notebook} declares it as float"),
        ({"rate": None}, "rate = None: {notebook} declares it as float"),
        ({"names": "a"}, "names = 'a': {notebook} declares it as list"),
        ({"limit": "all"}, "limit = 'all': {notebook} declares it as int|None"),
        ({"out": "elsewhere"}, "out = 'elsewhere': must be the folder of this file"),
    ],
)
def test_a_wrong_parameter_is_named(tmp_path, changes, expected):
    path = write_params(tmp_path / "cell", RECORD, **changes)
    with pytest.raises(parameters.BadParameters, match="no kernel was started") as fault:
        parameters.read_params(path)
    assert expected.format(notebook=tmp_path / "cell.ipynb") in str(fault.value)


@pytest.mark.parametrize("changes", [{}, {"rate": 1}, {"limit": 5}, {"names": []}])
def test_right_parameters_pass(tmp_path, changes):
    assert parameters.read_params(write_params(tmp_path / "cell", RECORD, **changes))["hash"] == "12345678"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"phase": "target", "parameters": {}}'])
def test_an_empty_or_cut_file_is_refused(tmp_path, text):
    path = write_params(tmp_path / "cell", RECORD)
    path.write_text(text)
    with pytest.raises(parameters.BadParameters, match=r"params\.json"):
        parameters.read_params(path)


def test_no_parameter_may_be_left_to_its_default(tmp_path):
    path = write_params(tmp_path / "cell", RECORD)
    content = json.loads(path.read_text())
    content["parameters"] = {}
    path.write_text(json.dumps(content))
    with pytest.raises(parameters.BadParameters, match="6 faults") as fault:
        parameters.read_params(path)
    assert "rate: missing" in str(fault.value)


def test_an_input_without_a_record_is_named_with_what_to_run(tmp_path):
    path = write_params(tmp_path / "cell", RECORD)
    content = json.loads(path.read_text()) | {"inputs": [str(tmp_path / "before")]}
    path.write_text(json.dumps(content))
    with pytest.raises(parameters.BadParameters, match=f"run it first: xlt cell {tmp_path}/before/params.json"):
        parameters.read_params(path)


def test_a_notebook_collects_its_own_parameters():
    declared = parameters.declared_parameters(parameters.paths.ROOT / "notebooks" / "01_pretrain.ipynb")
    names = {name: parameter.default for name, parameter in declared.items()} | {"something": "else"}
    assert set(parameters.collect_parameters("01_pretrain", names)) == set(declared)
    with pytest.raises(parameters.BadParameters, match="seed = '0'"):
        parameters.collect_parameters("01_pretrain", names | {"seed": "0"})
