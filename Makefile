# Every target makes .venv itself: with uv where it is installed, else with venv and pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
IN_PARALLEL := -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

# The newest Python of this machine, if it has one beside $(PYTHON), for `make newest`.
NEWEST := .venv-newest
FINDS_NEWEST = for v in 14 13 12; do for p in python3.$$v $$HOME/.pyenv/versions/3.$$v.*/bin/python; do \
	"$$p" -c "" 2>/dev/null && { echo "$$p"; exit; }; done; done

.PHONY: train test newest stress fuzz mutants lint bench docs clean

train: $(READY)
	$(BIN)/python train.py $(ARGS)

test: $(READY)
	$(BIN)/python $(IN_PARALLEL) $(ARGS)

# A short training on two devices, and the simulator's tests, on the newest Python and jax.
newest:
	@newest=$$($(FINDS_NEWEST)); \
	if [ -z "$$newest" ]; then echo "no Python newer than 3.11 here: nothing tried on it"; exit; fi; \
	set -e; test -x $(NEWEST)/bin/python || "$$newest" -m venv $(NEWEST); \
	$(NEWEST)/bin/python -m pip install --quiet -e '.[dev]'; \
	$(NEWEST)/bin/python -c "import sys, jax; print('Python', sys.version.split()[0], 'jax', jax.__version__)"; \
	rm -rf runs/newest; \
	XLA_FLAGS=--xla_force_host_platform_device_count=2 $(NEWEST)/bin/python train.py --devices 2 \
		--scenario pair --iterations 4 --tuning-effort 0.1 --stores 64 --evaluation-stores 64 \
		--out runs/newest; \
	$(NEWEST)/bin/python $(IN_PARALLEL) tests/jaxsim --ignore tests/jaxsim/exact $(ARGS)

stress: $(READY)
	$(BIN)/python -m pytest -m slow --timeout 7200 $(ARGS)

# Files damaged and edited at random: each is used as it was, or refused in one line.
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(ARGS)

# Hours: one change at a time to the core, and whether a test notices.
mutants: $(READY)
	@$(BIN)/python -c "import cosmic_ray" 2>/dev/null || $(BIN)/python -m pip install --quiet -e '.[mutants]'
	$(BIN)/python -m tests.mutants $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(READY)
	$(BIN)/python -m benchmarks.suite $(ARGS)

docs: $(READY)
	@$(BIN)/python -c "import myst_nb, autoapi, furo" 2>/dev/null || $(BIN)/python -m pip install --quiet -e '.[docs]'
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs site

$(READY): pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --python $(BIN)/python -e '.[dev]'; \
	else \
		$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet -e '.[dev]'; \
	fi
	@touch $(READY)

clean:
	rm -rf $(VENV) $(NEWEST)
