"""What the documentation shows is what the package does: README blocks are run, docstring examples too."""

import contextlib
import doctest
import importlib
import io
import pkgutil
import re
from pathlib import Path

import pytest

import hellgan

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)


def readme_outputs() -> list[tuple[str, str]]:
    """Run the README's Python blocks in order; pairs of what is printed there and what they print."""
    names, pairs = {}, []
    for code, shown in BLOCK.findall((ROOT / "README.md").read_text()):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, "README.md", "exec"), names)
        pairs.append((shown.rstrip(), printed.getvalue().rstrip()))
    return pairs


# Iteration counts and score norms are the platform's and JAX's; estimates are not.
VOLATILE = re.compile(r"^(Iterations|Score norm).*$", re.MULTILINE)


@pytest.mark.slow
def test_readme_prints_what_it_says():
    pairs = readme_outputs()
    assert len(pairs) == 4
    for shown, printed in pairs:
        assert VOLATILE.sub("", printed) == VOLATILE.sub("", shown)


MODULES = [m.name for m in pkgutil.walk_packages(hellgan.__path__, "hellgan.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_public_names_have_docstrings():
    for name in hellgan.__all__:
        assert getattr(hellgan, name).__doc__, name
