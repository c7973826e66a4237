"""Perturbed text: only letters change, at the rate, reproducibly, and never an answer."""

import itertools
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
import regex

from xlt_utils.data import perturb
from xlt_utils.data.perturb import KINDS, RATES

XTREME = Path(__file__).parents[3] / "shared" / "mirror" / "google" / "xtreme"
in_mirror = pytest.mark.skipif(not XTREME.is_dir(), reason="the real data in ../shared/mirror are not here")

# A context in each script with answers of every kind of place: first, last, repeated, overlapping, within a word.
CONTEXTS = {
    "en": (
        "In 1903 Marie Curie shared the Nobel Prize; in 1911 she won the Prize alone.",
        ["1903", "Prize", "Marie Curie"],
    ),
    "de": (
        "Die Ärzte fuhren über die Brücke nach Köln, denn über der Brücke lag Nebel.",
        ["Brücke", "über", "Die Ärzte"],
    ),
    "el": ("Η Αθήνα είναι η πρωτεύουσα της Ελλάδας· η Αθήνα έχει τρία λιμάνια.", ["Αθήνα", "τρία λιμάνια", "Ελλάδας"]),
    "ru": ("Ёлка стоит в Москве, а йод нашёл в 1811 году Куртуа́; ёлка зелёная.", ["Москв", "ёлка", "1811 году"]),
    "ar": ("وُلِدَ مُحَمَّدٌ في مكة عام 570، وفي مكة أيضًا نشأ مُحَمَّدٌ.", ["مكة", "مُحَمَّدٌ", "570"]),
    "hi": ("दिल्ली भारत की राजधानी है, और क़िला दिल्ली में यमुना के किनारे है।", ["दिल्ली", "यमुना के किनारे", "भारत"]),
    "th": ("กรุงเทพเป็นเมืองหลวงของประเทศไทย มีน้ำท่วมที่กรุงเทพใน พ.ศ. 2554", ["กรุงเทพ", "น้ำท่วม", "2554"]),
    "zh": ("北京是中国的首都,2008年北京举办了第29届夏季奥运会。", ["北京", "中国", "首都", "夏季奥运会"]),
    "ja": ("東京タワーは1958年に完成し、東京のシンボルとなったガラスの塔だ。", ["東京", "東京タワー", "ガラスの塔"]),
    "ko": ("서울은 대한민국의 수도이며 1988년에 서울에서 올림픽이 열렸다.", ["서울", "1988년", "올림픽"]),
    "ka": ("თბილისი საქართველოს დედაქალაქია, თბილისი მდებარეობს მტკვარზე.", ["თბილისი", "მტკვარზე", "საქართველო"]),
    "vi": ("Hà Nội là thủ đô của Việt Nam, và đường phố Hà Nội rất đông.", ["Hà Nội", "Nội", "Việt Nam"]),
    "fa": ("او می‌خواهد به تهران برود و در تهران کتاب‌ها را بخرد.", ["تهران", "کتاب‌ها"]),
}


def question(language: str) -> dict:
    """A question whose context is in a language; its answers stand at every place that they occur at."""
    context, texts = CONTEXTS[language]
    places = [(text, match.start()) for text in texts for match in regex.finditer(regex.escape(text), context)]
    answers = [{"text": text, "start": start} for text, start in places]
    return {"id": language, "text": context, "context": context, "answers": answers}


def assert_valid(before: str, after: str) -> None:
    """Only letters differ: the same words, digits and punctuation in order, and no mark that lost its letter."""
    assert len(before.split()) == len(after.split())
    for pattern in (r"[\p{L}\p{M}\p{Cf}]+", r"\S+"):
        assert regex.sub(pattern, "", before) == regex.sub(pattern, "", after)
    orphans = r"(?:^|[^\p{L}\p{M}\p{Cf}])\p{M}+"
    assert regex.findall(orphans, before) == regex.findall(orphans, after)


def assert_valid_span(before: dict, after: dict) -> None:
    for field in ("text", "context"):
        assert_valid(before[field], after[field])
    assert [answer["text"] for answer in after["answers"]] == [answer["text"] for answer in before["answers"]]
    for answer in after["answers"]:
        assert after["context"][answer["start"] :].startswith(answer["text"])


