import sys

import pytest

from xlt_utils import imports


def test_a_module_left_out_of_an_import_can_be_imported_after_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with imports.without("colorsys"), pytest.raises(ImportError):
        import colorsys
    import colorsys

    with imports.without("colorsys"):  # it is there already
        assert sys.modules["colorsys"] is colorsys
