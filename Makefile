# `make help` lists the targets. SIM=icarus|verilator|model, WAVES=1 and SEED=N go with `make demo`.

SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin

DEMO_FILE := build/demo/payload.bin
DEMO_OPTIONS := $(if $(SIM),--sim $(SIM)) $(if $(filter-out 0,$(WAVES)),--waves) $(if $(SEED),--seed $(SEED))

# PATH with the folder of the Verilator that came as a Python package.
PRINT_PATH := from pyhost.tools.toolchain import search_path; print(search_path())

# What the public suite is run with: its scripts leave a Fast Open cookie, made with their key, and a code open.
PACKETDRILL ?=
PACKETDRILL_OPTIONS := --send_omit_free -D TFO_COOKIE=3021b9d889017eeb -D CODE=host_unreachable

TEST_OPTIONS ?= -n 2 --dist worksteal
TESTS ?=
BENCH ?=
MODULE ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo packetdrill test random deep fuzz bench bench-hw formal synth coverage lint doctor claims lock clean \
	distclean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that is needed: tools from Debian, .venv from requirements.lock
	@PYTHON=$(PYTHON) .ci/setup.sh

demo: setup $(DEMO_FILE) ## send a file from one program to another, through both stacks and the NIC
	@$(BIN)/pyhost run $(DEMO_OPTIONS) --peer-program examples/01_receive_file.py \
		examples/01_send_file.py $(DEMO_FILE)

# 300001 bytes: beyond 256 KiB, and no multiple of any segment, page or bus width.
$(DEMO_FILE):
	@mkdir -p $(@D)
	@$(PYTHON) -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(300001))' >$@

packetdrill: setup ## run packetdrill scripts: PACKETDRILL=FOLDER (google/packetdrill: gtests/net/tcp), SIM=model
	@test -n "$(PACKETDRILL)" || { echo 'make packetdrill PACKETDRILL=FOLDER: say where the scripts are' >&2; exit 2; }
	@$(BIN)/pyhost packetdrill $(if $(SIM),--sim $(SIM)) $(PACKETDRILL_OPTIONS) "$(PACKETDRILL)"

test: setup ## run all tests (TESTS="tests/unit -k tcp" for some)
	@$(BIN)/pytest $(TEST_OPTIONS) $(if $(TESTS),,--claims-report=build/claims.json) $(TESTS)

random: setup ## run the tests of the card in Verilator with random values in place of x and before reset (SEED=N)
	@SIM=verilator HNIC_VARIANT=random COCOTB_RANDOM_SEED=$(or $(SEED),1) $(BIN)/pytest $(TEST_OPTIONS) tests/hdl

deep: setup ## run the tests that take too long for every day
	@$(BIN)/pytest $(TEST_OPTIONS) -m deep

fuzz: setup ## run the tests with hostile frames and random system calls alone
	@$(BIN)/pytest $(TEST_OPTIONS) tests/fuzz

bench: setup ## measure the stack alone, from write() to ndo_start_xmit (BENCH="--megabytes 4 --repeats 3")
	@$(BIN)/python -m tests.bench.stack $(BENCH)

bench-hw: setup ## measure the card in cycles against the wire, and its latency (BENCH="--page" for docs/performance.md)
	@$(BIN)/python -m tests.bench.hw $(BENCH)

formal: setup ## prove modules of the card, and show by mutants that each property can fail (MODULE=hnic_fifo for one)
	@$(BIN)/python -m tests.formal $(MODULE)

coverage: setup ## run the tests of the card with counters in Verilator: lines, branches, toggles; fails below 95/90/85 %
	@$(BIN)/python -m tests.coverage

synth: setup ## map the card to a Xilinx 7-series device, with its longest path (MODULE=hnic_fifo for one module)
	@$(BIN)/python -m tests.synth $(MODULE)

lint: setup ## check Python with ruff and mypy, Verilog with Verilator and Icarus
	$(BIN)/ruff check
	$(BIN)/mypy
	PATH="$$($(BIN)/python -c '$(PRINT_PATH)')" .ci/lint-hdl.sh

doctor: setup ## show what is there, what is missing, and the command that fixes it
	@$(BIN)/pyhost doctor

claims: setup ## list the claims with their tests and results
	@$(BIN)/pyhost claims

lock: ## write requirements.lock anew from what is installed in .venv
	@{ sed -n '/^#/p' requirements.lock; $(BIN)/pip freeze --all --exclude pip --exclude-editable \
		| LC_ALL=C sort -f; } >requirements.lock.new && mv requirements.lock.new requirements.lock

clean: ## remove what was built and what runs left, keep .venv
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pyhost tb tests examples hdl -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf .venv pyhost.egg-info
