# Two commands carry the project: `make report` and `make test`. Both install first, where anything changed.
PYTHON ?= python3
STUDY ?= params/demo.yaml
BIN := .venv/bin
STAMP := .venv/installed
# Container images set it; then each of the many processes compiles anew all that it imports, half of its start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install report test test-notebooks test-slurm storm lab lint clean

install: $(STAMP)

# Packages alone decide the stamp: the project is installed editable. What is never imported is never compiled.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; PYTHON=... names it")'
	@echo "installing into .venv (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

report: install
	@$(BIN)/xlt run $(STUDY)

# First what shares two cores, then what keeps one busy at most: the notebooks, one after another, each on the records of
# the one before, and beside them a study on a real Slurm cluster, which mostly waits.
test: install
	@$(BIN)/python -m pytest -n 2 --dist loadfile --durations 5 tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync --keep-going test-notebooks test-slurm

test-notebooks: install
	@$(BIN)/python -m pytest notebooks

test-slurm: install
	@$(BIN)/python -m pytest -m slurm tests/pipeline/test_slurm.py

# Forty kills of a small study at random moments.
storm: install
	@$(BIN)/python -m pytest -m storm -s tests/storm

# With notebooks/labconfig: JupyterLab asks no other server for updates and news, and wraps long lines of code.
lab: install
	@JUPYTER_CONFIG_PATH=notebooks $(BIN)/jupyter lab --ip 127.0.0.1 $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

# Style, types, and the arrows between the rooms.
lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

# Runs and reports are kept: they can take days.
clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
