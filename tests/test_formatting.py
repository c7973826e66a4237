"""Numbers as the report prints them."""

from xlt_utils.formatting import count_of, number_text, verb_of


def test_a_half_is_rounded_alike_whatever_its_last_bits():
    """Means of scores are often halves of the last digit; processors sum them to different last bits."""
    assert {number_text(value) for value in (-0.0325, -0.03249999999999997, -0.03250000000000003)} == {"−0.033"}


def test_a_verb_goes_with_its_count():
    assert [f"{count_of(n, 'gain')} {verb_of(n, 'has', 'have')}" for n in (0, 1, 2)] == [
        "0 gains have",
        "1 gain has",
        "2 gains have",
    ]
