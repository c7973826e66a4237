"""The command line: light to start, clear about bad input, and nothing runs before everything is checked."""

import subprocess
import sys
import time

import pytest
from small_study import GOOD

from xlt_utils import cli, paths


def xlt(*arguments):
    return subprocess.run([sys.executable, "-m", "xlt_utils.cli", *arguments], capture_output=True, text=True)


def test_what_is_checked_needs_no_torch(tmp_path):
    (tmp_path / "wrong.yaml").write_text(GOOD.replace("sst", "sts"))
    code = "import sys; from xlt_utils import cli; print(cli.main(sys.argv[1:]), 'torch' in sys.modules)"
    command = [sys.executable, "-c", code, "check", str(tmp_path / "wrong.yaml")]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "65 False" and time.monotonic() - began < 3
    assert "target.tasks[0] = sts: no such target task; did you mean `sst`?" in done.stderr


@pytest.mark.parametrize("command", ["check", "plan", "run", "status", "report", "publish"])
@pytest.mark.parametrize("text", ["", "name: demo", GOOD.replace("seeds", "seedz"), GOOD[:200]])
def test_a_bad_study_file_ends_every_command_with_65(tmp_path, capsys, command, text):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    assert cli.main([command, str(file)]) == 65
    assert f"{file}: " in capsys.readouterr().err
    assert not (paths.RUNS / "demo").exists()


def test_data_that_are_not_there_are_named(tmp_path, capsys):
    file = tmp_path / "study.yaml"
    text = GOOD.replace("data: microworld", "data: nowhere").replace("microworld: {sentences: 20k}\n", "")
    file.write_text(text.replace("xa, xh", "de, fr"))
    assert cli.main(["run", str(file)]) == 65
    assert "'nowhere' is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["xlmr-base", "xlmr-large"])
def test_the_published_studies_are_right_as_far_as_their_files_tell(capsys, name):
    file = str(paths.ROOT / "params" / f"{name}.yaml")
    assert cli.main(["check", "--offline", file]) == 0
    output = capsys.readouterr().out
    assert "no fault found in the file" in output
    assert "not looked for: checkpoint FacebookAI/xlm-roberta-" in output
    assert "not looked for: data sets in hub: " in output
    assert cli.main(["plan", "--gpu", "1e14", file]) == 0
    output = capsys.readouterr().out
    assert "GPU time" in output and "upper bounds, nothing read" in output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["nonsense"],
        ["run"],
        ["run", "x", "--jobs", "0"],
        ["plan", "x", "--gpu", "fast"],
        ["cell", "-x"],
    ],
)
def test_usage(arguments):
    done = xlt(*arguments)
    assert done.returncode == (0 if "--help" in arguments else 2)
    assert "usage: xlt" in done.stdout + done.stderr


def test_a_cell_without_its_file_is_bad_input(tmp_path):
    done = xlt("cell", str(tmp_path / "params.json"))
    assert done.returncode == 65 and "cannot be read: No such file" in done.stderr
