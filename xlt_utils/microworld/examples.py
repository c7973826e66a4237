"""The data sets that the world is written as, a function each: how many examples, under which name of the hub, in
which languages. Training sets are in English alone; test sets are the same meanings said in every language. Every
sentence of an evaluation set is remembered, for the running text to leave out."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import count

from xlt_utils.microworld import ccg, choices, paraphrases, tasks
from xlt_utils.microworld.grammar import LANGUAGES
from xlt_utils.microworld.layout import NER, NLI, POS, Sets
from xlt_utils.microworld.meanings import World
from xlt_utils.microworld.questions import Asked, Passage, passage, told
from xlt_utils.microworld.relations import Pair, inference, tale
from xlt_utils.microworld.speech import Speaker, joined

# Examples of train, validation and test: of one language where the set has several. Of the sets for reading, passages.
COUNTS = {
    "nli": (20_000, 500, 500),
    "translated": (2000,),  # of MultiNLI's training pairs, in each other language
    "snli": (3000, 300),
    "anli": (1000, 200),  # a round
    "udpos": (6000, 400, 500),
    "panx": (6000, 400, 500),
    "tatoeba": (400,),
    "sst": (8000, 500),
    "messages": (300, 150, 600),
    "qqp": (8000, 500),
    "pawsx": (6000, 200, 400),
    "squad": (2000, 100),
    "squad_v2": (2000, 100),
    "xquad": (60,),
    "mlqa": (20, 60),
    "tydiqa": (600, 150),
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

    def draw(self, kind: str, split: str, example: Callable, size: int, say: Callable) -> list:
        """Examples that no set of the same kind holds yet; `say` gives what makes an example what it is."""
        drawn = self._drawn.setdefault(kind, tasks.Drawn(self.english))
        return list(drawn.fresh(example, self.world(f"{kind} {split}"), size, say))

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
    """MultiNLI in English, its beginning in each other language, and XNLI with all languages in one file; SNLI and
    ANLI, of which no pair is XNLI's."""
    english = making.english

    def said_by(speaker: Speaker, pair: Pair) -> tuple[str, str, int]:
        return speaker.text(pair.premise), speaker.text(pair.hypothesis), pair.label

    def said(world: World) -> tuple[str, str, int]:
        return said_by(english, inference(world))

    def drawn(split: str, size: int, example: Callable = said) -> list:
        return making.draw("nli", split, example, size, lambda pair: pair[:2])

    (train, validation, test), (snli_train, snli_validation) = COUNTS["nli"], COUNTS["snli"]
    place = "nyu-mll/multi_nli", "default"
    pairs = drawn("train", train, inference)
    making.save("nli", *place, "train", (said_by(english, pair) for pair in pairs))
    for code, speaker in making.speakers.items():
        rows = (said_by(speaker, pair) for pair in pairs[: COUNTS["translated"][0]])
        if code != "en":
            making.save("nli", "facebook/xnli", code, "train", rows)
    both = {"validation": drawn("validation", validation, inference), "test": drawn("test", test, inference)}
    both["validation"] = both["validation"][: validation // 2]
    making.save("nli", *place, "validation_matched", drawn("matched", validation), lambda row: row[:2])
    for split, pairs in both.items():
        rows = [
            (code, premise, hypothesis, NLI[label])
            for code, speaker in making.speakers.items()
            for premise, hypothesis, label in (said_by(speaker, pair) for pair in pairs)
        ]
        making.save("xnli", "google/xtreme", "XNLI", split, rows, lambda row: row[1:3])
    for split, size in (("train", snli_train), ("validation", snli_validation)):
        agreed = making.world(f"snli {split} agreed")
        rows = [(*texts, -1 if agreed.chance(UNLABELLED) else label) for *texts, label in drawn(f"snli {split}", size)]
        making.save("nli", "stanfordnlp/snli", "plain_text", split, rows, lambda row: row[:2])
    for name, (others, rival) in ROUNDS.items():

        def told(world: World, others=others, rival=rival) -> tuple[list[str], str, int]:
            premise, hypothesis, label = tale(world, others, rival)
            return list(map(english.text, premise)), english.text(hypothesis), label

        for split, size in zip(("train", "dev"), COUNTS["anli"], strict=True):
            tales = making.draw("anli", f"{split}_{name}", told, size, lambda tale: (*tale[0], tale[1]))
            rows = [
                (f"{name}-{split}-{i}", " ".join(premise), hypothesis, label, "")
                for i, (premise, hypothesis, label) in enumerate(tales)
            ]
            making.save("anli", "facebook/anli", "plain_text", f"{split}_{name}", rows, lambda row: row[1:3])
            if split == "dev":
                making.test(sentence for premise, _, _ in tales for sentence in premise)


def paraphrase(making: Making) -> None:
    """QQP in English, PAWS-X in every language."""
    english, numbers = making.english, count()

    def asked(world: World) -> tuple[str, str, int]:
        first, second, label = paraphrases.questions(world)
        return first.text(english), second.text(english), label

    for split, size in zip(("train", "validation"), COUNTS["qqp"], strict=True):
        pairs = making.draw("qqp", split, asked, size, lambda pair: pair[:2])
        rows = [(*pair, number) for pair, number in zip(pairs, numbers, strict=False)]
        making.save("qqp", "nyu-mll/glue", "qqp", split, rows, lambda row: row[:2])

    def said(pair: paraphrases.Pair, speaker: Speaker) -> tuple[str, str, str]:
        return speaker.text(pair.first), speaker.text(pair.second), str(pair.label)

    def drawn(split: str, size: int, example: Callable) -> list:
        return making.draw("pawsx", split, example, size, lambda pair: pair[:2])

    train, *sizes = COUNTS["pawsx"]
    rows = drawn("train", train, lambda world: said(paraphrases.pair(world), english))
    making.save("pawsx", "google/xtreme", "PAWS-X.en", "train", rows)
    for split, size in zip(("validation", "test"), sizes, strict=True):
        pairs = drawn(split, size, paraphrases.pair)
        for code, speaker in making.speakers.items():
            rows = [said(pair, speaker) for pair in pairs]
            making.save("pawsx", "google/xtreme", f"PAWS-X.{code}", split, rows, lambda row: row[:2])


# Reading


def reading(making: Making) -> None:
    """SQuAD and SQuAD 2 in English; XQuAD, MLQA and TyDiQA in every language. MLQA's passages are longer, TyDiQA's
    questions vaguer: who asked had not read the passage."""

    def read(speaker: Speaker, drawn: Passage) -> tuple[str, list[Asked]]:
        return joined(speaker.phrase(drawn.facts[0].subject, "")), told(speaker, drawn)

    def passages(split: str, size: int, spoken: bool = False, **settings) -> list:
        """Passages, or with `spoken` what they say in English."""
        settings = {"facts": 5, "questions": 4, **settings}
        if spoken:
            return making.draw(
                "reading", split, lambda world: read(making.english, passage(world, **settings)), size,
                lambda said: said[1][0].sentences,
            )  # fmt: skip
        return making.draw("reading", split, partial(passage, **settings), size, Passage.sentences)

    def rows(read: Iterable[tuple[str, list[Asked]]], name: str, tested: bool = True) -> list:
        found = []
        for title, questions in read:
            for asked in questions:
                found.append((f"{name}-{len(found)}", title, asked.context, asked.question, _answers(asked)))
            if tested:
                making.test((*asked.sentences, asked.context, *(asked.question for asked in questions)))
        return found

    for kind, config, unanswerable in (("squad", "plain_text", 0.0), ("squad_v2", "squad_v2", 0.5)):
        for split, size in zip(("train", "validation"), COUNTS[kind], strict=True):
            said = passages(f"{kind} {split}", size, spoken=True, unanswerable=unanswerable)
            making.save("squad", f"rajpurkar/{kind}", config, split, rows(said, f"{kind}-{split}", split != "train"))
    short = passages("xquad validation", *COUNTS["xquad"])
    longer = {
        split: passages(f"mlqa {split}", size, facts=7)
        for split, size in zip(("validation", "test"), COUNTS["mlqa"], strict=True)
    }
    train, validation = COUNTS["tydiqa"]
    vague = {"facts": 6, "questions": 2, "vague": 0.8}
    said = passages("tydiqa train", train, spoken=True, **vague)
    making.save("squad", "google/xtreme", "tydiqa", "train", rows(said, "english-train", False))
    vaguely, everyone = passages("tydiqa validation", validation, **vague), []
    for code, speaker in making.speakers.items():
        said = rows((read(speaker, drawn) for drawn in short), "xquad")
        making.save("xquad", "google/xtreme", f"XQuAD.{code}", "validation", [(row[0], *row[2:]) for row in said])
        for split, drawn in longer.items():
            said = rows((read(speaker, passage) for passage in drawn), f"mlqa-{split}")
            making.save("squad", "google/xtreme", f"MLQA.{code}.{code}", split, said)
        everyone += rows((read(speaker, drawn) for drawn in vaguely), speaker.grammar.ud_name.lower())
    making.save("squad", "google/xtreme", "tydiqa", "validation", everyone)


def _answers(asked: Asked) -> dict:
    has = asked.start >= 0
    return {"text": [asked.answer] if has else [], "answer_start": [asked.start] if has else []}


# Choice


def choosing(making: Making) -> None:
    """HellaSwag, CosmosQA and CommonsenseQA, in English."""
    english, letters = making.english, list("ABCDE")

    def hellaswag(i: int, split: str, context: str, choice: choices.Choice) -> tuple:
        return i, f"{context} {choice.question}", choice.options, str(choice.label)

    def cosmos(i: int, split: str, context: str, choice: choices.Choice) -> tuple:
        return f"cosmos-{split}-{i}", context, choice.question, *choice.options, choice.label

    def commonsense(i: int, split: str, context: str, choice: choices.Choice) -> tuple:
        options = {"label": letters, "text": choice.options}
        return f"commonsense-{split}-{i}", choice.question, choice.concept, options, letters[choice.label]

    for kind, dataset, draw, row in (
        ("hellaswag", "Rowan/hellaswag", choices.ending, hellaswag),
        ("cosmos_qa", "allenai/cosmos_qa", choices.story, cosmos),
        ("commonsense_qa", "tau/commonsense_qa", choices.fitting, commonsense),
    ):

        def told(world: World, draw=draw) -> tuple[choices.Choice, list[str]]:
            choice = draw(world)
            return choice, list(map(english.text, choice.context))

        for split, size in zip(("train", "validation"), COUNTS[kind], strict=True):
            drawn = making.draw(
                kind, split, told, size, lambda said: (*said[1], said[0].question, *sorted(said[0].options))
            )
            rows = [row(i, split, " ".join(context), choice) for i, (choice, context) in enumerate(drawn)]
            making.save(kind, dataset, "default", split, rows)
            if split != "train":
                for choice, context in drawn:
                    making.test((*context, " ".join(context), choice.question, *choice.options))
                    if kind == "hellaswag":
                        making.test(f"{choice.question} {option}" for option in choice.options)


# Tagging


def tagging(making: Making) -> None:
    """Word classes (trained on in English) and names (in PAN-X's splits), in every language."""
    english = making.english
    for kind, drawn, prefix in (("udpos", tasks.tagged, "udpos."), ("panx", tasks.named, "PAN-X.")):
        train, validation, test = COUNTS[kind]

        def said(world: World, drawn=drawn) -> list:
            return english.say(drawn(world))

        rows = [
            _tagged_row(kind, tokens, "en")
            for tokens in making.draw(kind, "train", said, train, lambda tokens: (joined(tokens),))
        ]
        configs = {code: prefix + (LANGUAGES[code].ud_name if kind == "udpos" else code) for code in making.speakers}
        making.save(kind, "google/xtreme", configs["en"], "train", rows)
        making.test(joined([(word,) for word in row[0]]) for row in rows)  # held out of the text as well
        for split, size in (("validation", validation), ("test", test)):
            meanings = making.draw(kind, split, drawn, size, lambda sentence: (sentence,))
            for code, speaker in making.speakers.items():
                if split == "test" or code == "en" or kind == "panx":
                    tokens = [speaker.say(sentence) for sentence in meanings]
                    rows = [_tagged_row(kind, words, code) for words in tokens]
                    making.save(kind, "google/xtreme", configs[code], split, rows)
                    making.test(map(joined, tokens))


def _tagged_row(kind: str, tokens: list, code: str) -> tuple:
    words = [token.text for token in tokens]
    if kind == "udpos":
        return words, [POS.index(token.pos) for token in tokens]
    return words, [NER.index(token.ner) for token in tokens], [code] * len(words)


def supertags(making: Making) -> None:
    """CCGbank's sections 02 (train), 00 (development) and 23 (test), a file each, in English."""

    def derived(world: World) -> tuple[str, str]:
        tree = ccg.sentence(world)
        return joined([(word,) for word in ccg.words(tree)]), ccg.written(tree)

    sections = zip(("02", "00", "23"), ("train", "validation", "test"), COUNTS["ccg"], strict=True)
    for section, split, size in sections:
        drawn = making.draw("ccg", split, derived, size, lambda said: said[:1])
        lines = []
        for i, (_, derivation) in enumerate(drawn, start=1):
            lines += [f"ID=wsj_{section}00.{i} PARSER=GOLD NUMPARSE=1", derivation]
        making.sets.save_lines(f"ccgbank/data/AUTO/{section}/wsj_{section}00.auto", lines)
        if split != "train":
            making.test(text for text, _ in drawn)


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
    for split, size in zip(("dev", "test"), COUNTS["bucc"], strict=True):
        world, shared = making.world(f"bucc {split}"), round(TRANSLATED * size)
        meanings = list(
            drawn.fresh(tasks.tagged, world, 2 * size - shared, lambda s: (tasks.alike(making.english.text(s)),))
        )
        foreign, native = (sorted(range(i, i + size), key=lambda _: world.random()) for i in (0, size - shared))
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

    def said(world: World) -> tuple[str, int]:
        verdict = tasks.review(world)
        words = [token.text for sentence in verdict.sentences for token in making.english.say(sentence)]
        return " ".join(words).lower() + " ", verdict.label // 2

    for split, size in zip(("train", "validation"), COUNTS["sst"], strict=True):
        reviews = making.draw("sst", split, said, size, lambda row: row[:1])
        making.save("sst", "nyu-mll/glue", "sst2", split, [(*row, i) for i, row in enumerate(reviews)])
        making.test(row[0] for row in reviews)
    for split, size in zip(("train", "validation", "test"), COUNTS["messages"], strict=True):
        messages = making.draw("messages", split, tasks.message, size, lambda verdict: verdict.sentences)
        for code, speaker in making.speakers.items():
            rows = [(tasks.spoken(speaker, verdict), verdict.label) for verdict in messages]
            name = LANGUAGES[code].umsab_name
            making.save("messages", "cardiffnlp/tweet_sentiment_multilingual", name, split, rows, lambda row: row[:1])
            if split != "train":
                making.test(speaker.text(sentence) for verdict in messages for sentence in verdict.sentences)


SETS = (
    natural_inference, tagging, retrieval, opinions, paraphrase, reading, choosing, supertags, mining,
)  # fmt: skip
