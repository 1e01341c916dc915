# make demo: from a fresh machine to the running program. make test: the same, then all tests.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SCREEN := xvfb-run -a -s "-screen 0 1600x1000x24 -nolisten tcp"

.PHONY: demo test lint clean

demo: $(STAMP)
	.ci/system-libraries
	$(BIN)/spinemet demo --out demo-output

test: $(STAMP) lint
	.ci/system-libraries --display
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/gui
	QT_API=pyqt5 PYTEST_QT_API=pyqt5 $(SCREEN) $(BIN)/python -m pytest tests/gui
	QT_API=pyqt6 PYTEST_QT_API=pyqt6 $(SCREEN) $(BIN)/python -m pytest tests/gui

lint: $(STAMP)
	$(BIN)/ruff check napari_spinemet tests
	$(BIN)/ruff format --check napari_spinemet tests
	$(BIN)/mypy
	$(BIN)/lint-imports

$(STAMP): setup.cfg constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed')"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[pyqt5,pyqt6,test,dev]"
	touch $(STAMP)

clean:
	rm -rf .venv demo-output build dist
