"""How the notebooks are written. That they run, without a warning, is what `make notebooks` shows."""

import ast
import json
import re
from pathlib import Path

import pytest

BOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))
LONGEST = 10  # lines of a function: a longer one belongs to the package

books = pytest.mark.parametrize("book", BOOKS, ids=lambda path: path.stem)


def cells(book: Path, kind: str) -> list[dict]:
    found = json.loads(book.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in found if cell["cell_type"] == kind]


def prose(book: Path) -> list[str]:
    return [cell["source"] for cell in cells(book, "markdown")]


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
def test_opens_with_its_question_and_ends_with_the_answer(book):
    first, *_, last = prose(book)
    assert re.match(rf"# {int(book.stem[:2])}\. \w", first)
    for part in ("**Question.**", "**Statement.**", "*Assumptions*", "*Status*"):
        assert part in first
    assert last.startswith("## Answer\n")


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
    functions = [
        node for stmt in code(book) for node in ast.walk(stmt) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    assert [f.name for f in functions if f.end_lineno - f.lineno + 1 > LONGEST] == []


def numbers(text: str) -> set[float]:
    """Decimal numbers that prose states: those of formulas, code, links and arXiv are other things."""
    for other in (r"\$\$.*?\$\$", r"\$[^$]*\$", r"`[^`]*`", r"\]\([^)]*\)", r"arXiv:? ?[\d.]+", r"^#+ .*$"):
        text = re.sub(other, " ", text, flags=re.DOTALL if "$$" in other else re.MULTILINE)
    return {float(number) for number in re.findall(r"(?<![\w.])\d*\.\d+(?![\w.]*\d)", text)}


def literals(node: ast.AST) -> set[float]:
    found = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return {float(value) for value in found if isinstance(value, int | float)}


@books
def test_numbers_in_prose_are_asserted(book):
    """Every decimal number in prose stands in an assertion; one given by name or of a single digit is a setting."""
    stated = set().union(*map(numbers, prose(book)[1:]))
    walked = [node for stmt in code(book) for node in ast.walk(stmt)]
    asserted = set().union(*(literals(node) for node in walked if isinstance(node, ast.Assert)))
    settings = {number for node in walked for number in literals(node) if round(number, 1) == number}
    settings |= set().union(*(literals(node.value) for node in walked if isinstance(node, ast.keyword)))
    assert sorted(stated - asserted - settings) == []


def test_numbers_are_found():
    text = "Of 0.48 and .25, not `0.5`, $1.5$, [a](b/2.5.md) or arXiv 2512.12267; 66 and -44 too, and 1.386."
    assert numbers(text) == {0.48, 0.25, 1.386}
