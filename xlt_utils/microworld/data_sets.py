"""The data sets that the world is written as, a function each: how many examples, under which name of the hub, in which
languages. Training sets are in English alone; test sets say the same meanings in every language. Every sentence of an
evaluation set is held out of the running text."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count

from xlt_utils.microworld import ccg, choices, draws, offers, paraphrases
from xlt_utils.microworld.draws import Example
from xlt_utils.microworld.grammar import LANGUAGES
from xlt_utils.microworld.layout import NER, NLI, POS, DatasetWriter
from xlt_utils.microworld.meanings import Sentence, World
from xlt_utils.microworld.questions import Passage, QuestionText, draw_passage, question_texts
from xlt_utils.microworld.relations import InferencePair, draw_inference, draw_long_inference
from xlt_utils.microworld.speech import Speaker, Token, detokenise, join_tokens

# Examples of train, validation and test: of one language where the set has several. Of the reading sets: passages.
COUNTS: dict[str, tuple[int, ...]] = {
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
    "bucc": (400, 400),  # sentences a side
    "reputations": (384, 192),
    "offers": (2048, 192, 384),
}
TRANSLATED = 0.25  # of BUCC's sentences: they have their translation on the other side
UNLABELLED = 0.01  # of SNLI: the annotators did not agree
ROUNDS = {"r1": (1, False), "r2": (2, False), "r3": (2, True)}  # of ANLI: extra sentences, and whether one distracts


class WorldBuild:
    """What the writers of data sets share: the folder's writer, a speaker per language, the examples drawn so far, and
    the sentences held out of the running text."""

    def __init__(self, writer: DatasetWriter, seed: int, languages: list[str]):
        self.writer, self.seed = writer, seed
        self.speakers = {code: Speaker(code) for code in languages}
        self.english = self.speakers["en"]
        self.held_out: set[str] = set()
        self._draws: dict[str, draws.FreshDraws] = {}

    def world(self, name: str) -> World:
        """The stream of meanings for one purpose."""
        return World(f"{self.seed} {name}")

    def draw(
        self,
        kind: str,
        split: str,
        draw_one: Callable[[World], Example],
        size: int,
        identify: Callable[[Example], Iterable[str | Sentence]],
    ) -> list[Example]:
        """Draw the examples of a split, none of which another split of the same kind has.

        Args:
            kind, split: their names decide the stream of meanings.
            draw_one: draws an example.
            size: how many.
            identify: gives the sentences or texts by which two examples count as the same.
        """
        fresh = self._draws.setdefault(kind, draws.FreshDraws(self.english))
        return list(fresh.draw(draw_one, self.world(f"{kind} {split}"), size, identify))

    def save(
        self,
        kind: str,
        dataset: str,
        config: str,
        split: str,
        rows: Iterable[tuple],
        test_texts: Callable[[tuple], Iterable[str]] | None = None,
    ) -> None:
        """Write a split (`DatasetWriter.save`); `test_texts` gives the texts of a row, held out unless the split is one
        for training."""
        self.writer.save(kind, dataset, config, split, rows)
        if test_texts and split != "train" and not split.startswith("train_"):
            self.hold_out(text for row in rows for text in test_texts(row))

    def hold_out(self, texts: Iterable[str]) -> None:
        """Hold sentences of an evaluation set out of the running text."""
        self.held_out.update(map(draws.comparison_key, texts))


# Inference and paraphrase


def write_inference(build: WorldBuild) -> None:
    """MultiNLI in English, its beginning in each other language, and XNLI with all languages in one file; SNLI and
    ANLI, of which no pair is also in XNLI."""
    english = build.english
    (train, validation, test), (snli_train, snli_validation) = COUNTS["nli"], COUNTS["snli"]
    mnli = "nyu-mll/multi_nli", "default"
    pairs = build.draw("nli", "train", draw_inference, train, _pair_sentences)
    build.save("nli", *mnli, "train", (_inference_row(english, pair) for pair in pairs))
    for code, speaker in build.speakers.items():
        if code != "en":
            translated = pairs[: COUNTS["translated"][0]]
            build.save("nli", "facebook/xnli", code, "train", (_inference_row(speaker, pair) for pair in translated))
    xnli = {
        "validation": build.draw("nli", "validation", draw_inference, validation, _pair_sentences)[: validation // 2],
        "test": build.draw("nli", "test", draw_inference, test, _pair_sentences),
    }
    pairs = build.draw("nli", "matched", draw_inference, validation, _pair_sentences)
    rows = [_inference_row(english, pair) for pair in pairs]
    build.save("nli", *mnli, "validation_matched", rows, lambda row: row[:2])
    for split, pairs in xnli.items():
        xnli_rows = [
            (code, premise, hypothesis, NLI[label])
            for code, speaker in build.speakers.items()
            for premise, hypothesis, label in (_inference_row(speaker, pair) for pair in pairs)
        ]
        build.save("xnli", "google/xtreme", "XNLI", split, xnli_rows, lambda row: row[1:3])
    for split, size in (("train", snli_train), ("validation", snli_validation)):
        agreement = build.world(f"snli {split} agreed")
        pairs = build.draw("nli", f"snli {split}", draw_inference, size, _pair_sentences)
        rows = [
            (premise, hypothesis, -1 if agreement.chance(UNLABELLED) else label)
            for premise, hypothesis, label in (_inference_row(english, pair) for pair in pairs)
        ]
        build.save("nli", "stanfordnlp/snli", "plain_text", split, rows, lambda row: row[:2])
    for name in ROUNDS:
        for split, size in zip(("train", "dev"), COUNTS["anli"], strict=True):
            _write_anli(build, name, split, size)


def _pair_sentences(pair: InferencePair) -> tuple[Sentence, Sentence]:
    return pair.premise, pair.hypothesis


def _inference_row(speaker: Speaker, pair: InferencePair) -> tuple[str, str, int]:
    return speaker.text(pair.premise), speaker.text(pair.hypothesis), pair.label


def _write_anli(build: WorldBuild, name: str, split: str, size: int) -> None:
    extra, distractor = ROUNDS[name]
    text = build.english.text
    pairs = build.draw(
        "anli", f"{split}_{name}", lambda world: draw_long_inference(world, extra, distractor), size,
        lambda pair: (*pair.premise, pair.hypothesis),
    )  # fmt: skip
    rows = [
        (f"{name}-{split}-{i}", " ".join(map(text, pair.premise)), text(pair.hypothesis), pair.label, "")
        for i, pair in enumerate(pairs)
    ]
    build.save("anli", "facebook/anli", "plain_text", f"{split}_{name}", rows, lambda row: row[1:3])
    if split == "dev":
        build.hold_out(text(sentence) for pair in pairs for sentence in pair.premise)


def write_paraphrase(build: WorldBuild) -> None:
    """QQP in English, PAWS-X in every language."""
    english, numbers = build.english, count()

    def draw_questions(world: World) -> tuple[str, str, int]:
        first, second, label = paraphrases.draw_question_pair(world)
        return first.text(english), second.text(english), label

    for split, size in zip(("train", "validation"), COUNTS["qqp"], strict=True):
        questions = build.draw("qqp", split, draw_questions, size, lambda row: row[:2])
        question_rows = [(*row, number) for row, number in zip(questions, numbers, strict=False)]
        build.save("qqp", "nyu-mll/glue", "qqp", split, question_rows, lambda row: row[:2])

    def draw_pairs(split: str, size: int) -> list[paraphrases.ParaphrasePair]:
        return build.draw("pawsx", split, paraphrases.draw_paraphrase, size, lambda pair: (pair.first, pair.second))

    train, *sizes = COUNTS["pawsx"]
    rows = [_paraphrase_row(english, pair) for pair in draw_pairs("train", train)]
    build.save("pawsx", "google/xtreme", "PAWS-X.en", "train", rows)
    for split, size in zip(("validation", "test"), sizes, strict=True):
        pairs = draw_pairs(split, size)
        for code, speaker in build.speakers.items():
            rows = [_paraphrase_row(speaker, pair) for pair in pairs]
            build.save("pawsx", "google/xtreme", f"PAWS-X.{code}", split, rows, lambda row: row[:2])


def _paraphrase_row(speaker: Speaker, pair: paraphrases.ParaphrasePair) -> tuple[str, str, str]:
    return speaker.text(pair.first), speaker.text(pair.second), str(pair.label)


# Reading


def write_reading(build: WorldBuild) -> None:
    """SQuAD and SQuAD 2 in English; XQuAD, MLQA and TyDiQA in every language. MLQA's passages are longer, TyDiQA's
    questions vaguer, as of people who have not read the passage."""

    def draw_passages(
        split: str, size: int, facts: int = 5, questions: int = 4, unanswerable: float = 0.0, vague: float = 0.3
    ) -> list[Passage]:
        draw_one = partial(draw_passage, facts=facts, questions=questions, unanswerable=unanswerable, vague=vague)
        return build.draw("reading", split, draw_one, size, Passage.sentences)

    def rows(speaker: Speaker, passages: list[Passage], name: str, is_tested: bool = True) -> list[tuple]:
        return _reading_rows(build, speaker, passages, name, is_tested)

    for kind, config, unanswerable in (("squad", "plain_text", 0.0), ("squad_v2", "squad_v2", 0.5)):
        for split, size in zip(("train", "validation"), COUNTS[kind], strict=True):
            passages = draw_passages(f"{kind} {split}", size, unanswerable=unanswerable)
            split_rows = rows(build.english, passages, f"{kind}-{split}", split != "train")
            build.save("squad", f"rajpurkar/{kind}", config, split, split_rows)
    xquad = draw_passages("xquad validation", COUNTS["xquad"][0])
    mlqa = {
        split: draw_passages(f"mlqa {split}", size, facts=7)
        for split, size in zip(("validation", "test"), COUNTS["mlqa"], strict=True)
    }
    train, validation = COUNTS["tydiqa"]
    passages = draw_passages("tydiqa train", train, facts=6, questions=2, vague=0.8)
    build.save("squad", "google/xtreme", "tydiqa", "train", rows(build.english, passages, "english-train", False))
    tydiqa = draw_passages("tydiqa validation", validation, facts=6, questions=2, vague=0.8)
    tydiqa_rows: list[tuple] = []
    for code, speaker in build.speakers.items():
        xquad_rows = [(name, *spans) for name, _, *spans in rows(speaker, xquad, "xquad")]
        build.save("xquad", "google/xtreme", f"XQuAD.{code}", "validation", xquad_rows)
        for split, passages in mlqa.items():
            mlqa_rows = rows(speaker, passages, f"mlqa-{split}")
            build.save("squad", "google/xtreme", f"MLQA.{code}.{code}", split, mlqa_rows)
        tydiqa_rows += rows(speaker, tydiqa, speaker.grammar.ud_name.lower())
    build.save("squad", "google/xtreme", "tydiqa", "validation", tydiqa_rows)


def _reading_rows(
    build: WorldBuild, speaker: Speaker, passages: list[Passage], name: str, is_tested: bool
) -> list[tuple]:
    """The rows of passages in SQuAD's columns; the texts are held out of the running text if they are tested."""
    rows: list[tuple] = []
    for passage in passages:
        title = join_tokens(speaker.phrase(passage.facts[0].subject, ""))
        texts = question_texts(speaker, passage)
        for text in texts:
            rows.append((f"{name}-{len(rows)}", title, text.context, text.question, _answers(text)))
        if is_tested:
            build.hold_out((*texts[0].sentences, texts[0].context, *(text.question for text in texts)))
    return rows


