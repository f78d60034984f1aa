# Every command a contributor needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REPORT := .pytest_cache/tests.xml
STAMP := $(VENV)/.installed
# Finds the Kubernetes binaries, or builds them once: about 6 minutes with Go.
KUBE := $(BIN)/python scripts/kube/binaries.py > /dev/null

# The demo and the tests start hundreds of processes; none of them should compile our code anew.
unexport PYTHONDONTWRITEBYTECODE
# What runs here runs side by side: were each process to have a thread for every core, they would wait for one another.
test demo: export OMP_NUM_THREADS := 1

.PHONY: help install demo test test-costs test-cluster test-fast soak check format lock generate clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(STAMP) ## Make .venv with everything that development needs

$(STAMP): pyproject.toml requirements/dev.lock requirements/models.lock scripts/install.sh
	bash scripts/install.sh "$(PYTHON)" "$(VENV)"
	touch $@

demo: install ## The main job on one machine: promote AKS, then flag off a variant that regresses
	$(BIN)/python -m examples.demo

test: install ## Every test that can run here; installs the servers they need where it may
	bash scripts/servers.sh
	$(KUBE) || echo "Without these binaries the tests of tests/cluster are skipped." >&2
	$(BIN)/python -m pytest --numprocesses 5 --no-loadscope-reorder --junitxml=$(REPORT) -m "not soak"

test-costs: install ## The ten slowest tests and the cost of each folder, from the last `make test`
	@$(BIN)/python scripts/costs.py $(REPORT)

soak: install ## The exhaustive tests, which `make test` leaves to smaller versions of them
	bash scripts/servers.sh soak
	$(KUBE)
	$(BIN)/python -m pytest -m soak
	$(BIN)/python -m pytest -m "hypothesis and not soak" --hypothesis-profile=search

test-cluster: install ## Tests on a real Kubernetes; PITWALL_TEST_KUBECONFIG=FILE takes a given one
	bash scripts/servers.sh
	$(KUBE)
	$(BIN)/python -m pytest -m "not soak" tests/cluster

test-fast: install ## Tests without models, films and servers
	$(BIN)/python -m pytest -m "not slow and not soak"

check: install ## Format, lint, strict types, layer contracts, generated files unchanged
	BIN=$(BIN) bash scripts/check.sh

format: install ## Format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: install ## Remake the generated files: CRDs, their reference, dashboards, rules, the picture of the rooms
	BIN=$(BIN) bash scripts/generate.sh

lock: install ## Resolve the dependencies anew
	BIN=$(BIN) bash scripts/lock.sh

clean: ## Remove the virtual environment and local state
	rm -rf $(VENV) .pitwall .mypy_cache .ruff_cache .pytest_cache
