"""Records sent to a real MLflow store, read back through its own client."""

import builtins
import importlib
import os

import pytest
import simulated

from xlt_utils import cli, paths
from xlt_utils.pipeline.results import tracking
from xlt_utils.pipeline.results.tracking import IDENTITY
from xlt_utils.reporting.findings import gather_findings

mlflow = pytest.importorskip("mlflow", reason=f"MLflow is an extra: {tracking.INSTALL}")
LOSSES = {step: 2.0 / step for step in range(1, 1203)}  # more than MLflow takes at once


def with_curves(record: dict) -> dict:
    points = [{"name": "sst (en)", "step": step, "loss": loss, "learning_rate": 1e-3} for step, loss in LOSSES.items()]
    return (
        record | {"curves": [*points, {"name": "sst (en)", "step": 2000, "loss": None}]}
        if record["results"]
        else record
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study's runs, and the server that they were sent to."""
    folder = tmp_path_factory.mktemp("tracking")
    small = {"seeds": (0,), "tokens": (0,), "examples": (0, 256), "tasks": ("sst", "udpos"), "languages": ("en", "de")}
    simulated.study(folder / "s", notebooks=False, complete=with_curves, **small)
    server = f"sqlite:///{folder / 'mlflow.db'}"
    assert tracking.track(gather_findings(folder / "s"), server) == (4, 0, server)
    return folder / "s", server


def sent_runs(server):
    client = mlflow.MlflowClient(tracking_uri=server)
    return client, client.search_runs([client.get_experiment_by_name("s").experiment_id])


def test_every_cell_is_a_run_with_its_curves_scores_and_settings(study):
    folder, server = study
    client, runs = sent_runs(server)
    records = {record.cell: record for record in gather_findings(folder).records.values()}
    assert {run.info.run_name for run in runs} == {f"{record.phase} {cell}" for cell, record in records.items()}
    assert {run.info.status for run in runs} == {"FINISHED"}
    (run,) = [run for run in runs if run.info.run_name == "target s0-p0-mnli-i256-2tasks-cccccccc"]
    record = records["s0-p0-mnli-i256-2tasks-cccccccc"]
    history = client.get_metric_history(run.info.run_id, "loss/sst _en_")
    assert {point.step: point.value for point in history} == pytest.approx(LOSSES)
    scores = {name: value for name, value in run.data.metrics.items() if name.startswith("score/")}
    assert scores == {f"score/{row.task}/{row.language}/{row.metric}": row.value for row in record.results}
    assert run.data.metrics["cost/seconds"] == 8.0 and run.data.metrics["cost/flops"] == 1e9
    assert run.data.params["arm"] == "mnli" and run.data.params["settings/data"] == "microworld"
    assert run.info.end_time - run.info.start_time == 8000


def test_what_is_there_is_not_sent_again_and_half_a_run_is_sent_anew(study):
    folder, server = study
    findings = gather_findings(folder)
    assert tracking.track(findings, server) == (0, 4, server)
    client, runs = sent_runs(server)
    client.set_terminated(runs[0].info.run_id, "KILLED")
    assert tracking.track(findings, server) == (1, 3, server)
    runs = sent_runs(server)[1]
    assert len(runs) == len({run.data.tags[IDENTITY] for run in runs}) == 4


def test_the_command_sends_to_a_file_beside_the_runs_and_says_nothing_to_anyone(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert cli.main(["track", str(study[0])]) == 0
    file = tmp_path / "runs" / "mlflow.db"
    assert capsys.readouterr().out == f"s: 4 runs sent to sqlite:///{file}, 0 were there\n" and file.exists()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert importlib.import_module("mlflow.telemetry.utils").is_telemetry_disabled()


def test_a_server_that_is_none_and_a_missing_library_are_told(study, monkeypatch, capsys):
    assert cli.main(["track", str(study[0]), "--to", "nowhere://x"]) == 65
    assert "nowhere://x: " in capsys.readouterr().err

    real = builtins.__import__
    monkeypatch.setattr(tracking.importlib, "import_module", lambda name: real("no_such_" + name))
    assert cli.main(["track", str(study[0])]) == 65
    assert tracking.INSTALL in capsys.readouterr().err
