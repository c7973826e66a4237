"""The registry: rows that are consistent, and a row that a reader adds is a task like any other."""

import re
import string

import pytest
from hub_layout import write

from xlt_utils import paths
from xlt_utils.data import labelled
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.data.tasks import TASKS, Source, Task, tasks_with_role
from xlt_utils.evaluation import evaluate
from xlt_utils.reporting.claims import NINE
from xlt_utils.training import encoders, encoding, loop, objectives
from xlt_utils.training.batches import epoch_batches, subset
from xlt_utils.training.schedules import linear_schedule

NEEDED = {
    "classification": {"text", "label"},
    "choice": {"text", "options", "label"},
    "tagging": {"tokens", "label"},
    "span": {"text", "context", "answers"},
    "retrieval": {"text", "text2"},
    "mining": {"text"},
}


def test_there_are_the_parent_s_nine_intermediate_tasks_ten_targets_one_more_and_the_planted_pair():
    assert set(tasks_with_role("intermediate")) == {*NINE, "squad_wiki", "reputations"}
    assert len(tasks_with_role("target")) == 11 and len(TASKS) == 22


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_row_has_what_its_format_needs(task):
    fields = set(vars(next(iter(LANGUAGES.values()))))
    for part in ("train", "development", "test"):
        for first in getattr(task, part):
            for source in labelled.with_stand_ins(first):
                assert set(source.columns) >= NEEDED[task.format]
                assert {name for _, name, _, _ in string.Formatter().parse(source.config) if name} <= fields
                if "label" in source.columns and source.reader == "hub":
                    assert set(task.labels) == set(source.labels) - set(source.dropped)
    assert task.trains == bool(task.development) or task.format == "mining"
    assert bool(task.test) == ("target" in task.roles)
    assert 0 <= task.chance < 1


def test_a_row_that_a_reader_adds_is_a_task_like_any_other(tmp_path, vocabulary, monkeypatch):
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(columns = .*?)```", readme, flags=re.DOTALL)
    space = {"Source": Source, "Task": Task}
    exec(code.replace("Task(\n", "row = Task(\n", 1), space)
    monkeypatch.setitem(TASKS, "xcopa", row := space["row"])

    count = 24
    columns = {"premise": ["the dog sees the cat"] * count, "question": ["effect"] * count}
    columns |= {"choice1": ["yes"] * count, "choice2": ["no no"] * count, "label": [0, 1] * (count // 2)}
    for dataset, config, split in (
        ("aps/super_glue", "copa", "train"),
        ("aps/super_glue", "copa", "validation"),
        ("cambridgeltl/xcopa", "et", "test"),
    ):
        write(tmp_path, dataset, config, split, columns)
    shape = {"layers": 1, "width": 16, "heads": 2, "vocabulary": len(vocabulary.tokenizer), "length": 32}
    learner = objectives.TaskHead(encoders.create_encoder(encoders.make_config("modernbert", **shape), 0), row, seed=0)
    encoded = encoding.encode(labelled.SplitRef(row, "train", str(tmp_path)), vocabulary.tokenizer, 32)
    batch_at = epoch_batches(encoded, subset(encoded, 0, count), 8, 0)
    loop.train(learner, batch_at, linear_schedule(1e-3, 0.1, 3), seed=0, state=tmp_path / "state")
    assert labelled.languages_with(row, str(tmp_path)) == ["et"]
    evaluation = evaluate.evaluate_task(
        learner, "test", ["et"], evaluate.EvaluationConfig(str(tmp_path), vocabulary.tokenizer, 32)
    )
    assert [(r["metric"], r["n"]) for r in evaluation.results if r["main"]] == [("accuracy", count)]


def test_a_larger_squad_repeats_the_data_of_its_targets():
    assert TASKS["squad_wiki"].shares_data_with(TASKS["xquad"]) and TASKS["squad_wiki"].shares_data_with(TASKS["mlqa"])
