"""Warnings of the package are its own classes, so that a user's filters hold whatever is imported later."""

import ast
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import hellgan as hg
from hellgan import cautions

FILES = sorted((Path(__file__).parents[1] / "hellgan").rglob("*.py"))
OWN = {name for name, of in vars(cautions).items() if isinstance(of, type)}


def categories(source: str) -> list[str]:
    """Names of the categories with which a source warns; empty texts where it gives none."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warnings.warn"):
            given = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "category")]
            found.append(ast.unparse(given[0]) if given else "")
    return found


def test_every_warning_is_of_a_class_of_the_package():
    used = {name: path for path in FILES for name in categories(path.read_text())}
    assert not used.keys() - OWN, {name: used[name] for name in used.keys() - OWN}
    assert used.keys() == OWN


@pytest.mark.parametrize("source", ["warnings.warn('a')", "warnings.warn('a', UserWarning, stacklevel=2)"])
def test_the_check_sees(source):
    assert set(categories(source)) - OWN


def test_all_are_below_one():
    assert all(issubclass(getattr(cautions, name), hg.FitWarning) for name in OWN)
    assert hg.ConvergenceWarning is cautions.ConvergenceWarning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", hg.FitWarning)
        for name in OWN:
            warnings.warn("hidden", getattr(cautions, name), stacklevel=2)


SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", message="the matrix subclass")
import numpy as np
import hellgan as hg
assert "statsmodels" not in sys.modules
x = np.round(np.random.default_rng([13, 3]).normal(10, 0.8, 60))
try:
    fit = hg.GAN(x, hg.generators.Normal(), discriminator=hg.discriminators.Sigmoids(4)).fit(maxiter=1)
except hg.ConvergenceWarning:
    print("raised")
"""


def test_a_filter_set_before_the_first_fit_holds():
    """statsmodels, imported by the first fit, puts filters of its own in front."""
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert found.stdout == "raised\n", found.stderr