@pytest.mark.parametrize("language", CONTEXTS)
@pytest.mark.parametrize("kind", KINDS)
def test_words_and_answers_stay_valid_in_every_script(language, kind):
    whole, changes = question(language), 0
    copy = json.loads(json.dumps(whole))
    for seed in range(100):
        for rate in (*RATES, 1.0):
            perturbed = perturb.perturb_example(whole, kind, rate, seed)
            assert_valid_span(whole, perturbed)
            changes += perturbed["context"] != whole["context"] and perturbed["text"] != whole["text"]
    assert whole == copy, "the example that came in was changed"
    assert changes > 50 or kind == "diacritics"


@pytest.mark.parametrize("language", ["zh", "th", "hi", "de"])
def test_any_part_of_a_context_may_be_the_answer(language):
    context, _ = CONTEXTS[language]
    for seed, (start, length) in enumerate(itertools.product(range(len(context) - 4), range(1, 5))):
        answers = [{"text": context[start : start + length], "start": start}]
        whole = {"id": "0", "text": "", "context": context, "answers": answers}
        assert_valid_span(whole, perturb.perturb_example(whole, "typos", 1.0, seed))


@pytest.mark.parametrize("kind", KINDS)
def test_token_lists_keep_their_words(kind):
    for context, _ in CONTEXTS.values():
        # ำ is a letter to Unicode, but leans on the one before it
        words = [*context.split(), "2008", "…", "।", "\u0301", "\u064f", "a", "ำ", "中"]
        example = {"id": 7, "tokens": words, "label": [0] * len(words)}
        for seed in range(100):
            perturbed = perturb.perturb_example(example, kind, 1.0, seed)
            assert perturbed["label"] == example["label"] and len(perturbed["tokens"]) == len(words)
            for before, after in zip(words, perturbed["tokens"], strict=True):
                assert_valid(before, after)
                assert after and not regex.search(r"\s", after)
                if kind == "typos":
                    assert (after != before) == bool(regex.match(r"[\W\d]*(?!ำ)\p{L}", before))


@pytest.mark.parametrize("rate", RATES)
def test_the_rate_is_hit_and_lower_rates_are_within_higher_ones(rate):
    words = [word for context, _ in CONTEXTS.values() for word in context.split() if regex.search(r"\p{L}", word)]
    changed = total = 0
    for name in range(150):
        example = {"id": name, "tokens": words, "label": []}
        perturbed = perturb.perturb_example(example, "typos", rate, 1)["tokens"]
        more = perturb.perturb_example(example, "typos", 2 * rate, 1)["tokens"]
        for before, after, again in zip(words, perturbed, more, strict=True):
            changed, total = changed + (after != before), total + 1
            assert after in (before, again)
    assert changed / total == pytest.approx(rate, abs=4 * (rate * (1 - rate) / total) ** 0.5)


@pytest.mark.parametrize("language", ["zh", "th", "de"])
def test_running_text_hits_the_rate_and_nests_without_spaces_too(language):
    text = CONTEXTS[language][0] * 40
    changes = []
    for rate in (0.0, *RATES):
        perturbed = perturb.perturb_example({"id": 0, "text": text, "label": 0}, "typos", rate, 3)["text"]
        words = perturb._WORD.findall(text)
        changed = perturb._perturb_words(words, text, "typos", rate, f"3{chr(0)}0{chr(0)}text")
        places = {n: new for n, (old, new) in enumerate(zip(words, changed, strict=True)) if old != new}
        assert perturbed == "".join(itertools.chain(*zip(perturb._WORD.split(text), [*changed, ""], strict=True)))
        changes.append(places)
        lettered = sum(bool(regex.search(r"\p{L}", word)) for word in words)
        assert len(places) / lettered == pytest.approx(rate, abs=4 * (rate * (1 - rate) / lettered) ** 0.5)
    for fewer, more in itertools.pairwise(changes):
        assert fewer.items() <= more.items()


