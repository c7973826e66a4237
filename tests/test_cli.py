"""The command line: light to start, clear about bad input, and nothing runs before everything is checked."""

import json
import subprocess
import sys
import time

import pytest
from small_study import GOOD

from xlt_utils import cli, paths
from xlt_utils.files import write_json
from xlt_utils.pipeline.engine import status
from xlt_utils.study import cells
from xlt_utils.study.study_file import load_study


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


def test_a_fresh_clone_is_answered_without_its_embedded_data(tmp_path, monkeypatch):
    """Neither the state of a study nor a check of its file writes the microworld, or imports torch."""
    monkeypatch.setenv("XLT_RUNS", str(tmp_path / "runs"))
    file = tmp_path / "study.yaml"
    file.write_text(GOOD)
    code = "import sys; from xlt_utils import cli; print(cli.main(sys.argv[1:]), 'torch' in sys.modules)"
    for words in (["status"], ["check", "--offline"]):
        began = time.monotonic()
        command = [sys.executable, "-c", code, *words, str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "0 False", done
        assert time.monotonic() - began < 20  # a machine at rest takes 2 seconds
        assert not (tmp_path / "runs" / "data").exists()


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


def test_the_state_of_every_cell_is_json_for_other_programs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    (tmp_path / "study.yaml").write_text(GOOD)
    assert cli.main(["status", "--json", str(tmp_path / "study.yaml")]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["study"] == "demo" and {cell["state"] for cell in content["cells"]} == {"missing"}
    assert len({(cell["phase"], cell["hash"]) for cell in content["cells"]}) == len(content["cells"]) > 3


def test_watching_ends_when_all_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    (tmp_path / "study.yaml").write_text(GOOD)
    looks = []

    def wait(seconds):
        looks.append(seconds)
        if len(looks) == 2:  # meanwhile everything has been done
            monkeypatch.setattr(status, "cell_state", lambda *_: status.CellState("done"))

    monkeypatch.setattr(time, "sleep", wait)
    assert cli.main(["status", "--watch", "3", str(tmp_path / "study.yaml")]) == 0
    assert looks == [3, 3] and capsys.readouterr().out.count("intermediate") == 3


def test_a_dry_run_names_the_cells_and_runs_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    (tmp_path / "study.yaml").write_text(GOOD)
    assert cli.main(["run", "--dry-run", str(tmp_path / "study.yaml")]) == 0
    *names, last = capsys.readouterr().out.splitlines()
    grid = cells.expand_study(load_study(str(tmp_path / "study.yaml")))
    assert names == [f"{cell.phase} {cell.name}" for cell in grid]
    assert last.startswith(f"demo: {len(grid)} of {len(grid)} cells would run")
    assert not (tmp_path / "runs" / "demo").exists()


def test_the_studies_of_a_folder_are_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text("name: x")
    write_json(tmp_path / "runs" / "demo" / "target" / "a" / "record.json", {})
    assert cli.main(["list", str(tmp_path)]) == 0
    _, bad, good = capsys.readouterr().out.splitlines()
    assert f"`xlt check {tmp_path / 'bad.yaml'}` says why" in bad
    assert good.split()[:3] == ["demo", "2", "1"]


def complete(script, *words):
    """What bash offers for the last of some words."""
    code = f'source "{script}"; COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; '
    code += '_shtab_xlt; printf "%s\\n" "${COMPREPLY[@]}"'
    return subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes_commands_options_and_files(tmp_path, capsys):
    assert cli.main(["completion", "bash"]) == 0
    script = tmp_path / "completion.bash"
    script.write_text(capsys.readouterr().out)
    assert complete(script, "xlt", "st") == ["status"]
    assert set(complete(script, "xlt", "p")) == {"plan", "publish"}
    assert complete(script, "xlt", "run", "--dry") == ["--dry-run"]
    (tmp_path / "mine.yaml").touch()
    assert complete(script, "xlt", "check", f"{tmp_path}/mi") == [f"{tmp_path}/mine.yaml"]


def test_zsh_has_a_completion_of_every_command(capsys):
    assert cli.main(["completion", "zsh"]) == 0
    output = capsys.readouterr().out
    (commands,) = [action for action in cli._parser("")._actions if action.choices]
    assert output.startswith("#compdef xlt") and all(f"    {name}:'" in output for name in commands.choices)


def test_a_mistyped_command_is_told_the_nearest():
    done = xlt("chekc", "params/demo.yaml")
    assert done.returncode == 2 and "no such command: chekc; did you mean `check`?" in done.stderr
