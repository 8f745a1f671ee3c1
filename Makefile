# Everything runs in .venv, which each target makes and keeps up to date by itself. Needed on the machine: Python 3.11
# or newer, and make. `make demo` is the place to start.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One job per core; tests are independent of each other.
JOBS ?= auto

.DELETE_ON_ERROR:
.PHONY: help demo test lint bench bench-detector bench-device battery bench-host bench-sim compiled drive soak venv pictures case docs release clean

help:
	@echo "make demo      generate a walk, play it through the virtual board, download it, print the report"
	@echo "make test      all tests (the on-device VM included)"
	@echo "make lint      ruff, mypy"
	@echo "make bench     how good the detector is on published walks, beside the best"
	@echo "make bench-device  what the firmware costs: heap, time, beside reading the sensor by Adafruit's driver"
	@echo "make battery   how long a charge lasts: a model, written to docs/battery.md"
	@echo "make bench-host  how quick the walker's tool is with five years of walks"
	@echo "make bench-sim  how fast the simulator is, beside other filters; compiles the chain first"
	@echo "make compiled  the detection chain compiled by Cython, for the simulator's fast path"
	@echo "make soak      what takes hours: fuzzing, sequences, cuts at every byte, weeks; PART=FILE one file, REST=1 the rest"
	@echo "make drive     what belongs on the board's drive, in build/drive"
	@echo "make pictures  the documents' pictures anew, from real output"
	@echo "make docs      the documentation site, in build/docs"
	@echo "make case      the case's parts for printing, in docs/case"
	@echo "make release   wheel and drive bundle, with their digests, in dist"
	@echo "make venv      the environment for development, in $(VENV)"
	@echo "make clean     remove all that make has made"

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "walktall needs Python 3.11 or newer; $(PYTHON) is older (set PYTHON=...)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The extras of the simulator are all that the demo needs; development adds the rest.
$(VENV)/.sim: $(VENV)/.made pyproject.toml
	@$(BIN)/python -m pip install -qq --editable '.[sim]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	@$(BIN)/python -m pip install -qq --editable '.[dev]'
	@touch $(VENV)/.sim $@

# MicroPython's WebAssembly build, by the machine's Node or by PyPI's.
$(VENV)/.vm: $(VENV)/.dev tests/vm/package.json tests/vm/package-lock.json
	@$(BIN)/python tests/vm/install.py
	@touch $@

venv: $(VENV)/.dev $(VENV)/.vm

demo: $(VENV)/.sim
	@$(BIN)/python scripts/demo.py

test: venv
	@$(BIN)/python -m pytest -n $(JOBS) -q

lint: $(VENV)/.dev
	@$(BIN)/ruff check --quiet --no-cache .
	@$(BIN)/mypy --strict host_tools/walktall_host simulator/walktall_sim bench
	@$(BIN)/mypy --config-file .ci/mypy-firmware.ini firmware/lib/walktall

bench: bench-detector

# On the published recordings, which lie beside the project; writes docs/benchmarks.
bench-detector: $(VENV)/.dev
	@$(BIN)/python -m bench.detector

# Under MicroPython; writes docs/benchmarks/device.md. Ratios are of one run, so that machines agree.
bench-device: venv
	@$(BIN)/python -m bench.device
	@$(BIN)/python -m bench.battery

# How long a cell lasts, by the loop as it is and what it costs; writes docs/battery.md.
battery: $(VENV)/.dev
	@$(BIN)/python -m bench.battery

# Ratios are of one run; writes docs/benchmarks/simulator.md.
bench-sim: compiled
	@$(BIN)/python -m bench.simulator

# The simulator's fast path at the speed of C, from the same sources; without it, it runs them as Python.
compiled: $(VENV)/.dev
	@$(BIN)/python -m walktall_sim.twin.build

# A store of 2,000 walks with their traces, each command as a process; writes docs/benchmarks/host.md.
bench-host: $(VENV)/.dev
	@$(BIN)/python -m bench.host

# What takes hours, told as it goes, written to tests/golden/soak.json: docs/reliability.md. Ctrl-C ends it; REST=1 runs
# what of it has not run yet with this firmware, PART=tests/test_fuzz.py one file.
PART ?=
soak: $(VENV)/.soak
	@WALKTALL_SOAK=$(if $(REST),rest,1) $(BIN)/python -m pytest -n $(JOBS) -q -m soak $(PART)

# Where there is no atheris for this Python or system, the host is fuzzed at random only.
$(VENV)/.soak: $(VENV)/.vm
	@$(BIN)/python -m pip install -qq --editable '.[soak]' || echo "atheris cannot be installed here: that part is skipped"
	@touch $@

# Ours and the pinned libraries, to be copied to a board as they lie there.
drive: $(VENV)/.dev
	@$(BIN)/python scripts/drive.py

# The pictures of the documents, from real output.
pictures: $(VENV)/.dev
	@$(BIN)/python scripts/picture.py
	@$(BIN)/python scripts/captures.py
	@$(BIN)/python scripts/report_pictures.py

# The case's parts and their picture, from case/collar_case.py; in an environment of its own, because build123d is large.
case:
	@test -x .venv-case/bin/python || $(PYTHON) -m venv .venv-case
	@.venv-case/bin/python -m pip install -qq 'build123d>=0.9'
	@.venv-case/bin/python case/collar_case.py

# The documentation site, to be read from the disk. Warnings are errors.
docs: $(VENV)/.dev
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going -q -b html -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

# Wheel, source and the drive's bundle in dist, compared with each other, digests printed. Uploads nothing.
release: $(VENV)/.dev
	@$(BIN)/python scripts/release.py

clean:
	@rm -rf $(VENV) .venv-case dist build tests/vm/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
