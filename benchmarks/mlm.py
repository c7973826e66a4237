"""Masked language modelling: the same encoder on the same packed sequences, by this engine and by Trainer in fp32 and
in bf16, in turns; and in turns with them the machine's own matrix products."""

import statistics
import time

import places
import sizes as sizes_
import torch
import trainer
import turns
from datasets import Dataset
from sizes import MASK_RATE, Sizes
from transformers import DataCollatorForLanguageModeling
from turns import Side, Turn

from xlt_utils.evaluation import predict
from xlt_utils.training import costs, encoders, hardware, loop, objectives
from xlt_utils.training.encoding import IGNORED
from xlt_utils.training.schedules import Schedule, linear_schedule

ENCODER = places.FOLDER / "encoder"  # what this engine's training leaves: fine-tuning starts from it


def schedule(sizes: Sizes) -> Schedule:
    """The schedule of all sides."""
    return linear_schedule(sizes.learning_rate, max(1, sizes.steps // 10), sizes.steps)


def ours(turn: Turn, sizes: Sizes) -> float:
    """Train with this engine and keep the encoder; gives the held-out loss."""
    text = sizes_.text(sizes)
    objective = objectives.MaskedLM(encoders.create_encoder(sizes_.configuration(sizes), seed=0))
    at = turn.watched(text.batches(0, sizes.steps, sizes.batch, MASK_RATE))
    state = places.FOLDER / "mlm"
    loop.train(objective, at, schedule(sizes), seed=0, state=state, ladder=False)
    encoders.save_encoder(objective.model, text.tokenizer, ENCODER)
    return held_out(objective, text)


def theirs(turn: Turn, sizes: Sizes, bf16: bool) -> float:
    """Train with Trainer on the same sequences, from the same weights; gives the held-out loss."""
    text = sizes_.text(sizes)
    model = encoders.create_encoder(sizes_.configuration(sizes), seed=0)
    model.set_attn_implementation("sdpa")  # transformers' default
    collator = DataCollatorForLanguageModeling(text.tokenizer, mlm_probability=MASK_RATE)
    stop = sizes.bf16_rounds * sizes.round_steps + 1 if bf16 else None
    trainer.train(turn, model, _sequences(text, sizes), collator, schedule(sizes), sizes.batch, bf16=bf16, stop=stop)
    return held_out(objectives.MaskedLM(model), text)


def products(turn: Turn, sizes: Sizes) -> None:
    """Square matrix products in the precision that the engine trains in, a step each."""
    kind = torch.bfloat16 if hardware.precision() == "bf16" else torch.float32
    left, right = (torch.randn(sizes.product, sizes.product).to(kind) for _ in range(2))
    for step in range(sizes.steps):
        turn.begins(step)
        left @ right


def held_out(objective: objectives.MaskedLM, text) -> float:
    """The loss on held-out text under its fixed masks, in nats per token, mean over languages."""
    return statistics.mean(predict.held_out_loss(objective, text, MASK_RATE).values())


def measure(sizes: Sizes) -> dict:
    """Train all sides; gives the ratios of their speeds and losses."""
    sides = {
        "ours": Side(sizes.round_steps, ours, sizes),
        "Trainer fp32": Side(sizes.round_steps, theirs, sizes, False),
        "Trainer bf16": Side(sizes.round_steps, theirs, sizes, True),
        "product": Side(sizes.round_steps, products, sizes),
    }
    turns.alternate(sides, "masked LM")
    config, tokens = sizes_.configuration(sizes), sizes.batch * sizes.shape["length"]
    early = sizes.bf16_rounds  # the bf16 side stops early: against it, the rounds that both took
    step = {name: side.step_seconds() for name, side in sides.items()}
    flops = costs.count_flops(config, tokens, sizes.shape["length"], predicted=MASK_RATE) / step["ours"]
    fastest = 2 * sizes.product**3 / min(min(seconds) for seconds in sides["product"].rounds)
    against_bf16 = sides["Trainer bf16"].step_seconds(early) / sides["ours"].step_seconds(early)
    return {
        "mlm_tokens_per_second_ratio": step["Trainer fp32"] / step["ours"],
        "mlm_tokens_per_second_ratio_bf16": against_bf16,
        "mlm_loss_ratio": sides["ours"].result / sides["Trainer fp32"].result,
        "matmul_utilisation": flops / fastest,
        "mlm": {
            "tokens_per_second": {name: tokens / step[name] for name in list(step)[:3]},
            "held_out_loss": {name: sides[name].result for name in ("ours", "Trainer fp32")},
            "tokens": sizes.steps * tokens,
            "model_flops_per_second": flops,
            "matmul_flops_per_second": fastest,
            "step_seconds_by_round": {name: side.rounds for name, side in sides.items()},
        },
    }


def pretrain(sizes: Sizes) -> None:
    """Pretrain the encoder that fine-tuning starts from, unless it is already there."""
    if not ENCODER.is_dir():
        print("pretraining the encoder that is fine-tuned", flush=True)
        began = time.perf_counter()
        turns.alternate({"ours": Side(sizes.steps, ours, sizes)}, "pretraining")
        print(f"pretrained in {time.perf_counter() - began:.0f} seconds", flush=True)


def _sequences(text, sizes: Sizes) -> Dataset:
    """The sequences that this engine's batches hold, unmasked, as a data set of transformers' examples."""
    at = text.batches(0, sizes.steps, sizes.batch, MASK_RATE)
    masked = [at(step) for step in range(sizes.steps)]
    ids = torch.cat([torch.where(batch["labels"] == IGNORED, batch["input_ids"], batch["labels"]) for batch in masked])
    special = torch.isin(ids, torch.tensor(text.tokenizer.all_special_ids)).long()
    return Dataset.from_dict({"input_ids": ids.numpy(), "special_tokens_mask": special.numpy()})