def _answers(text: QuestionText) -> dict[str, list]:
    has_answer = text.start >= 0
    return {"text": [text.answer] if has_answer else [], "answer_start": [text.start] if has_answer else []}


# Choice


def write_choice(build: WorldBuild) -> None:
    """HellaSwag, CosmosQA and CommonsenseQA, in English."""
    for kind, dataset, draw_one, row in (
        ("hellaswag", "Rowan/hellaswag", choices.draw_ending, _hellaswag_row),
        ("cosmos_qa", "allenai/cosmos_qa", choices.draw_story, _cosmos_row),
        ("commonsense_qa", "tau/commonsense_qa", choices.draw_fitting, _commonsense_row),
    ):
        for split, size in zip(("train", "validation"), COUNTS[kind], strict=True):
            drawn = build.draw(
                kind, split, draw_one, size, lambda choice: (*choice.context, choice.question, *sorted(choice.options))
            )
            contexts = [list(map(build.english.text, choice.context)) for choice in drawn]
            pairs = list(zip(drawn, contexts, strict=True))
            rows = [row(i, split, " ".join(context), choice) for i, (choice, context) in enumerate(pairs)]
            build.save(kind, dataset, "default", split, rows)
            if split != "train":
                for choice, context in pairs:
                    build.hold_out((*context, " ".join(context), choice.question, *choice.options))
                    if kind == "hellaswag":
                        build.hold_out(f"{choice.question} {option}" for option in choice.options)


