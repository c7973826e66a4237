"""The data sets that the world is written as, a function each: how many examples, under which name of the hub, in
which languages. Training sets are in English alone; test sets are the same meanings said in every language. Every
sentence of an evaluation set is remembered, for the running text to leave out."""

from collections.abc import Callable, Iterable
from functools import partial

from xlt_utils.microworld import ccg, choices, paraphrases, tasks
from xlt_utils.microworld.grammar import LANGUAGES
from xlt_utils.microworld.layout import NER, NLI, POS, Sets
from xlt_utils.microworld.meanings import World
from xlt_utils.microworld.questions import Asked, passage, told
from xlt_utils.microworld.relations import inference, tale
from xlt_utils.microworld.speech import Speaker, joined

# Examples of train, validation and test: of one language where the set has several. Of the sets for reading, passages.
COUNTS = {
    "nli": (20_000, 500, 500),
    "snli": (4000, 300),
    "anli": (1500, 200),  # a round
    "udpos": (6000, 400, 500),
    "panx": (6000, 400, 500),
    "tatoeba": (400,),
    "sst": (8000, 500),
    "messages": (300, 150, 600),
    "qqp": (8000, 500),
    "pawsx": (8000, 200, 400),
    "squad": (2000, 100),
    "squad_v2": (2000, 100),
    "xquad": (60,),
    "mlqa": (20, 60),
    "tydiqa": (1000, 150),
    "hellaswag": (8000, 400),
    "cosmos_qa": (8000, 400),
    "commonsense_qa": (8000, 400),
    "ccg": (4000, 300, 400),
    "bucc": (400, 400),  # sentences a side, of which
}
TRANSLATED = 0.25  # have their translation on the other side
UNLABELLED = 0.01  # of SNLI: the annotators did not agree
ROUNDS = {"r1": (1, False), "r2": (2, False), "r3": (2, True)}  # of ANLI: sentences beside the premise, and a rival


class Making:
    """What the making of data sets shares: where they go, who speaks, what has been drawn and what is tested."""

    def __init__(self, sets: Sets, seed: int, languages: list[str]):
        self.sets, self.seed = sets, seed
        self.speakers = {code: Speaker(code) for code in languages}
        self.english = self.speakers["en"]
        self.kept_out: set[str] = set()
        self._drawn: dict[str, tasks.Drawn] = {}

    def world(self, name: str) -> World:
        return World(f"{self.seed} {name}")

    def draw(self, kind: str, split: str, example: Callable, count: int, say: Callable) -> list:
        """Examples that no set of the same kind holds yet; `say` gives what makes an example what it is."""
        drawn = self._drawn.setdefault(kind, tasks.Drawn(self.english))
        return list(drawn.fresh(example, self.world(f"{kind} {split}"), count, say))

    def save(
        self, kind: str, dataset: str, config: str, split: str, rows: list, tested: Callable | None = None
    ) -> None:
        """Write a split; of an evaluation set, `tested` gives the texts of a row."""
        self.sets.save(kind, dataset, config, split, rows)
        if tested and split != "train" and not split.startswith("train_"):
            self.test(text for row in rows for text in tested(row))

    def test(self, texts: Iterable[str]) -> None:
        """Remember texts that are tested."""
        self.kept_out.update(map(tasks.normalised, texts))


# Inference and paraphrase


