"""What the microworld's tests share: its languages, a sentence in one of them, a baseline of words alone, and a reader
of CCGbank's derivations."""

import re

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from xlt_utils import microworld
from xlt_utils.microworld.meanings import Sentence
from xlt_utils.microworld.speech import Speaker

CODES = list(microworld.LANGUAGES)
TWEETS = "cardiffnlp/tweet_sentiment_multilingual"


def say(code: str, sentence: Sentence) -> str:
    """A sentence in a language."""
    return Speaker(code).text(sentence)


def words_only(texts: list[str], labels: list[int], test: list[str], gold: list[int]) -> float:
    """Accuracy of a logistic regression on counts of words."""
    counts = CountVectorizer(token_pattern=r"\S+")
    model = LogisticRegression(max_iter=1000).fit(counts.fit_transform(texts), labels)
    return model.score(counts.transform(test), gold)


def read_derivation(line: str):
    """A line of CCGbank as (node, children); leaves have no children."""
    tokens = re.findall(r"\(?<[^>]*>\)?|\)", line)

    def node(at: int):
        head = tokens[at]
        if head.startswith("(<L"):
            assert head.endswith(")")
            return (head[2:-2].split(), []), at + 1
        assert head.startswith("(<T")
        at, children = at + 1, []
        while tokens[at] != ")":
            child, at = node(at)
            children.append(child)
        return (head[2:-1].split(), children), at + 1

    tree, end = node(0)
    assert end == len(tokens)
    return tree


def leaves(tree) -> list[list[str]]:
    """The leaves of a derivation: their tag, category and word."""
    head, children = tree
    return [head] if not children else [leaf for child in children for leaf in leaves(child)]
