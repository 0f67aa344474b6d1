# The verbs of the project; `make help` lists them.
SHELL := bash
.DEFAULT_GOAL := help
PYTHON ?= python3
CORES ?= all
# Versions of everything that pip installs; CONSTRAINTS=/dev/null takes what fits pyproject.toml instead.
CONSTRAINTS ?= constraints.txt
# Settings laid over config.yaml, for example CONFIG=config/claims.yaml
CONFIG ?=

# Whose claims `make reference` runs: feedback15, feedback19, deepmodel, crossing, refine
PAPER ?= feedback15
# The runs whose models `make release` packs, and where it puts them
RUN ?= results/demo-embedded
RELEASE ?= results/release
# A results folder with a local run of config/smoke.yaml that `make cluster` is held against; without one it makes its own
AGAINST ?=
# Which tests of tests/cluster it runs; "not slow" leaves out trainings that are stopped and a killed snakemake
CLUSTER ?= cluster

BIN := .venv/bin
STAMP := .venv/.installed
BENCH_STAMP := .venv/.installed-bench
CLUSTER_STAMP := .venv/.installed-cluster
# Targets stand before --configfile, which takes every word behind it for a file.
SNAKEMAKE := $(BIN)/snakemake
SETTINGS := --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG))
RECORD := $(if $(wildcard results/download/published/raw),--record results/download/published/raw)
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help setup demo test check schema trust report reference release dashboard bench cluster clean

help:  ## list these verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/' | expand -t 14

setup: $(STAMP)  ## make .venv from pinned constraints and look for OpenGL

demo: $(STAMP)  ## set up, then run the pipeline on the embedded default
	$(SNAKEMAKE) $(SETTINGS)

test: $(STAMP)  ## set up, then run the tests (minutes)
	$(BIN)/python -m pytest -m "not slow and not cluster"

check: $(STAMP)  ## formatting, lint, types, the workflow's lint, the schema
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(SNAKEMAKE) --lint
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_config.py -k current

schema: $(STAMP)
	$(BIN)/python -c 'from pathlib import Path; from handbench.config import write_schema; write_schema(Path("workflow/schemas/config.schema.yaml"))'

trust: $(STAMP)  ## the slow proofs: whole pipelines, and runs that are killed, filled up, locked (docs/trust.md)
	$(BIN)/python -m pytest -m "slow and not cluster"
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.trust $(if $(SEED),--seed $(SEED))

report: $(STAMP)  ## tables, figures and claims of a run: results/report/index.html opens offline
	$(SNAKEMAKE) report $(SETTINGS)

reference: $(STAMP)  ## run what PAPER's claims need (hours) and keep claims, tables, figures in results/reference/PAPER
	$(SNAKEMAKE) claims_$(PAPER) --cores $(CORES) --configfile config/claims.yaml
	$(BIN)/python -m handbench report results/claims-embedded --out results/report $(RECORD)
	rm -rf results/reference/$(PAPER)
	mkdir -p results/reference/$(PAPER)
	cp results/report/claims.csv results/claims-embedded/call.json results/reference/$(PAPER)
	cp results/report/tables/{runs,$(PAPER)_*}.{csv,md} results/reference/$(PAPER)
	cp results/report/figures/$(PAPER)_*.{png,csv} results/reference/$(PAPER)

release: $(STAMP)  ## pack every trained model of RUN into results/release, with a manifest, and verify it (docs/models.md)
	$(BIN)/python -m handbench models pack --from $(RUN) --out $(RELEASE)
	$(BIN)/python -m handbench models verify --in $(RELEASE)
	$(BIN)/python -m handbench models list --from $(RELEASE)

dashboard: $(STAMP)  ## serve what training has tracked, on this machine only
	@test -f results/mlflow/mlflow.db || { \
	  echo "results/mlflow/mlflow.db: expected tracked runs, found none; the first training makes the store" >&2; exit 1; }
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --workers 1 --host 127.0.0.1 \
	  --backend-store-uri sqlite:///results/mlflow/mlflow.db --artifacts-destination results/mlflow/artifacts

bench: $(BENCH_STAMP)  ## time the fast paths against their peers
	$(BIN)/python -m benchmarks

cluster: $(CLUSTER_STAMP)  ## the workflow on a Slurm of its own, which it starts and ends (root, slurm-wlm, munge)
	AGAINST="$(AGAINST)" $(BIN)/python -m pytest tests/cluster -m "$(CLUSTER)"

clean:  ## remove the virtual environment and caches; results/ stays, it may hold days of work
	rm -rf .venv .snakemake/conda .pytest_cache .mypy_cache .ruff_cache .hypothesis build src/*.egg-info
	find src tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(STAMP): pyproject.toml $(wildcard $(CONSTRAINTS)) envs/setup.sh
	PYTHON=$(PYTHON) CONSTRAINTS=$(CONSTRAINTS) bash envs/setup.sh dev
	@touch $@

$(BENCH_STAMP): $(STAMP)
	PYTHON=$(PYTHON) CONSTRAINTS=$(CONSTRAINTS) bash envs/setup.sh dev,bench
	@touch $@

$(CLUSTER_STAMP): $(STAMP)
	PYTHON=$(PYTHON) CONSTRAINTS=$(CONSTRAINTS) bash envs/setup.sh dev,kubernetes
	@touch $@