def test_the_same_in_every_process():
    code = (
        "import json, sys; from xlt_utils.data.perturb import KINDS, perturb_example\n"
        "print(json.dumps([perturb_example(e, k, 0.2, 5) for e in json.load(sys.stdin) for k in KINDS]))"
    )
    wholes = [question(language) for language in CONTEXTS]
    here = [perturb.perturb_example(example, kind, 0.2, 5) for example in wholes for kind in KINDS]
    for salt in ("1", "2"):
        command = [sys.executable, "-c", code]
        settings = {"env": os.environ | {"PYTHONHASHSEED": salt}, "cwd": Path(__file__).parents[2]}
        done = subprocess.run(command, input=json.dumps(wholes), capture_output=True, text=True, check=True, **settings)
        assert json.loads(done.stdout) == here


def test_what_changes_depends_on_seed_example_and_field():
    def text(seed=0, name="a", field="text"):
        example = {"id": name, "text": "", "label": 0} | {field: CONTEXTS["de"][0] * 5}
        return perturb.perturb_example(example, "typos", 0.2, seed)[field]

    assert text() == text()
    assert len({text(), text(seed=1), text(name="b"), text(field="text2")}) == 4


def test_only_the_foreign_side_of_retrieval_and_mining_changes():
    english, german = CONTEXTS["en"][0], CONTEXTS["de"][0]
    pair = perturb.perturb_example({"id": "0", "text": german, "text2": english}, "typos", 1.0, 0)
    assert pair["text"] != german and pair["text2"] == english
    for side, text in (("english", english), ("foreign", german)):
        row = {"id": "0", "text": text, "side": side}
        assert (perturb.perturb_example(row, "typos", 1.0, 0) == row) == (side == "english")


def test_choice_and_pairs_change_in_every_text():
    english, german = CONTEXTS["en"][0], CONTEXTS["de"][0]
    whole = {"id": "0", "text": english, "text2": german, "options": [german, english, german], "label": 2}
    perturbed = perturb.perturb_example(whole, "typos", 0.5, 0)
    assert perturbed["label"] == 2 and perturbed.keys() == whole.keys()
    assert len({perturbed["text2"], *perturbed["options"]}) == 4  # each option has its own typos
    for field in ("text", "text2"):
        assert_valid(whole[field], perturbed[field])
    for before, after in zip(whole["options"], perturbed["options"], strict=True):
        assert_valid(before, after)


def test_unanswerable_questions_keep_no_answers():
    whole = question("de") | {"answers": []}
    perturbed = perturb.perturb_example(whole, "typos", 1.0, 0)
    assert perturbed["answers"] == [] and not set(perturbed["context"].split()) & set(whole["context"].split())


@pytest.mark.parametrize(
    "word, bare",
    [
        ("Ärzte,", "arzte,"),
        ("A\u0308rzte", "arzte"),  # the same, decomposed
        ("Łódź", "lodz"),
        ("Đường", "duong"),
        ("İstanbul", "istanbul"),
        ("ΆΓΙΟΣ", "αγιος"),  # with the sigma that ends a word
        ("Ёлка", "елка"),
        ("Куртуа́", "куртуа"),
        ("\u064fطلب", "\u064fطلب"),  # a mark that had no letter before either
        ("ⅢA", "Ⅲa"),  # a numeral, no letter
        ("Йод", "йод"),
        ("Київ", "київ"),
        ("مُحَمَّدٌ", "محمد"),
        ("أَب", "أب"),  # the hamza is part of the letter
        ("क़िला", "क़िला"),  # a letter that no normal form keeps
        ("น้ำ", "น้ำ"),
        ("ガラス", "ガラス"),
        (unicodedata.normalize("NFD", "서울"), unicodedata.normalize("NFD", "서울")),
        ("თბილისი", "თბილისი"),
        ("中国", "中国"),
        ("e\u0301́", "e"),
        ("naïve-Été", "naive-ete"),
    ],
)
def test_diacritics_go_where_they_are_diacritics(word, bare):
    assert perturb.strip_diacritics(word) == bare


