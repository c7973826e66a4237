"""Opinions: neither words nor stars and faces settle them."""

from small_world import TWEETS, words_only


def test_words_alone_help_with_opinions_and_do_not_settle_them(load):
    train, test = (load("nyu-mll/glue", "sst2", split) for split in ("train", "validation"))
    score = words_only(list(train["sentence"]), list(train["label"]), list(test["sentence"]), list(test["label"]))
    assert 0.6 < score < 0.85


def test_no_sign_gives_an_opinion_away_in_every_language(load):
    """Stars and faces are shared by all languages; they lean to the label and do not decide it."""
    rows = [(row["text"], row["label"]) for row in load(TWEETS, "english", "test") if row["label"] != 1]
    happy = [label for text, label in rows if any(sign in text for sign in (":)", "★ ★ ★ ★", "9/10", "♥"))]
    assert 0.7 < happy.count(2) / len(happy) < 0.95 and len(happy) < len(rows) / 2
