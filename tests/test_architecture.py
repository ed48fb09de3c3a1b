"""The layout is one direction, from losses to the command line, and nothing costs before it is needed."""

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hellgan"

# A module, or a folder of that name, imports only from those before it.
ORDER = (
    "version",
    "losses",
    "latents",
    "constraints",
    "robust",
    "batching",
    "generators",
    "divergences",
    "discriminators",
    "objective",
    "starts",
    "solver",
    "inference",
    "overidentification",
    "refits",
    "datasets",
    "plots",
    "validation",
    "designs",
    "covariances",
    "wald",
    "functionals",
    "restrictions",
    "hypotheses",
    "profiles",
    "bootstrap",
    "deletion",
    "contamination",
    "influence",
    "diagnostics",
    "storage",
    "reports",
    "results",
    "gan",
    "loading",
    "batch",
    "montecarlo",
    "__init__",
    "cli",
    "__main__",
)
# The same inside of it.
MONTECARLO = (
    "estimates",
    "streams",
    "formulas",
    "replicates",
    "measures",
    "grouping",
    "planning",
    "performance",
    "contaminations",
    "truths",
    "comparators",
    "methods",
    "definitions",
    "design",
    "store",
    "manifests",
    "engine",
    "trials",
    "running",
    "replays",
    "tables",
    "results",
    "study",
    "toml",
    "__init__",
)
ONLY_IN = {"matplotlib": "plots", "jaxopt": "solver"}
FILES = sorted(PACKAGE.rglob("*.py"))


def component(path):
    """Give the name in ORDER that a file of the package belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(source, package):
    """List the absolute names of all that a module of `package` imports, inside functions too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, node.module] if node.module else above)
            found += [f"{origin}.{alias.name}" for alias in node.names]
    return found


def violations(source, component, package="hellgan"):
    """List in words what a file of `component` does that the architecture forbids."""
    found = []
    for name in imports(source, package):
        root, _, rest = name.partition(".")
        if root == "hellgan":
            target = rest.split(".")[0]
            target = target if target in ORDER else "__init__"
            if target != component and ORDER.index(target) >= ORDER.index(component):
                found.append(f"imports {name}")
        elif ONLY_IN.get(root, component) != component:
            found.append(f"imports {name}")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "print" and component != "cli":
                found.append("calls print")
            if called.endswith("config.update"):
                found.append("changes the global configuration of JAX")
            if called.endswith(("import_module", "__import__")) and component != "__init__":
                found.append("imports by a name that cannot be checked")
    return found


def test_every_module_has_its_place():
    assert FILES
    assert {component(path) for path in FILES} <= set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_keeps_to_the_architecture(path):
    package = ".".join(("hellgan", *path.relative_to(PACKAGE).parts[:-1]))
    assert violations(path.read_text(encoding="utf-8"), component(path), package) == []


def test_the_picture_shows_the_imports():
    """The arrows in the picture's metadata are those of the source, all upward, and every module is in a box."""
    from PIL import Image

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PACKAGE.parent / "docs"))
        picture = importlib.import_module("imports")
    assert set(picture.owner()) == set(ORDER) - {"version"}
    with Image.open(picture.PICTURE) as image:
        assert json.loads(image.info["Description"]) == picture.edges()
    assert all(picture.BOXES[start][0][1] < picture.BOXES[end][0][1] for start, end in picture.edges())


def test_montecarlo_is_one_direction_too():
    seen = set()
    for path in sorted((PACKAGE / "montecarlo").rglob("*.py")):
        inner = path.relative_to(PACKAGE / "montecarlo").parts
        own = inner[0].removesuffix(".py")
        seen.add(own)
        package = ".".join(("hellgan.montecarlo", *inner[:-1]))
        for name in imports(path.read_text(encoding="utf-8"), package):
            if name.startswith("hellgan.montecarlo."):
                target = name.split(".")[2]
                assert target == own or MONTECARLO.index(target) < MONTECARLO.index(own), f"{own} imports {name}"
    assert seen == set(MONTECARLO)
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page.split("## Inside `montecarlo`")[1], re.MULTILINE)
    assert tuple(listed) == MONTECARLO[:-1]


@pytest.mark.parametrize(
    ("module", "package", "source"),
    [
        ("losses", "hellgan", "from . import solver"),
        ("losses", "hellgan", "from .solver import solve_saddle"),
        ("losses", "hellgan", "import hellgan.solver as s"),
        ("losses", "hellgan", "def f():\n    from hellgan import solver"),
        ("inference", "hellgan", "from hellgan import GAN"),
        ("inference", "hellgan", "import hellgan"),
        ("montecarlo", "hellgan.montecarlo", "from .. import cli"),
        ("montecarlo", "hellgan.montecarlo", "from ..cli import main"),
        ("gan", "hellgan", "import matplotlib.pyplot as plt"),
        ("objective", "hellgan", "from jaxopt import LBFGS"),
        ("gan", "hellgan", "print(1)"),
        ("gan", "hellgan", "jax.config.update('jax_enable_x64', True)"),
        ("gan", "hellgan", "importlib.import_module('hellgan.cli')"),
    ],
)
def test_checker_sees(module, package, source):
    assert violations(source, module, package) != []


@pytest.mark.parametrize(
    ("module", "package", "source"),
    [
        ("gan", "hellgan", "from . import losses, solver\nfrom .inference import sandwich\nimport jax"),
        ("montecarlo", "hellgan.montecarlo", "from .design import Study\nfrom ..gan import GAN"),
        ("cli", "hellgan", "import hellgan\nprint(hellgan.GAN)"),
        ("plots", "hellgan", "import matplotlib.pyplot as plt"),
        ("solver", "hellgan", "def f():\n    import jaxopt"),
    ],
)
def test_checker_lets_pass(module, package, source):
    assert violations(source, module, package) == []


def test_import_is_lazy():
    late = ["statsmodels", "pandas", "scipy.stats", "matplotlib", "jaxopt"]
    program = f"import sys, hellgan; print([name for name in {late} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
