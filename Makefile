# `make run` and `make test` each do all of their own set-up: a .venv with what they need, once and after every change of
# the requirements.

VENV = .venv
PY = $(VENV)/bin/python
# Each worker has a PostgreSQL and a Valkey of its own. The files run in the order of their folders, so that long ones do not begin last.
WORKERS = auto --maxprocesses=4
# What mypy reads; of these folders, those that are there.
TYPED = chat store realtime web workers
ARGS =

.PHONY: run test check coverage faults bench lock screenshots clean

run:
	@sh local/venv.sh $(VENV) requirements-local.txt
	@exec $(PY) -m local.run

# make test ARGS="-k cursor" runs only the Python tests that it names.
test:
	@sh local/venv.sh $(VENV) requirements-dev.txt
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)
	@if [ -n "$(ARGS)" ]; then exit 0; \
	elif node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then node --test tests/js/*.test.js; \
	else echo "tests/js was not run: it needs Node 20 or newer"; fi

# Every fault once, about 17 minutes. make faults FAULT=redis-kill SEED=7 SECONDS=30 runs one; FAULT=mutants proves the checker.
faults:
	@sh local/venv.sh $(VENV) requirements-local.txt
	@exec $(PY) -m faults.run $(if $(FAULT),--fault $(FAULT)) $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

# Every figure of docs/benchmarks.md, about 10 minutes on a machine that does nothing else. make bench CASE=fanout runs one case;
# with AGAINST=<commit>, this build and the server of that commit in turn.
bench:
	@sh local/venv.sh $(VENV) requirements-bench.txt
	@exec $(PY) -m bench.run $(if $(CASE),--case $(CASE)) $(if $(AGAINST),--against $(AGAINST)) $(ARGS)

# Formatting and likely mistakes of the whole tree, and the types of the folders that run in production.
check:
	@sh local/venv.sh $(VENV) requirements-dev.txt
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy $(wildcard $(TYPED))

# Which lines and branches the tests run, instances that they start included. It takes longer than `make test`, and is no part of the gate.
coverage:
	@sh local/venv.sh $(VENV) requirements-dev.txt
	@rm -rf var/coverage && mkdir -p var/coverage
	@status=0; $(PY) -m coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS) || status=$$?; \
	$(PY) -m coverage combine -q && $(PY) -m coverage report && exit $$status

# The exact versions that production installs, with hashes, for every Python that Parley runs on. Commit what it writes.
lock:
	@sh local/venv.sh $(VENV) requirements-dev.txt
	@$(VENV)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
		--no-config --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" requirements.txt -o requirements.lock

# The pictures in docs/images, taken by the Chromium of this machine.
screenshots:
	@sh local/venv.sh $(VENV) requirements-dev.txt
	@$(PY) -m docs.images.make

clean:
	rm -rf $(VENV)
