"""The microworld's tasks are learnable but not trivial: an encoder, trained on the same English sentences, is clearly
above a bag of words, and what it learnt reaches the nearest language better than the farthest."""

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from xlt_utils.data import labelled
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import evaluate
from xlt_utils.training import batches, encoders, encoding, loop, objectives
from xlt_utils.training.schedules import ladder_schedule

LANGUAGES = ["en", "xa", "xh"]
pytestmark = pytest.mark.slow


def bag_of_words(task, world: str, examples: int) -> float:
    """English test accuracy of a logistic regression on words and pairs of words, each text's its own."""

    def features(rows):
        words = [[(name, word) for name in ("text", "text2") for word in row.get(name, "").split()] for row in rows]
        return [" ".join(f"{name}_{word}" for name, word in row) for row in words]

    known = labelled.read_examples(labelled.SplitRef(task, "train", world, limit=examples))
    tests = labelled.read_examples(labelled.SplitRef(task, "test", world))
    model = make_pipeline(CountVectorizer(ngram_range=(1, 2), token_pattern=r"\S+"), LogisticRegression(max_iter=2000))
    model.fit(features(known), [row["label"] for row in known])
    return model.score(features(tests), [row["label"] for row in tests])


def encoder(task, world: str, vocabulary, examples: int, folder) -> dict[str, float]:
    """Test accuracy by language of an encoder trained on the task alone, from random weights, in one pass."""
    shape = {"layers": 4, "width": 128, "heads": 2, "vocabulary": len(vocabulary.tokenizer), "length": 128}
    model = encoders.create_encoder(encoders.make_config("modernbert", **shape), seed=0)
    learner = objectives.TaskHead(model, task, seed=0)
    encoded = encoding.encode(labelled.SplitRef(task, "train", world), vocabulary.tokenizer, 128)
    rows, schedule = batches.subset(encoded, 0, examples), ladder_schedule(5e-4, 8, examples // 32, 0.2)
    loop.train(learner, batches.epoch_batches(encoded, rows, 32, 0), schedule, seed=0, state=folder)
    results = evaluate.evaluate_task(
        learner, "test", LANGUAGES, evaluate.EvaluationConfig(world, vocabulary.tokenizer, 128)
    ).results
    return {row["language"]: row["value"] for row in results if row["main"]}


@pytest.mark.parametrize(("name", "examples"), [("xnli", 8_000), ("sst", 8_000)])
def test_an_encoder_beats_a_bag_of_words_and_transfers_to_the_near_language(
    name, examples, world, vocabulary, tmp_path
):
    words = bag_of_words(TASKS[name], world, examples)
    scores = encoder(TASKS[name], world, vocabulary, examples, tmp_path)
    print(f"{name}: bag of words {words:.3f}, encoder {scores}")
    assert TASKS[name].chance + 0.1 < words < 0.85
    assert scores["en"] > words + 0.05
    assert scores["en"] > scores["xa"] > scores["xh"]
