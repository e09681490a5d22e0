# Everything that a person or CI types. The environment is made from the lock file by itself.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
STAGE ?= local
CASES ?= 20000
# uv trusts what the machine trusts, as pip and git do: a company's own authority, for example.
export UV_SYSTEM_CERTS := true
export PROMPT SCENES SECONDS RATIO STYLE MOOD IMAGE MAX_COST FILE

.PHONY: demo drop up down doctor bootstrap deploy verify destroy key quick test check format unit offline contract integration infra aws local e2e media faults faults-share fuzz aws-check first-use bench bench-share sizes layers lock openapi clean help arm64 iam
.DEFAULT_GOAL := help

help: ## Show what can be done
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# uv installs the whole lock in seconds; it comes from the same lock, checked by its hashes.
.venv/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed; found $$($(PYTHON) --version 2>&1 || true). Set PYTHON=... Nothing was set up."; exit 1; }
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

drop: .venv/.installed ## Drop a file into the inbox of the running local cloud: FILE= and, of a picture, PROMPT= ...
	@$(BIN)/python -m infra.local drop

up: .venv/.installed ## Run the local cloud until Ctrl-C
	@$(BIN)/python -m infra.local up

down: .venv/.installed ## Stop this clone's local cloud
	@$(BIN)/python -m infra.local down

doctor: .venv/.installed ## Look at everything that a stage needs: STAGE= local, dev or prod
	@$(BIN)/python -m infra.operator doctor --stage $(STAGE) $(OPTIONS)

bootstrap: .venv/.installed ## Prepare an AWS account and region for the CDK, once: STAGE=
	@$(BIN)/python -m infra.operator bootstrap --stage $(STAGE)

deploy: .venv/.installed ## Deploy a stage, or changed code to the running local cloud: STAGE=, OPTIONS="-c setting=value"
	@$(BIN)/python -m $(if $(filter local,$(STAGE)),infra.local deploy,infra.operator deploy --stage $(STAGE) $(OPTIONS))

verify: .venv/.installed ## Try out a deployed stage, free of charge: STAGE=; PAID=1 adds a paid video of at most MAX_COST=0.50 USD
	@$(BIN)/python -m infra.operator verify --stage $(STAGE) $(if $(PAID),--max-cost $(or $(MAX_COST),0.50))

destroy: .venv/.installed ## Delete a stage and, except of prod, its data: STAGE=, CONFIRM= (its name, instead of a question)
	@$(BIN)/python -m infra.operator destroy --stage $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM))

key: .venv/.installed ## Mint an API key: STAGE= local, dev or prod, OPTIONS="--user ann --test" (or --help)
	@$(BIN)/python -m infra.operator.keys --stage $(STAGE) $(OPTIONS)

test: check unit offline contract integration infra local e2e media faults-share bench-share ## Run every tier that needs no cloud account

quick: check unit ## Run format, lint, types and unit tests (90 s)

check: .venv/.installed ## Format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.installed ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Test files are distributed over two processes, each with a database or a cloud of its own.
unit offline infra e2e: .venv/.installed
	$(BIN)/pytest -q -n 2 --dist loadfile tests/$@

contract: .venv/.installed
	$(BIN)/pytest -q -n 2 --dist loadfile tests/contract tests/stand_ins

# The functions keep their settings while warm, so the HTTP tests run in processes of their own.
integration: .venv/.installed
	$(BIN)/pytest -q -n 2 --dist loadfile tests/integration --ignore tests/integration/http
	$(BIN)/pytest -q -n 2 --dist loadfile tests/integration/http

local media aws: .venv/.installed
	$(BIN)/pytest -q tests/$@

faults-share: .venv/.installed
	$(BIN)/pytest -q tests/faults

faults: .venv/.installed ## Strike a run at every point and in every way; print what comes of it
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.e2e.advice

fuzz: .venv/.installed ## Send the API thousands of made-up requests: CASES=20000
	$(BIN)/pytest -q tests/integration/http/test_fuzz.py tests/integration/http/test_abuse.py tests/e2e/test_fuzz.py --fuzz $(CASES)

# `infra` is a part of `make test`; the others take too long for that.
aws-check: infra aws arm64 iam ## Check everything about AWS that needs no account (over an hour)

arm64: .venv/.installed ## Try the cloud's layers on their own processor, by emulation (Debian)
	$(BIN)/python -m tests.arm64

iam: .venv/.installed ## Take each right away from each role; a test must fail (an hour)
	$(BIN)/python -m tests.iam $(OPTIONS)

first-use: .venv/.installed ## Make a first video in many environments, as root on Linux (an hour)
	$(BIN)/python -m tests.local.first_use

bench-share: .venv/.installed
	$(BIN)/pytest -q tests/benchmarks

bench: .venv/.installed ## Measure, as ratios in one run
	$(BIN)/python -m tests.benchmarks

layers: .venv/.installed ## Build the layers for this machine and for Lambda
	$(BIN)/python -m layers all

sizes: .venv/.installed ## Print the size of each function with its layers
	$(BIN)/python -m layers sizes

openapi: .venv/.installed ## Write docs/openapi.json from the routes
	@mkdir -p build
	$(BIN)/python -m api.openapi.export > build/openapi.json && cp build/openapi.json docs/openapi.json

lock: .venv/.installed ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group infra --group local --group dev pyproject.toml -o requirements.lock

clean: ## Stop the local cloud and remove everything that was made here
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m infra.local clean
	rm -rf build cdk.out out .venv .mypy_cache .ruff_cache .pytest_cache