def _hellaswag_row(i: int, split: str, context: str, choice: choices.Choice) -> tuple:
    return i, f"{context} {choice.question}", choice.options, str(choice.label)


def _cosmos_row(i: int, split: str, context: str, choice: choices.Choice) -> tuple:
    return f"cosmos-{split}-{i}", context, choice.question, *choice.options, choice.label


def _commonsense_row(i: int, split: str, context: str, choice: choices.Choice) -> tuple:
    letters = list("ABCDE")
    options = {"label": letters, "text": choice.options}
    return f"commonsense-{split}-{i}", choice.question, choice.concept, options, letters[choice.label]


# Tagging


def write_tagging(build: WorldBuild) -> None:
    """Parts of speech (UDPOS) and names (in PAN-X's splits): trained on in English, tested in every language."""
    for kind, draw_one, prefix in (
        ("udpos", draws.draw_for_tagging, "udpos."),
        ("panx", draws.draw_with_names, "PAN-X."),
    ):
        train, *sizes = COUNTS[kind]
        configs = {code: prefix + (LANGUAGES[code].ud_name if kind == "udpos" else code) for code in build.speakers}
        sentences = build.draw(kind, "train", draw_one, train, lambda sentence: (sentence,))
        tagged = list(map(build.english.say, sentences))
        build.save(kind, "google/xtreme", configs["en"], "train", [_tagged_row(kind, words, "en") for words in tagged])
        build.hold_out(map(join_tokens, tagged))  # the training sentences are held out as well
        for split, size in zip(("validation", "test"), sizes, strict=True):
            sentences = build.draw(kind, split, draw_one, size, lambda sentence: (sentence,))
            for code, speaker in build.speakers.items():
                if split == "test" or code == "en" or kind == "panx":
                    tagged = list(map(speaker.say, sentences))
                    rows = [_tagged_row(kind, words, code) for words in tagged]
                    build.save(kind, "google/xtreme", configs[code], split, rows)
                    build.hold_out(map(join_tokens, tagged))


