# Everything runs in .venv, which is made from constraints.txt when it is not there or no longer fits.
PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo
# Longer dreams, each used ten times (by the classifier five times), in small batches at twice the rate: as good as generative distillation
# as published, in two thirds of the time of training (benchmarks/demo.py, docs/performance.md).
DEMO_OPTIONS := --teacher-steps 10 --reuse 10 --set training.batch=16 --set training.steps=280 --set training.learning_rate=2e-3 --set strategy.generative_replay_classifier.reuse=5

.PHONY: demo test test-learning test-rest slow bench clean

demo: .venv/installed
	@if [ -e $(DEMO)/config.toml ]; then $(BIN)/palimpsest resume $(DEMO); else set -x; $(BIN)/palimpsest train digits $(DEMO_OPTIONS) --out $(DEMO); fi

# Two halves side by side, of one thread each: twice the processes are quicker than twice the threads.
LEARNING := tests/laws tests/learning tests/models tests/sources tests/targets tests/diffusion tests/synthesis
test: .venv/installed-test
	@OMP_NUM_THREADS=1 $(MAKE) --no-print-directory --jobs 2 test-learning test-rest

test-learning:
	$(BIN)/python -m pytest $(LEARNING)

test-rest:
	$(BIN)/python -m pytest $(addprefix --ignore=,$(LEARNING))

slow: .venv/installed-test
	$(BIN)/python -m pytest -m slow -s

bench: .venv/installed
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/estimate.py
	$(BIN)/python benchmarks/plain_loop.py
	$(BIN)/python benchmarks/efficiency.py
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/many_tasks.py
	$(BIN)/python benchmarks/layouts.py
	$(BIN)/python benchmarks/allocator.py
	$(BIN)/python benchmarks/switches.py digits fashion_mnist --batches 8 64
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/demo.py $(DEMO_OPTIONS)
	$(BIN)/python benchmarks/evaluate.py

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf .venv
