# make demo   opens JupyterLab on the first notebook        (make demo ARGS=--no-browser on a server)
# make test   everything: unit, conformance, notebooks, browser, TypeScript, ruff, mypy, documentation
# make docs   the documentation, in site/
# make bench  the speed table of README
# make gpu    maps, scores and notes on a GPU beside the CPU's; needs one
# make soak   10,000 random actions on an Explorer         (make soak ARGS=--browser: 500 by mouse and keyboard on a page)
# make labs     the Explorer in earlier versions of JupyterLab; needs a package index
# make apps     the Explorer in Solara, single widgets in marimo; needs a package index
# make kernels  progress and cancel in three versions of ipykernel; needs a package index

PYTHON ?= python3.11
# Idle OpenMP threads must not spin: the browser and the server need the cores.
export OMP_WAIT_POLICY ?= PASSIVE
# The theme would print at each build that it is kept up until May 2027 only.
export NO_MKDOCS_2_WARNING ?= 1
VENV := .venv
BIN := $(VENV)/bin
NOTEBOOK ?= notebooks/01_explore.ipynb
# The Chinese notebooks lead to the English ones, a folder up.
FOLDER = $(patsubst %/zh/,%/,$(dir $(NOTEBOOK)))

.PHONY: demo test docs bench gpu soak kernels labs apps clean frontend
.DELETE_ON_ERROR:

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null 2>&1 && p=$(PYTHON) || p=python3; $$p tools/make_venv.py $(VENV)

# One stamp an extra; pip runs again only when what is asked for has changed.
$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[demo]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[demo,docs,test]'
	touch $@ $(VENV)/.demo $(VENV)/.docs

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

frontend: | $(BIN)/python
	$(BIN)/python tools/frontend.py build

demo: $(VENV)/.demo frontend
	cd $(FOLDER) && $(abspath $(BIN))/jupyter lab $(if $(filter root,$(shell id -un)),--allow-root) \
		--LabApp.default_url=/lab/tree/$(patsubst $(FOLDER)%,%,$(NOTEBOOK)) $(ARGS)

test: $(VENV)/.test
	$(BIN)/python tools/test.py $(ARGS)

docs: $(VENV)/.docs
	$(BIN)/python -m mkdocs build --strict $(ARGS)

gpu: $(VENV)/.test frontend
	$(BIN)/python -m pytest --noconftest -q tests/gpu $(ARGS)

bench: $(VENV)/.test frontend
	$(BIN)/python -m tests.benchmarks $(ARGS)

soak: $(VENV)/.test frontend
	$(BIN)/python -m tests.soak $(ARGS)

kernels: $(VENV)/.test frontend
	$(BIN)/python tools/kernels.py $(ARGS)

labs: $(VENV)/.test frontend
	$(BIN)/python tools/labs.py $(ARGS)

apps: $(VENV)/.test frontend
	$(BIN)/python tools/apps.py $(ARGS)

clean:
	rm -rf $(VENV) cnnwidgets/static cnnwidgets/_frontend/node_modules tests/artefacts site .coverage