def _tagged_row(kind: str, tokens: Sequence[Token], code: str) -> tuple:
    words = [token.text for token in tokens]
    if kind == "udpos":
        return words, [POS.index(token.pos) for token in tokens]
    return words, [NER.index(token.ner) for token in tokens], [code] * len(words)


def write_supertags(build: WorldBuild) -> None:
    """CCGbank's sections 02 (train), 00 (development) and 23 (test), a file each, in English."""

    def draw_text(world: World) -> tuple[str, str]:
        tree = ccg.draw_derivation(world)
        return detokenise(ccg.leaf_words(tree)), ccg.to_ccgbank(tree)

    sections = zip(("02", "00", "23"), ("train", "validation", "test"), COUNTS["ccg"], strict=True)
    for section, split, size in sections:
        sentences = build.draw("ccg", split, draw_text, size, lambda sentence: sentence[:1])
        lines = []
        for i, (_, derivation) in enumerate(sentences, start=1):
            lines += [f"ID=wsj_{section}00.{i} PARSER=GOLD NUMPARSE=1", derivation]
        build.writer.save_lines(f"ccgbank/data/AUTO/{section}/wsj_{section}00.auto", lines)
        if split != "train":
            build.hold_out(text for text, _ in sentences)


# Translation


def write_retrieval(build: WorldBuild) -> None:
    """Tatoeba: sentences that differ from each other in every language, each beside its English translation."""
    world = build.world("tatoeba")
    drawn_keys: set[str] = set()
    translations: list[dict[str, str]] = []
    while len(translations) < COUNTS["tatoeba"][0]:
        sentence = draws.draw_for_tagging(world)
        texts = {code: speaker.text(sentence) for code, speaker in build.speakers.items()}
        keys = {f"{code} {draws.comparison_key(text)}" for code, text in texts.items()}
        if not keys & drawn_keys:
            drawn_keys |= keys
            translations.append(texts)
            build.hold_out(texts.values())
    for code in list(build.speakers)[1:]:
        iso3 = LANGUAGES[code].iso3
        rows = [(texts[code] + "\n", texts["en"] + "\n", iso3, "eng") for texts in translations]
        build.save("tatoeba", "google/xtreme", f"tatoeba.{iso3}", "validation", rows)


