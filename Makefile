# Commands for developers, operators and CI. The first one creates .venv from requirements.lock.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAGE ?= local
CASES ?= 20000
# Use the system's certificate store, as pip and git do, for example for a company's own authority.
export UV_SYSTEM_CERTS := true
export PROMPT SCENES SECONDS RATIO STYLE MOOD IMAGE MAX_COST FILE

.PHONY: demo drop up down doctor bootstrap deploy verify destroy key quick test check format unit offline contract integration infra aws local e2e media faults faults-share fuzz aws-check first-use bench bench-share coverage docs sizes layers lock openapi clean help arm64 iam
.DEFAULT_GOAL := help

help: ## List the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# pip installs uv, verified by the lock file's hashes; uv then installs the rest in seconds.
.venv/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is required; found $$($(PYTHON) --version 2>&1 || true). Set PYTHON=... Nothing was set up."; exit 1; }
	@$(PYTHON) -B -m infra.local.preflight
	@echo "Setting up .venv from requirements.lock ..."
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/^[^ ]/{/^uv==/p;/^ *--hash/p;}' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/python -c 'import os, site; p = site.getsitepackages()[0]; open(os.path.join(p, "functions.pth"), "w").write(os.path.relpath("functions", p))'
	@touch $@

demo: .venv/.installed ## Make a video on this machine: PROMPT= SCENES= SECONDS= RATIO= STYLE= MOOD= IMAGE= MAX_COST=
	@$(BIN)/python -m infra.local demo

drop: .venv/.installed ## Upload a file to the inbox of the running local cloud: FILE= and, for an image, PROMPT= ...
	@$(BIN)/python -m infra.local drop

up: .venv/.installed ## Start the local cloud in the foreground; stop it with Ctrl-C
	@$(BIN)/python -m infra.local up

down: .venv/.installed ## Stop the local cloud of this clone
	@$(BIN)/python -m infra.local down

doctor: .venv/.installed ## Check everything that a stage needs: STAGE=local, dev or prod
	@$(BIN)/python -m infra.operator doctor --stage $(STAGE) $(OPTIONS)

bootstrap: .venv/.installed ## Bootstrap the CDK, once per AWS account and region: STAGE=
	@$(BIN)/python -m infra.operator bootstrap --stage $(STAGE)

deploy: .venv/.installed ## Deploy a stage, or code changes to the running local cloud: STAGE= OPTIONS="-c setting=value"
	@$(BIN)/python -m $(if $(filter local,$(STAGE)),infra.local deploy,infra.operator deploy --stage $(STAGE) $(OPTIONS))

verify: .venv/.installed ## Test a deployed stage, free of charge: STAGE=; PAID=1 adds a paid video under MAX_COST=0.50 (USD)
	@$(BIN)/python -m infra.operator verify --stage $(STAGE) $(if $(PAID),--max-cost $(or $(MAX_COST),0.50))

destroy: .venv/.installed ## Delete a stage and, except for prod, its data: STAGE= CONFIRM= (the stage's name, to skip the prompt)
	@$(BIN)/python -m infra.operator destroy --stage $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM))

key: .venv/.installed ## Mint an API key: STAGE=local, dev or prod, OPTIONS="--user ann --test" (or --help)
	@$(BIN)/python -m infra.operator.keys --stage $(STAGE) $(OPTIONS)

test: check unit offline contract integration infra local e2e media faults-share bench-share ## Run all tests that need no AWS account, as CI does

quick: check unit ## Check format, lint and types, and run the unit tests (90 s)

check: .venv/.installed ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.installed ## Format the code and apply lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Two processes, each with its own database or local cloud, share the test files.
unit offline infra e2e: .venv/.installed
	$(BIN)/pytest -q -n 2 --dist loadfile tests/$@

contract: .venv/.installed
	$(BIN)/pytest -q -n 2 --dist loadfile tests/contract tests/stand_ins

# Functions cache their settings per process, so the HTTP tests run separately.
integration: .venv/.installed
	$(BIN)/pytest -q -n 2 --dist loadfile tests/integration --ignore tests/integration/http
	$(BIN)/pytest -q -n 2 --dist loadfile tests/integration/http

local media aws: .venv/.installed
	$(BIN)/pytest -q tests/$@

faults-share: .venv/.installed
	$(BIN)/pytest -q tests/faults

faults: .venv/.installed ## Fault-injection matrix: kill or fail every I/O of a run, and print the outcomes (an hour)
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.e2e.advice

coverage: .venv/.installed ## Report the lines and branches that the tests reach
	@rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile tests/unit tests/offline
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile tests/contract tests/integration --ignore tests/integration/http
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile tests/integration/http
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort cover

fuzz: .venv/.installed ## Send generated requests to the API: CASES=20000
	$(BIN)/pytest -q tests/integration/http/test_fuzz.py tests/integration/http/test_abuse.py tests/e2e/test_fuzz.py --fuzz $(CASES)

# Of these, only `infra` is part of `make test`; the others take too long.
aws-check: infra aws arm64 iam ## Check AWS compatibility without an account (over an hour)

arm64: .venv/.installed ## Test the Lambda layers on emulated arm64 (Debian or Ubuntu)
	$(BIN)/python -m tests.arm64

iam: .venv/.installed ## Remove each IAM permission in turn and check that a test fails (an hour)
	$(BIN)/python -m tests.iam $(OPTIONS)

first-use: .venv/.installed ## Set up and make a video in many environments, as root on Linux (an hour)
	$(BIN)/python -m tests.local.first_use

bench-share: .venv/.installed
	$(BIN)/pytest -q tests/benchmarks

bench: .venv/.installed ## Run the benchmarks and print tables
	$(BIN)/python -m tests.benchmarks

layers: .venv/.installed ## Build the layers for this machine and for Lambda
	$(BIN)/python -m layers all

sizes: .venv/.installed ## Print the size of each function with its layers
	$(BIN)/python -m layers sizes

docs: .venv/.installed ## Build the documentation site into build/site
	@[ -x build/docs/bin/zensical ] || $(BIN)/uv venv --quiet --python $(BIN)/python build/docs
	@$(BIN)/uv pip install --quiet --python build/docs/bin/python --require-hashes -r requirements-docs.lock
	build/docs/bin/zensical build --strict --config-file zensical.toml

openapi: .venv/.installed ## Generate docs/openapi.json
	@mkdir -p build
	$(BIN)/python -m api.openapi.export > build/openapi.json && cp build/openapi.json docs/openapi.json

lock: .venv/.installed ## Resolve requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group infra --group local --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group pyproject.toml:docs -o requirements-docs.lock

clean: ## Stop the local cloud and delete its data and all build output
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m infra.local clean
	rm -rf build cdk.out out .venv .mypy_cache .ruff_cache .pytest_cache
