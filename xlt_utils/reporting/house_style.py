"""What the figures of the page and the views of the explorer share: colours, letters, and what a language is called."""

from xlt_utils.data.languages import LANGUAGES

# Seaborn's "colorblind", after Okabe and Ito: no red next to green.
COLOURS = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9")
FONT = "DejaVu Sans"  # comes with matplotlib, so every machine draws the same


def language_name(code: str) -> str:
    """A language as people call it, with its code; the code alone of one that has no row."""
    return f"{LANGUAGES[code].name} ({code})" if code in LANGUAGES else code
