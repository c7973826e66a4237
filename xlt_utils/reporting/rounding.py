"""Tables as they are written: numbers with the digits that mean something. Below these lie what an optimiser left over
and what one processor adds up in another order than the next."""

import pandas as pd

DIGITS = 6  # significant ones


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its floats at DIGITS significant digits; NaN and infinities stay."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: [float(f"{value:.{DIGITS}g}") for value in table[name]] for name in floats})