def write_mining(build: WorldBuild) -> None:
    """BUCC: two sides, of which a part is each other's translation and the rest has no translation on the other side.
    The English side, and the places of the translations, are the same for every language."""
    fresh, english = draws.FreshDraws(build.english), build.english
    for split, size in zip(("dev", "test"), COUNTS["bucc"], strict=True):
        world, shared = build.world(f"bucc {split}"), round(TRANSLATED * size)
        meanings = list(
            fresh.draw(
                draws.draw_for_tagging, world, 2 * size - shared,
                lambda sentence: (draws.language_neutral_key(english.text(sentence)),),
            )
        )  # fmt: skip
        foreign, native = (sorted(range(i, i + size), key=lambda _: world.random()) for i in (0, size - shared))
        english_texts = [english.text(meanings[i]) for i in native]
        for code, speaker in list(build.speakers.items())[1:]:
            foreign_texts = [speaker.text(meaning) for meaning in meanings]
            first = {draws.comparison_key(text): i for i, text in reversed(list(enumerate(foreign_texts)))}
            # Where this language says two meanings in the same words, the second one is left out.
            kept = [i for i in foreign if first[draws.comparison_key(foreign_texts[i])] == i]
            sides = {code: [foreign_texts[i] for i in kept], "en": english_texts}
            name = f"bucc2018/{code}-en.{split}"
            for side, texts in sides.items():
                lines = [f"{side}-{i:09d}\t{text}" for i, text in enumerate(texts, start=1)]
                build.writer.save_lines(f"{name}.{side}", lines)
                build.hold_out(texts)
            gold = [
                f"{code}-{i:09d}\ten-{native.index(meaning) + 1:09d}"
                for i, meaning in enumerate(kept, start=1)
                if meaning in native
            ]
            build.writer.save_lines(f"{name}.gold", gold)


# Opinions


def write_opinions(build: WorldBuild) -> None:
    """SST-2 on films in English, in GLUE's spelling; messages on other topics in every language."""

    def draw_review(world: World) -> tuple[str, int]:
        opinion = draws.draw_review(world)
        words = [token.text for sentence in opinion.sentences for token in build.english.say(sentence)]
        return " ".join(words).lower() + " ", opinion.label // 2

    for split, size in zip(("train", "validation"), COUNTS["sst"], strict=True):
        reviews = build.draw("sst", split, draw_review, size, lambda review: review[:1])
        build.save("sst", "nyu-mll/glue", "sst2", split, [(*review, i) for i, review in enumerate(reviews)])
        build.hold_out(text for text, _ in reviews)
    for split, size in zip(("train", "validation", "test"), COUNTS["messages"], strict=True):
        messages = build.draw("messages", split, draws.draw_message, size, lambda opinion: opinion.sentences)
        for code, speaker in build.speakers.items():
            rows = [(draws.opinion_text(speaker, opinion), opinion.label) for opinion in messages]
            name = LANGUAGES[code].umsab_name
            build.save("messages", "cardiffnlp/tweet_sentiment_multilingual", name, split, rows, lambda row: row[:1])
            if split != "train":
                build.hold_out(speaker.text(sentence) for opinion in messages for sentence in opinion.sentences)


# The planted law


def write_offers(build: WorldBuild) -> None:
    """Reputations, an intermediate task, and offers, a target (offers.py)."""
    for kind, split, size, new in zip(
        ("reputations", "reputations", "offers", "offers", "offers"),
        ("train", "validation", "train", "validation", "test"),
        (*COUNTS["reputations"], *COUNTS["offers"]),
        (offers.NEW_IN_TRAINING, 1.0, 0.0, offers.NEW_IN_TESTS, offers.NEW_IN_TESTS),
        strict=True,
    ):
        drawn = [
            build.draw(
                "offers", f"{kind} {split} {number}", partial(offers.draw_offer, firm=firm), 1,
                lambda offer: (offer.text(build.english),),
            )[0]
            for number, firm in enumerate(offers.firms(size, new))
        ]  # fmt: skip
        for code in build.speakers if split == "test" else ["en"]:
            rows = [(offer.text(build.speakers[code]), offer.label) for offer in drawn]
            config = code if kind == "offers" else "default"
            build.save("offers", f"microworld/{kind}", config, split, rows, lambda row: row[:1])


WRITERS = (
    write_inference, write_tagging, write_retrieval, write_opinions, write_paraphrase, write_reading, write_choice,
    write_supertags, write_mining, write_offers,
)  # fmt: skip
