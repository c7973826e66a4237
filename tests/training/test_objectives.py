"""Objectives: the losses at masked positions are the model's own, and a batch trains its own head alone."""

import pytest
import torch
from encoder_sizes import SIZES
from torch.nn.functional import cross_entropy
from transformers import AutoModelForMaskedLM, BertConfig, DistilBertConfig, RobertaConfig

from xlt_utils.data.labelled import SplitRef
from xlt_utils.data.tasks import TASKS
from xlt_utils.training import encoders, encoding, objectives
from xlt_utils.training.encoding import IGNORED

SHAPE = {"layers": 2, "width": 32, "heads": 2, "vocabulary": 200, "length": 64}
CONFIGS = {
    "modernbert": encoders.make_config("modernbert", **SHAPE),
    "xlm-roberta": encoders.make_config("xlm-roberta", **SHAPE),
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES, max_position_embeddings=80),
    "one that is not in the table": DistilBertConfig(dim=32, n_layers=2, n_heads=2, hidden_dim=64, vocab_size=200),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_is_that_of_the_models_own_logits(name):
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(CONFIGS[name]).eval()
    ids = torch.randint(5, 200, (4, 32))
    labels = torch.where(torch.rand(ids.shape) < 0.2, torch.randint(5, 200, ids.shape), IGNORED)
    expected = cross_entropy(model(input_ids=ids).logits.flatten(0, 1), labels.flatten())
    loss = objectives.MaskedLM(model)({"input_ids": ids, "labels": labels})
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("part", ["sst", "udpos", "mlm"])
def test_a_batch_trains_the_encoder_and_its_own_head(part, world, checkpoint):
    model, tokenizer = encoders.load_encoder(checkpoint)
    objective = objectives.MultiTask(model, [TASKS["sst"], TASKS["udpos"]], seed=0, mlm=True)
    if part == "mlm":
        ids = torch.randint(5, 200, (2, 16))
        batch = {"input_ids": ids, "labels": ids}
    else:
        batch = encoding.encode(SplitRef(TASKS[part], "train", world), tokenizer, 32).batch(range(4))
    objective(batch | {"part": part}).backward()
    trained = {name for name, p in objective.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    heads = {name.removeprefix("heads.").split(".")[0] for name in trained if ".head." in name}
    encoder = {id(p) for p in model.base_model.parameters()}
    assert any(id(p) in encoder for p in objective.parameters() if p.grad is not None)
    assert heads - {"mlm"} == ({part} - {"mlm"})
    vocabulary = [p for p in (*model.head.parameters(), model.decoder.bias) if p.grad is not None]
    assert bool(vocabulary) is (part == "mlm")


def test_heads_depend_on_the_seed_alone(checkpoint):
    model, _ = encoders.load_encoder(checkpoint)
    alone = objectives.TaskHead(model, TASKS["udpos"], seed=3)
    beside = objectives.MultiTask(model, [TASKS["sst"], TASKS["udpos"]], seed=3).heads["udpos"]
    other = objectives.TaskHead(model, TASKS["udpos"], seed=4)
    assert torch.equal(alone.head[0].weight, beside.head[0].weight)
    assert not torch.equal(alone.head[0].weight, other.head[0].weight)
