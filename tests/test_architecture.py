"""The layout: what `lint-imports` does not see, and that nothing costs before it is needed.

What may import what is a contract in pyproject.toml, which `make lint` checks.
"""

import ast
import functools
import json
import statistics
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

PACKAGE = Path(__file__).parents[1] / "hellgan"
FILES = sorted(PACKAGE.rglob("*.py"))
DEEPEST = 20  # modules in a chain of imports
LONGEST, MIDDLE, LARGEST_CLASS = 400, 160, 300  # lines of a file, of half of all files, and of a class


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("hellgan", exclude_type_checking_imports=True, cache_dir=None)


def deepest(graph) -> list[str]:
    """Give the longest chain of imports; a circle raises ``ValueError``."""
    above: list[str] = []

    @functools.cache
    def chain(module) -> tuple[str, ...]:
        if module in above:
            raise ValueError(" imports ".join([*above[above.index(module) :], module]))
        above.append(module)
        chains = [chain(below) for below in sorted(graph.find_modules_directly_imported_by(module))]
        above.pop()
        return (module, *max(chains, key=len, default=()))

    return list(max((chain(module) for module in sorted(graph.modules)), key=len))


def test_imports_are_not_deep_and_run_in_no_circle(graph):
    chain = deepest(graph)
    assert len(chain) <= DEEPEST, chain


def test_a_circle_is_seen():
    graph = grimp.ImportGraph()
    for name in ("a", "b"):
        graph.add_module(name)
    graph.add_import(importer="a", imported="b")
    assert deepest(graph) == ["a", "b"]
    graph.add_import(importer="b", imported="a")
    with pytest.raises(ValueError, match="a imports b imports a"):
        deepest(graph)


def test_files_and_classes_are_short():
    lengths = {path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in FILES}
    assert {name: n for name, n in lengths.items() if n > LONGEST} == {}
    assert statistics.median(lengths.values()) <= MIDDLE
    classes = {
        f"{path.relative_to(PACKAGE)}: {node.name}": node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.end_lineno is not None
    }
    assert {name: n for name, n in classes.items() if n > LARGEST_CLASS} == {}


def violations(source: str, is_shell: bool, is_root: bool, is_asked: bool = False) -> list[str]:
    """List in words what a file does that no import contract sees; ``is_asked`` where users ask for JAX's settings."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" and not is_shell:
                found.append("calls print")
            if called.endswith("config.update") and not is_asked:
                found.append("changes the global configuration of JAX")
            if called.endswith(("import_module", "__import__")) and not is_root:
                found.append("imports by a name that cannot be checked")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_to_the_rules(path):
    asked = path.name == "keeping.py"
    assert violations(path.read_text(), path.name == "cli.py", path == PACKAGE / "__init__.py", asked) == []


@pytest.mark.parametrize(
    "source", ["print(1)", "jax.config.update('jax_enable_x64', True)", "importlib.import_module('hellgan.cli')"]
)
def test_checker_sees(source):
    assert violations(source, False, False) != []


def test_init_files_hold_no_algorithms():
    """A folder's ``__init__`` says what is in it; the package's own imports lazily besides."""
    for path in FILES:
        if path.name == "__init__.py" and path.parent != PACKAGE:
            kinds = {type(node) for node in ast.parse(path.read_text()).body}
            assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign}, path


def test_the_picture_shows_the_imports(script_of):
    """The arrows in the picture's metadata are those of the source, all upward, and every module is in a box."""
    from PIL import Image

    picture = script_of("docs", "imports")
    owned = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert set(picture.owner()) == owned - {"version"}
    with Image.open(picture.PICTURE) as image:
        assert json.loads(image.info["Description"]) == picture.edges()
    assert all(picture.BOXES[start][0][1] < picture.BOXES[end][0][1] for start, end in picture.edges())


def test_planted_bugs_are_up_to_date(script_of):
    """What `make mutants` would change is there: it runs by hand, and seldom."""
    mutants = script_of("tests", "mutants").MUTANTS
    gone = [each.name for each in mutants if each.old not in (PACKAGE / each.file).read_text()]
    assert not gone
    assert len({each.name for each in mutants}) == len(mutants)


def test_import_is_lazy():
    late = ["statsmodels", "pandas", "scipy.stats", "matplotlib", "jaxopt", "optax"]
    program = f"import sys, hellgan; print([name for name in {late} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
