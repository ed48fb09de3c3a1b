"""How the notebooks are written. That they run, without a warning, is what `make notebooks` shows."""

import ast
import json
from pathlib import Path

import pytest

BOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
LONGEST = 10  # lines of a function: a longer one belongs to the package

books = pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)


def cells(book: Path, kind: str) -> list[dict]:
    found = json.loads(book.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in found if cell["cell_type"] == kind]


def code(book: Path) -> list[ast.stmt]:
    """Statements of all cells; a magic command or a closing semicolon is not Python's."""
    return [stmt for cell in cells(book, "code") for stmt in ast.parse(cell["source"]).body]


def test_they_are_numbered():
    numbers = [int(book.stem[:2]) for book in BOOKS]
    assert numbers
    assert sorted(set(numbers)) == numbers


@books
def test_readme_leads_to_it(book):
    readme = (book.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"](notebooks/{book.name})" in readme


@books
def test_was_executed_to_its_end(book):
    ran = cells(book, "code")
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1))
    assert not any("execution" in cell["metadata"] for cell in ran)  # times, which no two runs share
    assert any("image/png" in output.get("data", {}) for cell in ran for output in cell["outputs"])
    kinds = {(output["output_type"], output.get("name")) for cell in ran for output in cell["outputs"]}
    assert not any(kind == "error" or name == "stderr" for kind, name in kinds)


@books
def test_warnings_are_errors_and_the_style_is_shared(book):
    first = cells(book, "code")[0]["source"]
    assert 'warnings.simplefilter("error")' in first
    assert 'plt.style.use("hellgan.mplstyle")' in first


@books
def test_no_long_functions(book):
    lengths = [
        (node.end_lineno - node.lineno + 1, node.name)
        for stmt in code(book)
        for node in ast.walk(stmt)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.end_lineno is not None
    ]
    assert [name for length, name in lengths if length > LONGEST] == []