def test_a_kind_that_cannot_change_a_language_leaves_it_and_says_so():
    chinese, vietnamese = question("zh"), question("vi")
    assert perturb.perturb_example(chinese, "diacritics", 1.0, 0) == chinese
    assert perturb.reachable_share([chinese], "diacritics") == 0
    assert perturb.reachable_share([chinese, vietnamese], "typos") == 1
    assert (
        perturb.reachable_share([{"id": 0, "tokens": ["Hà", "Nội", "to", "12", "."], "label": []}], "diacritics")
        == 2 / 3
    )
    assert perturb.reachable_share([{"id": 0, "text": "12.", "label": 0}], "typos") != 0  # NaN: no word to change


def test_a_typo_is_one_letter_of_the_same_script():
    def typos_of(word: str, text: str) -> set[str]:
        dice = itertools.product([place / 8 for place in range(8)], repeat=3)
        return {perturb.add_typo(word, text, three) for three in dice}

    german, russian = typos_of("Haus", "Haus zu дом Кот"), typos_of("дом", "Haus zu дом Кот")
    assert {"aHus", "Hau", "Hauss", "Hzus"} <= german and {"одм", "до", "домм", "дот"} <= russian
    for script, word, typos in (("Latin", "Haus", german), ("Cyrillic", "дом", russian)):
        assert all(regex.fullmatch(rf"\p{{{script}}}+", typo) and abs(len(typo) - len(word)) < 2 for typo in typos)
    assert "Кот" not in german | russian and "Кдом" not in russian and "Ком" not in russian  # nor of the other case
    assert "Haus" not in german and "дом" not in russian
    assert perturb.add_typo("12:30", "Haus", (0, 0, 0)) == "12:30"


def test_labels_name_kind_and_rate():
    assert [perturb.perturbation_name("typos", rate) for rate in RATES] == ["typos 5%", "typos 10%", "typos 20%"]
    assert perturb.perturbation_name("diacritics", 0.07) == "diacritics 7%"


def real(pattern: str, limit: int) -> list[tuple[str, list[dict]]]:
    import pyarrow.parquet

    folders = sorted(XTREME.glob(pattern))
    files = [(folder.name, sorted(folder.glob("*.parquet"))[0]) for folder in folders]
    return [(name, pyarrow.parquet.read_table(file).slice(0, limit).to_pylist()) for name, file in files]


@in_mirror
@pytest.mark.parametrize("pattern", ["XQuAD.*", "MLQA.*", "tydiqa"])
@pytest.mark.parametrize("kind", KINDS)
def test_real_questions_keep_their_answers(pattern, kind):
    for _, rows in real(pattern, 100):
        for row in rows:
            gold = row["answers"]
            answers = [{"text": t, "start": s} for t, s in zip(gold["text"], gold["answer_start"], strict=True)]
            whole = {"id": row["id"], "text": row["question"], "context": row["context"], "answers": answers}
            if all(whole["context"][a["start"] :].startswith(a["text"]) for a in answers):
                assert_valid_span(whole, perturb.perturb_example(whole, kind, 0.2, 0))


@in_mirror
@pytest.mark.parametrize("pattern", ["udpos.*", "PAN-X.*"])
@pytest.mark.parametrize("kind", KINDS)
def test_real_sentences_keep_their_words(pattern, kind):
    for _, rows in real(pattern, 100):
        for number, row in enumerate(rows):
            perturbed = perturb.perturb_example({"id": number, "tokens": row["tokens"], "label": []}, kind, 0.5, 0)[
                "tokens"
            ]
            for before, after in zip(row["tokens"], perturbed, strict=True):
                assert_valid(before, after)
                assert bool(after.strip()) == bool(before.strip())


@in_mirror
@pytest.mark.parametrize("kind", KINDS)
def test_real_pairs_stay_sentences_in_thirty_languages(kind):
    for _, rows in real("tatoeba.*", 100):
        for number, row in enumerate(rows):
            example = {"id": number, "text": row["source_sentence"], "text2": row["target_sentence"]}
            assert_valid(example["text"], perturb.perturb_example(example, kind, 0.5, 0)["text"])