def natural_inference(making: Making) -> None:
    """MultiNLI in English, XNLI with all languages in one file; SNLI and ANLI, of which no pair is XNLI's."""
    english = making.english

    def pairs(split: str, count: int) -> list:
        return making.draw("nli", split, inference, count, lambda pair: pair[:2])

    def spoken(pairs: list) -> list:
        return [(english.text(pair[0]), english.text(pair[1]), pair[2]) for pair in pairs]

    (train, validation, test), (snli_train, snli_validation) = COUNTS["nli"], COUNTS["snli"]
    place = "nyu-mll/multi_nli", "default"
    making.save("nli", *place, "train", spoken(pairs("train", train)))
    both = {"validation": pairs("validation", validation)[: validation // 2], "test": pairs("test", test)}
    making.save("nli", *place, "validation_matched", spoken(pairs("matched", validation)), lambda row: row[:2])
    for split, drawn in both.items():
        rows = [
            (code, speaker.text(pair.premise), speaker.text(pair.hypothesis), NLI[pair.label])
            for code, speaker in making.speakers.items()
            for pair in drawn
        ]
        making.save("xnli", "google/xtreme", "XNLI", split, rows, lambda row: row[1:3])
    for split, count in (("train", snli_train), ("validation", snli_validation)):
        agreed = making.world(f"snli {split} agreed")
        rows = [
            (*texts, -1 if agreed.chance(UNLABELLED) else label)
            for *texts, label in spoken(pairs(f"snli {split}", count))
        ]
        making.save("nli", "stanfordnlp/snli", "plain_text", split, rows, lambda row: row[:2])
    for name, (others, rival) in ROUNDS.items():
        for split, count in zip(("train", "dev"), COUNTS["anli"], strict=True):
            tales = making.draw(
                "anli", f"{split}_{name}", partial(tale, others=others, rival=rival), count,
                lambda tale: (*tale.premise, tale.hypothesis),
            )  # fmt: skip
            rows = []
            for i, (premise, hypothesis, label) in enumerate(tales):
                sentences = [english.text(sentence) for sentence in premise]
                rows.append((f"{name}-{split}-{i}", " ".join(sentences), english.text(hypothesis), label, ""))
                if split == "dev":
                    making.test(sentences)
            making.save("anli", "facebook/anli", "plain_text", f"{split}_{name}", rows, lambda row: row[1:3])


def paraphrase(making: Making) -> None:
    """QQP in English, PAWS-X in every language."""
    english = making.english
    start = 0
    for split, count in zip(("train", "validation"), COUNTS["qqp"], strict=True):
        asked = making.draw(
            "qqp", split, paraphrases.questions, count, lambda pair: (pair[0].text(english), pair[1].text(english))
        )
        rows = [(pair[0].text(english), pair[1].text(english), pair.label, start + i) for i, pair in enumerate(asked)]
        making.save("qqp", "nyu-mll/glue", "qqp", split, rows, lambda row: row[:2])
        start += count
    for split, count in zip(("train", "validation", "test"), COUNTS["pawsx"], strict=True):
        pairs = making.draw("pawsx", split, paraphrases.pair, count, lambda pair: pair[:2])
        for code, speaker in making.speakers.items():
            if code == "en" or split != "train":
                rows = [(speaker.text(pair.first), speaker.text(pair.second), str(pair.label)) for pair in pairs]
                making.save("pawsx", "google/xtreme", f"PAWS-X.{code}", split, rows, lambda row: row[:2])


# Reading


def reading(making: Making) -> None:
    """SQuAD and SQuAD 2 in English; XQuAD, MLQA and TyDiQA in every language. MLQA's passages are longer, TyDiQA's
    questions vaguer: who asked had not read the passage."""

    def passages(kind: str, split: str, count: int, **settings) -> list:
        settings = {"facts": 5, "questions": 4, **settings}
        return making.draw(
            "reading", f"{kind} {split}", lambda world: passage(world, **settings), count,
            lambda passage: passage.sentences(),
        )  # fmt: skip

    def rows(passages: list, speaker: Speaker, name: str, tested: bool, titled: bool = True) -> list:
        found = []
        for drawn in passages:
            title = joined(speaker.phrase(drawn.facts[0].subject, ""))
            for asked in told(speaker, drawn):
                row = f"{name}-{len(found)}", title, asked.context, asked.question, _answers(asked)
                found.append(row if titled else (row[0], *row[2:]))
                if tested:
                    making.test((*asked.sentences, asked.context, asked.question))
        return found

    for kind, config, unanswerable in (("squad", "plain_text", 0.0), ("squad_v2", "squad_v2", 0.5)):
        for split, count in zip(("train", "validation"), COUNTS[kind], strict=True):
            drawn = passages(kind, split, count, unanswerable=unanswerable)
            said = rows(drawn, making.english, f"{kind}-{split}", split != "train")
            making.save("squad", f"rajpurkar/{kind}", config, split, said)
    drawn = passages("xquad", "validation", *COUNTS["xquad"])
    longer = {
        split: passages("mlqa", split, count, facts=7)
        for split, count in zip(("validation", "test"), COUNTS["mlqa"], strict=True)
    }
    train, validation = COUNTS["tydiqa"]
    train, validation = (
        passages("tydiqa", split, count, facts=6, questions=2, vague=0.8)
        for split, count in (("train", train), ("validation", validation))
    )
    everyone = []
    for code, speaker in making.speakers.items():
        place = "google/xtreme", f"XQuAD.{code}", "validation"
        making.save("xquad", *place, rows(drawn, speaker, "xquad", True, titled=False))
        for split, said in longer.items():
            name = f"mlqa-{split}"
            making.save("squad", "google/xtreme", f"MLQA.{code}.{code}", split, rows(said, speaker, name, True))
        everyone += rows(validation, speaker, speaker.grammar.ud_name.lower(), True)
    making.save("squad", "google/xtreme", "tydiqa", "train", rows(train, making.english, "english-train", False))
    making.save("squad", "google/xtreme", "tydiqa", "validation", everyone)


def _answers(asked: Asked) -> dict:
    has = asked.start >= 0
    return {"text": [asked.answer] if has else [], "answer_start": [asked.start] if has else []}


# Choice


def choosing(making: Making) -> None:
    """HellaSwag, CosmosQA and CommonsenseQA, in English."""
    english = making.english
    numbers = iter(range(1_000_000))

    def hellaswag(split, choice):
        label, context = str(choice.label), f"{choice.told(english)} {choice.question}"
        return next(numbers), context, list(choice.options), label

    def cosmos(split, choice):
        return f"cosmos-{split}-{next(numbers)}", choice.told(english), choice.question, *choice.options, choice.label

    def commonsense(split, choice):
        options = {"label": list("ABCDE"), "text": list(choice.options)}
        name = f"commonsense-{split}-{next(numbers)}"
        return name, choice.question, choice.concept, options, "ABCDE"[choice.label]

    for kind, dataset, example, row in (
        ("hellaswag", "Rowan/hellaswag", choices.ending, hellaswag),
        ("cosmos_qa", "allenai/cosmos_qa", choices.story, cosmos),
        ("commonsense_qa", "tau/commonsense_qa", choices.fitting, commonsense),
    ):
        for split, count in zip(("train", "validation"), COUNTS[kind], strict=True):
            drawn = making.draw(
                kind, split, example, count, lambda choice: (*choice.context, choice.question, *sorted(choice.options))
            )
            making.save(kind, dataset, "default", split, [row(split, choice) for choice in drawn])
            if split != "train":
                for choice in drawn:
                    making.test(map(english.text, choice.context))
                    making.test((choice.question, *choice.options, choice.told(english)))
                    if kind == "hellaswag":
                        making.test(f"{choice.question} {option}" for option in choice.options)


# Tagging


def tagging(making: Making) -> None:
    """Word classes (trained on in English) and names (in PAN-X's splits), in every language."""
    for kind, drawn, prefix in (("udpos", tasks.tagged, "udpos."), ("panx", tasks.named, "PAN-X.")):
        train, validation, test = (
            making.draw(kind, split, drawn, count, lambda sentence: (sentence,))
            for split, count in zip(("train", "validation", "test"), COUNTS[kind], strict=True)
        )
        for code, speaker in making.speakers.items():
            config = prefix + (speaker.grammar.ud_name if kind == "udpos" else code)
            splits = {"test": test}
            if code == "en":
                splits |= {"train": train}
            if code == "en" or kind == "panx":
                splits |= {"validation": validation}
            for split, meanings in splits.items():
                said = [speaker.say(sentence) for sentence in meanings]
                making.save(kind, "google/xtreme", config, split, [_tagged_row(kind, tokens, code) for tokens in said])
                making.test(map(joined, said))


def _tagged_row(kind: str, tokens: list, code: str) -> tuple:
    words = [token.text for token in tokens]
    if kind == "udpos":
        return words, [POS.index(token.pos) for token in tokens]
    return words, [NER.index(token.ner) for token in tokens], [code] * len(words)


def supertags(making: Making) -> None:
    """CCGbank's sections 02 (train), 00 (development) and 23 (test), a file each, in English."""
    for section, split, count in zip(("02", "00", "23"), ("train", "validation", "test"), COUNTS["ccg"], strict=True):
        trees = making.draw(
            "ccg", split, lambda world: ccg.Grammarian(world).sentence(), count, lambda tree: (joined_words(tree),)
        )
        lines = []
        for i, tree in enumerate(trees, start=1):
            lines += [f"ID=wsj_{section}00.{i} PARSER=GOLD NUMPARSE=1", ccg.written(tree)]
        making.sets.save_lines(f"ccgbank/data/AUTO/{section}/wsj_{section}00.auto", lines)
        if split != "train":
            making.test(map(joined_words, trees))


def joined_words(tree: ccg.Tree) -> str:
    return joined([(word,) for word in ccg.words(tree)])


# Translation


def retrieval(making: Making) -> None:
    """Tatoeba: sentences that differ from each other in every language, each beside its English translation."""
    world, seen, pairs = making.world("tatoeba"), set(), []
    while len(pairs) < COUNTS["tatoeba"][0]:
        sentence = tasks.tagged(world)
        said = {code: speaker.text(sentence) for code, speaker in making.speakers.items()}
        keys = {f"{code} {tasks.normalised(text)}" for code, text in said.items()}
        if not keys & seen:
            seen |= keys
            pairs.append(said)
            making.test(said.values())
    for code in list(making.speakers)[1:]:
        iso3 = LANGUAGES[code].iso3
        rows = [(said[code] + "\n", said["en"] + "\n", iso3, "eng") for said in pairs]
        making.save("tatoeba", "google/xtreme", f"tatoeba.{iso3}", "validation", rows)


def mining(making: Making) -> None:
    """BUCC: two sides of which a part is each other's translation, and the rest no sentence of the other side's. The
    English side, and the places of the translations, are the same for every language."""
    drawn = tasks.Drawn(making.english)
    for split, count in zip(("dev", "test"), COUNTS["bucc"], strict=True):
        world, shared = making.world(f"bucc {split}"), round(TRANSLATED * count)
        meanings = list(
            drawn.fresh(tasks.tagged, world, 2 * count - shared, lambda s: (tasks.alike(making.english.text(s)),))
        )
        foreign, native = (sorted(range(i, i + count), key=lambda _: world.random()) for i in (0, count - shared))
        english = [making.english.text(meanings[i]) for i in native]
        for code, speaker in list(making.speakers.items())[1:]:
            said = [speaker.text(meaning) for meaning in meanings]
            first = {tasks.normalised(text): i for i, text in reversed(list(enumerate(said)))}
            # Two meanings that this language says in the same words: the second one is left out.
            kept = [i for i in foreign if first[tasks.normalised(said[i])] == i]
            sides = {code: [said[i] for i in kept], "en": english}
            name = f"bucc2018/{code}-en.{split}"
            for side, texts in sides.items():
                lines = [f"{side}-{i:09d}\t{text}" for i, text in enumerate(texts, start=1)]
                making.sets.save_lines(f"{name}.{side}", lines)
                making.test(texts)
            gold = [
                f"{code}-{i:09d}\ten-{native.index(meaning) + 1:09d}"
                for i, meaning in enumerate(kept, start=1)
                if meaning in native
            ]
            making.sets.save_lines(f"{name}.gold", gold)


# Opinions


def opinions(making: Making) -> None:
    """SST-2 of films in English, in GLUE's spelling; messages on other things in every language."""
    for split, count in zip(("train", "validation"), COUNTS["sst"], strict=True):
        reviews = making.draw("sst", split, tasks.review, count, lambda verdict: verdict.sentences)
        rows = []
        for i, verdict in enumerate(reviews):
            said = [token.text for sentence in verdict.sentences for token in making.english.say(sentence)]
            words = " ".join(said).lower()
            rows.append((words + " ", verdict.label // 2, i))
        making.save("sst", "nyu-mll/glue", "sst2", split, rows)
        making.test(row[0] for row in rows)
    for split, count in zip(("train", "validation", "test"), COUNTS["messages"], strict=True):
        messages = making.draw("messages", split, tasks.message, count, lambda verdict: verdict.sentences)
        for code, speaker in making.speakers.items():
            rows = [(tasks.spoken(speaker, verdict), verdict.label) for verdict in messages]
            name = LANGUAGES[code].umsab_name
            making.save("messages", "cardiffnlp/tweet_sentiment_multilingual", name, split, rows, lambda row: row[:1])
            if split != "train":
                making.test(speaker.text(sentence) for verdict in messages for sentence in verdict.sentences)


SETS = (
    natural_inference, tagging, retrieval, opinions, paraphrase, reading, choosing, supertags, mining,
)  # fmt: skip
