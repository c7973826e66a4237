"""A small multilingual world, embedded: its events are drawn as meanings and then said in English and in eight
counterfactual languages.

It stands in for real corpora where there is no network and no time: running text without limit for masked language
modelling, and labelled data of the study's tasks in the hub's layout. Counterfactual languages vary one property at a
time where real ones vary all at once (Dufter & Schütze 2020; K et al. 2020; Deshpande et al. 2022). What aligns them is
what aligns real languages in small models: cognates, shared names, digits and symbols, similar structure, and a few
sentences that stand beside their translation (Blevins & Zettlemoyer 2022, arXiv 2204.08110).

    folder = write("world", seed=0, sentences=150_000, bilingual=0.05)
    load_dataset(str(folder / "google/xtreme"), "udpos.Near-SVO")
"""

from xlt_utils.microworld.data_sets import COUNTS
from xlt_utils.microworld.grammar import LANGUAGES, Grammar, typology
from xlt_utils.microworld.writing import WORLD_MANIFEST, write

__all__ = ["COUNTS", "LANGUAGES", "WORLD_MANIFEST", "Grammar", "typology", "write"]
