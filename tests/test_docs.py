"""What the documentation shows is what the package does: README blocks are run, docstring examples too."""

import contextlib
import doctest
import importlib
import io
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hellgan
from hellgan import cli

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
    assert len(pairs) == 6
    for shown, printed in pairs:
        assert VOLATILE.sub("", printed) == VOLATILE.sub("", shown)


def test_readme_shell_prints_what_it_says(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    shown = re.findall(
        r"```sh\nhellgan (fit .*?)\n```\n\n```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert len(shown) == 1
    for command, text in shown:
        assert cli.main(command.split()) == 0
        printed = capsys.readouterr().out
        assert VOLATILE.sub("", printed).rstrip() == VOLATILE.sub("", text).rstrip()


PAGES = (
    "covariance.md",
    "discriminator.md",
    "robustness.md",
    "images.md",
    "kernel.md",
    "neural.md",
    "studies.md",
    "cluster.md",
    "reading.md",
    "../CONTRIBUTING.md",
)

# How much it takes to extend the package, lines of CONTRIBUTING's blocks: a loss, a generator, a discriminator, an
# estimator.
LONGEST = (30, 30, 30, 60)


def test_extensions_are_short():
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    lengths = [len(code.splitlines()) for code, _ in blocks]
    assert len(lengths) == len(LONGEST)
    assert all(length < most for length, most in zip(lengths, LONGEST, strict=True)), lengths


# What a page says in words of its numbers, looked at after its blocks.
CLAIMS = {"reading.md": "from tests.support import claims; claims.reading(table, study, failed, gain, frame)"}

# Runs the blocks that it is given in order, as a reader would in one session, and answers with what each printed.
SESSION = """
import contextlib, io, json, sys
names, printed = {}, []
for block in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(block, names)
    printed.append(out.getvalue())
json.dump(printed, sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_page_prints_what_it_says(name):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert 0 < len(blocks) == text.count("```python")  # none goes without its output, and so unseen
    sources = json.dumps([*(code for code, _ in blocks), CLAIMS.get(name, "")])
    run = subprocess.run(
        [sys.executable, "-c", SESSION], input=sources, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert run.returncode == 0, run.stderr
    for (_, shown), printed in zip(blocks, json.loads(run.stdout)[:-1], strict=True):
        assert printed.rstrip() == shown.rstrip()


@pytest.mark.slow
def test_the_design_that_ships_prints_its_table(tmp_path, capsys):
    page = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    design = ROOT / "examples" / "study.toml"
    assert f"```toml\n{design.read_text(encoding='utf-8')}```" in page
    assert cli.main(["study", str(design), "--out", str(tmp_path / "study")]) == 0
    shown = re.search(r"```sh\nhellgan study examples/study.toml.*?```\n\n```text\n(.*?)```", page, re.DOTALL)
    assert shown
    assert capsys.readouterr().out == shown[1]


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{page}" for page in PAGES)])
def test_links_and_figures_exist(name):
    page = ROOT / name
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


MODULES = [m.name for m in pkgutil.walk_packages(hellgan.__path__, "hellgan.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_public_names_have_docstrings():
    for name in hellgan.__all__:
        assert getattr(hellgan, name).__doc__, name
