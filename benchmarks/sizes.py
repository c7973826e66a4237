"""The sizes of what is measured, in full and in a quick version that only shows that everything works; and the data."""

from dataclasses import dataclass, field, replace

import places  # before xlt_utils

from xlt_utils.data import loading
from xlt_utils.microworld.layout import DatasetWriter
from xlt_utils.microworld.meanings import World
from xlt_utils.microworld.relations import draw_long_inference
from xlt_utils.microworld.speech import Speaker
from xlt_utils.training import encoders, tokenization
from xlt_utils.training.corpus import Corpus

EXPONENT, MASK_RATE = 0.3, 0.15
LANGUAGES = ("en", "xa", "xb", "xc", "xd", "xe", "xf", "xg", "xh")


@dataclass(frozen=True)
class Sizes:
    """The sizes of everything that is measured. `shape` is the encoder's, `round_steps` the steps of a turn."""

    languages: tuple[str, ...] = LANGUAGES
    sentences: int = 100_000  # lines of text over all languages
    shape: dict = field(
        default_factory=lambda: {"layers": 4, "width": 256, "heads": 4, "vocabulary": 8192, "length": 64}
    )
    # Masked language modelling: sequences a step, steps
    batch: int = 64
    steps: int = 120
    round_steps: int = 6
    bf16_rounds: int = 6  # rounds that Trainer with bf16=True takes part in
    learning_rate: float = 2e-3
    product: int = 2048  # rows and columns of the matrix product that the machine is measured by
    # Fine-tuning: examples a step, steps
    task: str = "mnli"
    others: int = 8  # at most so many sentences beside the premise: lengths as uneven as those of real pairs
    task_batch: int = 32
    task_steps: int = 200
    task_round: int = 20
    task_length: int = 128
    task_learning_rate: float = 5e-4
    seeds: int = 3
    # The ladder: steps a rung, sequences a step
    rungs: tuple[int, ...] = (8, 32, 128, 512)
    rung_batch: int = 16
    rung_round: int = 48
    rung_shape: dict = field(default_factory=lambda: {"width": 128, "heads": 2})
    ladder_seeds: int = 3


_TINY = {"layers": 1, "width": 32, "heads": 2, "vocabulary": 1024, "length": 64}
FULL = Sizes()
QUICK = replace(
    FULL,
    languages=("en", "xa"),
    sentences=6_000,
    shape=_TINY,
    batch=8,
    steps=8,
    round_steps=3,
    bf16_rounds=2,
    product=256,
    task_batch=8,
    task_steps=8,
    task_round=3,
    seeds=1,
    rungs=(2, 4, 8, 16),
    rung_batch=4,
    rung_round=8,
    rung_shape={},
)


def world(sizes: Sizes) -> str:
    """The microworld's folder, written at the first call."""
    settings = {"seed": 0, "sentences": sizes.sentences, "bilingual": 0.1, "languages": list(sizes.languages)}
    return loading.locate("microworld", settings)


def pairs(sizes: Sizes) -> str:
    """The folder of inference pairs whose premises stand among 0 to `others` other sentences, written at the first
    call in the layout of MultiNLI: their lengths spread as those of real pairs do."""
    folder = places.FOLDER / "pairs"
    if folder.is_dir():
        return str(folder)
    english, writer = Speaker("en"), DatasetWriter(folder)
    for split, count in (("train", 8_000), ("validation_matched", 500)):
        world_, rows = World(f"benchmark {split}"), []
        for _ in range(count):
            premise, hypothesis, label = draw_long_inference(world_, int(world_.random() * (sizes.others + 1)))
            rows.append((" ".join(map(english.text, premise)), english.text(hypothesis), label))
        writer.save("nli", "nyu-mll/multi_nli", "default", split, rows)
    writer.write_readmes()
    return str(folder)


def tokenizer(sizes: Sizes):
    """The vocabulary of the microworld's text, trained at the first call. The text may hold fewer tokens than the
    encoder has rows."""
    lines = max(2_000, sizes.sentences // 4)
    return tokenization.study_vocabulary(
        world(sizes), sizes.languages, size=sizes.shape["vocabulary"], sample_lines=lines, exponent=EXPONENT
    ).tokenizer


def text(sizes: Sizes) -> Corpus:
    """The microworld's text in sequences, encoded at the first call."""
    return Corpus(world(sizes), sizes.languages, tokenizer(sizes), sizes.shape["length"], EXPONENT)


def configuration(sizes: Sizes, **other):
    """The configuration of the encoder that both sides train."""
    return encoders.make_config("modernbert", **(sizes.shape | other))
