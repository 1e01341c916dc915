# make demo: from a fresh machine to the running program. make test: the same, then all tests.
PYTHON ?= python3
BIN := .venv/bin
PROGRAM := .venv/.program
TOOLS := .venv/.tools
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Each worker has a virtual screen of its own (pytest-xvfb). Files go to them in the order that
# tests/conftest.py gives, the longest first.
BOTH_CORES := -n 2 --dist loadfile --no-loadscope-reorder
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24 -nolisten tcp"

.PHONY: demo test bench gpu-check lint clean

demo:
	.ci/system-libraries || echo "Without them there is no window; the pictures are made all the same." >&2
	@$(MAKE) --no-print-directory $(PROGRAM)
	$(BIN)/spinemet demo --out demo-output

test:
	.ci/system-libraries --display
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest $(BOTH_CORES) --no-xvfb --doctest-modules \
		--ignore tests/gui --ignore napari_spinemet/gui napari_spinemet tests
	QT_API=pyqt5 PYTEST_QT_API=pyqt5 $(BIN)/python -m pytest $(BOTH_CORES) tests/gui
	QT_API=pyqt6 PYTEST_QT_API=pyqt6 $(BIN)/python -m pytest $(BOTH_CORES) -m "not one_binding" tests/gui

# About forty minutes on two cores; what training learns is benchmarks/training.py --learn.
bench: $(PROGRAM)
	.ci/system-libraries --display
	for name in engines precision froc training programs gate; do \
		echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done
	for name in slider strokes liveness; do \
		echo "== $$name"; $(SCREEN) $(BIN)/python benchmarks/$$name.py || exit 1; done

# At most eight minutes, on a machine with a graphics card.
gpu-check: $(PROGRAM)
	$(BIN)/python benchmarks/gpu_check.py --write

lint: $(TOOLS)
	$(BIN)/ruff check napari_spinemet tests benchmarks
	$(BIN)/ruff format --check napari_spinemet tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

$(PROGRAM): setup.cfg constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed')"
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(INSTALL) -e ".[pyqt5]"
	touch $@

$(TOOLS): $(PROGRAM)
	$(INSTALL) -e ".[pyqt5,pyqt6,test,dev]"
	touch $@

clean:
	rm -rf .venv demo-output build dist
