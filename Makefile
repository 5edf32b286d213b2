# Needs Python 3.11 or later with venv, and make. Another interpreter: make PYTHON=python3.13 …

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
FLOORS_INSTALLED := .venv-floors/.installed
BENCH_INSTALLED := .venv-bench/.installed
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-more test-second-tier test-floors soak bench bench-smoke check format constraints clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## Make .venv and install everything, tests and checks included
	@printf '%s\n' 'Installed into .venv. In this shell, type:' '  . .venv/bin/activate' '  progress-worker up' \
	  'Then, in another shell in this folder, type the first line again and the commands that `up` prints.'

# The stamp is newer than both files as long as what they ask for is what is installed.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed; try: make PYTHON=python3.13" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv …"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP_INSTALL) --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED) ## Simulate a class on embedded servers; options: ARGS='…'
	@$(BIN)/progress-worker demo $(ARGS)

test: $(INSTALLED) ## Run the first tier of tests, six to seven minutes on two cores; options: ARGS='-k publish -x'
	@$(BIN)/python -m pytest $(ARGS)

test-all: $(INSTALLED) ## Run every test, with five times the examples of each law; options as for test
	@$(BIN)/python -m pytest -m '' --hypothesis-profile=full $(ARGS)

test-more: test-second-tier test-floors bench-smoke ## What `make test` leaves out, as CI runs it after that
	@:

test-second-tier: $(INSTALLED) ## Run the second tier, and the laws with all their examples; options as for test
	@$(BIN)/python -m pytest -m 'second_tier or hypothesis' --hypothesis-profile=full $(ARGS)

# What is left out is about constraints.txt.
test-floors: $(FLOORS_INSTALLED) ## Run unit and integration tests with the lowest versions of pyproject.toml; options: ARGS=-x
	@.venv-floors/bin/python -m pytest tests/unit tests/integration \
	  --deselect tests/unit/test_project.py::test_constraints_pin_everything_the_project_installs $(ARGS)

$(FLOORS_INSTALLED): pyproject.toml constraints-floors.txt
	@echo "Installing into .venv-floors …"
	@test -x .venv-floors/bin/pip || $(PYTHON) -m venv .venv-floors
	@.venv-floors/bin/python $(PIP_INSTALL) --constraint constraints-floors.txt --editable '.[dev]'
	@touch $@

soak: $(INSTALLED) ## Kill and restart everything for an hour, then compare every row; options: ARGS='--minutes 5'
	@$(BIN)/python -m tests.soak $(ARGS)

bench: $(BENCH_INSTALLED) ## Compare with other ways to do the same, half an hour; options: ARGS=--quick
	@.venv-bench/bin/python benchmarks/compare.py $(ARGS)

bench-smoke: $(BENCH_INSTALLED) ## Run every benchmark in every mode, as small as it goes
	@.venv-bench/bin/python benchmarks/smoke.py

# Two environments of their own: nothing of this is needed for the rest, and celery-batches wants an older Celery.
$(BENCH_INSTALLED): pyproject.toml constraints.txt benchmarks/requirements.txt benchmarks/requirements-batches.txt
	@echo "Installing into .venv-bench and .venv-bench-batches …"
	@for each in .venv-bench .venv-bench-batches; do test -x $$each/bin/pip || $(PYTHON) -m venv $$each || exit 1; done
	@.venv-bench/bin/python $(PIP_INSTALL) --constraint constraints.txt --requirement benchmarks/requirements.txt \
	  --editable '.[api,embedded,report]'
	@grep -v '^celery==' constraints.txt > .venv-bench-batches/constraints.txt
	@.venv-bench-batches/bin/python $(PIP_INSTALL) --constraint .venv-bench-batches/constraints.txt \
	  --requirement benchmarks/requirements-batches.txt
	@touch $@

check: $(INSTALLED) ## Lint, format, types, layers, and models against migrations
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python tests/alembic_check.py

format: $(INSTALLED) ## Format the code and mend what can be mended
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

# Run it with the oldest supported Python: only older versions need additional packages.
constraints: ## Pin the newest versions of everything, and the oldest that pyproject.toml allows
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	pin() { $(PYTHON) -m venv "$$scratch/$$1" && \
	  "$$scratch/$$1/bin/python" $(PIP_INSTALL) --constraint "$$scratch/given" --editable '.[dev]' && \
	  "$$scratch/$$1/bin/python" -m pip --disable-pip-version-check freeze --exclude-editable > "$$scratch/pins" && \
	  { echo "$$2"; echo '# Made by `make constraints`; do not edit.'; LC_ALL=C sort -f "$$scratch/pins"; } > "$$scratch/$$1.txt"; } && \
	: > "$$scratch/given" && pin constraints '# Every package of the tested environment, to the last transitive one.' && \
	"$$scratch/constraints/bin/python" tests/support/floors.py > "$$scratch/given" && \
	pin constraints-floors '# The lowest versions that pyproject.toml allows, and everything else that these bring along.' && \
	cp "$$scratch/constraints.txt" "$$scratch/constraints-floors.txt" .

clean: ## Remove .venv and every cache
	@rm -rf .venv .venv-floors .venv-bench .venv-bench-batches benchmarks/out .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
