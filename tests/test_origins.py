"""No committed table or figure is older than the script that makes it, and none was edited by hand."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Where scripts put what they make.
MADE = ("docs/*.png", "docs/figures/*", "benchmarks/results/*", "benchmarks/studies/results/*", "notebooks/*.ipynb")


@pytest.fixture(scope="module")
def origins(script):
    return script("origins")


def test_nothing_is_older_than_its_script(origins):
    assert origins.faults() == {}


def test_everything_that_scripts_make_is_recorded(origins):
    files = {file.relative_to(ROOT).as_posix() for pattern in MADE for file in ROOT.glob(pattern)}
    assert len(files) > 10
    assert files == set(origins.ledger())


@pytest.fixture
def elsewhere(origins, tmp_path, monkeypatch):
    """A repository with one script that wrote one table."""
    monkeypatch.setattr(origins, "ROOT", tmp_path)
    monkeypatch.setattr(origins, "LEDGER", tmp_path / "origins.json")
    (tmp_path / "make.py").write_text('"""Make it."""\n\nprint(1)  # one\n')
    (tmp_path / "table.md").write_text("1\n")
    origins.record([tmp_path / "table.md", "/elsewhere/table.md"], tmp_path / "make.py")
    return tmp_path


def test_a_change_of_the_script_is_noticed_but_not_of_its_words(origins, elsewhere):
    assert list(origins.ledger()) == ["table.md"]
    (elsewhere / "make.py").write_text('"""Make the table."""\nprint(1)\n')
    assert origins.faults() == {}
    (elsewhere / "make.py").write_text('"""Make the table."""\nprint(2)\n')
    assert origins.faults() == {"table.md": "older than make.py; run that again"}
    (elsewhere / "make.py").unlink()
    assert origins.faults() == {"table.md": "make.py does not exist"}


def test_a_table_edited_by_hand_is_noticed(origins, elsewhere):
    (elsewhere / "table.md").write_text("2\n")
    assert origins.faults() == {"table.md": "not what make.py wrote; run that again"}
    (elsewhere / "table.md").unlink()
    assert origins.faults() == {"table.md": "table.md does not exist"}


def test_of_a_notebook_code_and_outputs_count(origins, elsewhere):
    file = elsewhere / "book.ipynb"
    code = {"cell_type": "code", "source": ["1 + 1"], "outputs": ["2"]}
    file.write_text(json.dumps({"cells": [code, {"cell_type": "markdown", "source": ["two"]}], "metadata": {}}))
    origins.record([file], file)
    assert origins.faults() == {}
    file.write_text(json.dumps({"cells": [code | {"source": ["1 + 2"]}], "metadata": {}}))
    assert origins.faults() == {"book.ipynb": "older than book.ipynb; run that again"}
    file.write_text(json.dumps({"cells": [code | {"outputs": ["3"]}], "metadata": {}}))
    assert origins.faults() == {"book.ipynb": "not what book.ipynb wrote; run that again"}
