# `make help` lists the targets. Messages of the set-up go to standard error.
MAKEFLAGS += --no-print-directory
PYTHON_IN_VENV := .venv/bin/python
MANAGE := $(PYTHON_IN_VENV) manage.py
PORT ?= 8000
JOBS ?= 2
QUEUES ?= default,gpu
ENGINES := lib governance/signing.py provenance/audio provenance/matching provenance/similarity provenance/rights provenance/intake \
	generation/architectures generation/checkpoints.py audit/metrics audit/reports
export OMP_WAIT_POLICY ?= passive
unexport PYTHONDONTWRITEBYTECODE  # else each of many processes compiles the whole house anew

.PHONY: help install demo test check run worker lint format bench vendor screenshots constraints

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: ## Make .venv and install what is missing, system libraries too where apt may
	@scripts/system_packages
	@scripts/install

demo: install ## Run the whole loop on real music, then stay up (EXIT=1, POLICY=strict, MUSIC=DIR)
	@if [ -n "$$DATABASE_URL" ]; then $(MANAGE) migrate --no-input >&2; fi
	@exec $(MANAGE) demo $(if $(MUSIC),--music "$(MUSIC)") $(if $(POLICY),--policy "$(POLICY)") \
		$(if $(filter-out 0,$(EXIT)),--exit) --port $(PORT) $(ARGS)

test: install ## Run every test (SKIP_BROWSER=1 skips the page tests; ARGS="…" goes to pytest)
	@scripts/system_packages --browser
	@exec $(PYTHON_IN_VENV) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint ## Everything CI checks besides the tests: style, types, layers, docstrings, migrations
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@find $(ENGINES) -name '*.py' ! -name '__init__.py' -exec .venv/bin/numpydoc lint {} +
	@$(MANAGE) check
	@$(MANAGE) makemigrations --check --dry-run

lint: install ## Check style only: ruff and djlint
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/djlint --lint --quiet templates

format: install ## Rewrite the code in the house's style
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

run: install ## Serve the pages and the API on http://localhost:8000 (PORT=…)
	@exec .venv/bin/gunicorn config.wsgi --bind 127.0.0.1:$(PORT) --workers 2 --threads 4 --access-logfile -

worker: install ## Run a worker for queued work (QUEUES=default,gpu)
	@exec $(PYTHON_IN_VENV) -m config.worker --queues $(QUEUES)

bench: install ## Measure, a line a figure (ARGS="rights lists likeness ingest serving …")
	@exec $(PYTHON_IN_VENV) -m benchmarks $(ARGS)

vendor: ## Renew static/vendor from npm (for maintainers)
	@exec $(PYTHON_IN_VENV) scripts/vendor.py

screenshots: install ## Take the README's screenshots again, in a headless Chromium
	@scripts/system_packages --browser
	@exec $(PYTHON_IN_VENV) scripts/screenshots.py

constraints: install ## Choose versions anew and write constraints.txt (for maintainers)
	@$(if $(PIP_FIND_LINKS),UV_FIND_LINKS="$(PIP_FIND_LINKS)") $(PYTHON_IN_VENV) -m uv pip compile --quiet --upgrade \
		--python-version 3.11 --no-header --no-annotate $(if $(PIP_FIND_LINKS),,--torch-backend cpu) \
		--extra ml --extra dev --extra s3 pyproject.toml | sed 's/^\(torch==.*\)+cpu/\1/' > constraints.txt.part
	@mv constraints.txt.part constraints.txt
