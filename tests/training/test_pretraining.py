"""Phase 1 from a checkpoint that brings no masked-LM head: what its record says, and how rungs share the head."""

import json

import pytest
import torch
from headless import save_headless
from safetensors.torch import load_file

from xlt_utils import paths
from xlt_utils.code_hash import notebook_cells
from xlt_utils.records.record import Record, read_record

TOKENS = 8 * 64  # of a step
WARMUP = {"tokens": 24 * TOKENS, "learning_rate": 1e-2}


def run_notebook(folder, **parameters) -> Record:
    """Run phase 1's cells in this process, with these parameters over the notebook's own, and read the record."""
    names: dict = {}
    for cell in notebook_cells(paths.ROOT / "notebooks" / "01_pretrain.ipynb"):
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
        if "parameters" in cell["metadata"].get("tags", []):
            names |= parameters | {"out": str(folder)}
    return read_record(folder)


@pytest.fixture(scope="module")
def rungs(world, vocabulary, tmp_path_factory):
    """The records and folders of a ladder's rungs from a headless checkpoint: as it stands, and two that train it."""
    folder = tmp_path_factory.mktemp("ladder")
    start = save_headless("bert", vocabulary.tokenizer, folder / "start")
    shape = dict.fromkeys(("architecture", "layers", "width", "heads", "vocabulary"))
    common = {"data": world, "languages": ["en", "xa", "xh"], "start": start, "batch": 8, "warmup": 0, **shape}
    common |= {"learning_rate": 1e-9}  # so that the encoder stays where it was but for rounding

    def rung(steps, **changes):
        run_notebook(folder / f"{steps}", tokens=steps * TOKENS, **common | {"head_warmup": WARMUP} | changes)
        return read_record(folder / f"{steps}"), folder / f"{steps}"

    first = rung(10)
    return {0: rung(0, head_warmup=None), 10: first, 20: rung(20, previous=str(first[1])), "start": start}


def test_the_warm_up_is_on_record_and_in_the_cost_but_not_in_p(rungs):
    record, _ = rungs[10]
    warmup = record.facts["head warm-up"]
    assert record.facts["brings head"] is False and warmup["tokens"] == WARMUP["tokens"] and warmup["steps"] == 24
    assert warmup["last loss"] < warmup["first loss"] - 0.15
    assert record.coordinates.tokens == record.facts["unique tokens"] == 10 * TOKENS
    assert record.cost.tokens == (24 + 10) * TOKENS and record.cost.steps == 34
    points = {name: [p.step for p in record.curves if p.name == name] for name in ("head warm-up", "mlm")}
    assert points["head warm-up"][-1] == 24 and points["mlm"][-1] == 10


def test_the_first_loss_of_p_is_that_of_the_trained_head(rungs):
    record, _ = rungs[10]
    first = next(point.loss for point in record.curves if point.name == "mlm")
    assert first < record.facts["head warm-up"]["first loss"] - 0.1


def test_the_rung_above_takes_the_head_with_the_trunk(rungs):
    (first, _), (second, folder) = rungs[10], rungs[20]
    assert second.facts["head warm-up"] == first.facts["head warm-up"]
    assert second.cost.tokens == (20 - 8) * TOKENS and {point.name for point in second.curves} == {"mlm"}
    heads = [load_file(rungs[size][1] / "state/encoder/model.safetensors") for size in (10, 20)]
    name = "cls.predictions.transform.dense.weight"
    assert torch.allclose(heads[0][name], heads[1][name], atol=1e-6)
    assert (folder / "state" / "trunk").is_dir()


def test_the_checkpoint_as_it_stands_is_left_alone(rungs):
    record, folder = rungs[0]
    assert record.facts["head warm-up"] == {} and record.cost.tokens == 0 and record.curves == []
    start, saved = (load_file(f"{path}/model.safetensors") for path in (rungs["start"], folder / "state/encoder"))
    assert all(torch.equal(weights, saved[f"bert.{name}"]) for name, weights in start.items() if "pooler" not in name)
    architectures = json.loads((folder / "state/encoder/config.json").read_text())["architectures"]
    assert architectures == ["BertForMaskedLM"]
