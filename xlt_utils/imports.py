"""Imports without what takes long and is not used here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The grammar of internationalised addresses, a second to build: with it jsonschema, which Altair and nbformat bring
# along, checks a format that none of their schemas asks for.
ADDRESS_GRAMMAR = "rfc3987_syntax"


@contextmanager
def without(module: str = ADDRESS_GRAMMAR) -> Iterator[None]:
    """A context in which a module that nothing has imported yet cannot be imported, as if it were not installed."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
