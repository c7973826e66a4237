"""The other side: Hugging Face's Trainer as it comes, with this engine's optimiser, schedule and number of steps.
Everything else is its default."""

from collections.abc import Callable

import places
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.models.modernbert import modeling_modernbert
from turns import Turn

from xlt_utils.training.schedules import Schedule

DEFAULT_ROTARY = modeling_modernbert.apply_rotary_pos_emb  # before this engine replaces it


class _Turns(TrainerCallback):
    """Reports the beginning of each step, and stops the training after `stop` steps."""

    def __init__(self, turn: Turn, stop: int):
        self.turn, self.stop = turn, stop

    def on_step_begin(self, args, state, control, **keywords):
        self.turn.begins(state.global_step)

    def on_step_end(self, args, state, control, **keywords):
        control.should_training_stop = state.global_step >= self.stop


class _Scheduled(Trainer):
    """Trainer with this engine's schedule: Trainer's linear one is a step off."""

    schedule: Schedule

    def create_scheduler(self, num_training_steps, optimizer=None):
        optimizer = optimizer or self.optimizer
        share = lambda step: self.schedule.rate(step) / self.schedule.peak  # noqa: E731
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return self.lr_scheduler


def train(
    turn: Turn | None,
    model: torch.nn.Module,
    rows: torch.utils.data.Dataset,
    collator: Callable,
    schedule: Schedule,
    batch: int,
    *,
    seed: int = 0,
    bf16: bool = False,
    stop: int | None = None,
) -> Trainer:
    """Train a model to the schedule's end, or for `stop` steps of it, as a script of transformers' examples would, in
    turns with others or (None) alone."""
    arguments = TrainingArguments(
        output_dir=str(places.FOLDER / "trainer"),
        max_steps=schedule.total,
        per_device_train_batch_size=batch,
        learning_rate=schedule.peak,
        adam_beta1=0.9,
        adam_beta2=0.98,
        adam_epsilon=1e-8,
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=bf16,
        seed=seed,
        use_cpu=True,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,  # keeps the mask of special tokens, without which its collator is slower
    )
    trainer = _Scheduled(model=model, args=arguments, train_dataset=rows, data_collator=collator)
    trainer.schedule = schedule
    if turn:
        trainer.add_callback(_Turns(turn, stop or schedule.total))
    modeling_modernbert.apply_rotary_pos_emb = DEFAULT_ROTARY
    trainer.train()
    model.eval()
    return trainer
