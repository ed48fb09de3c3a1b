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


PAGES = (
    "covariance.md",
    "discriminator.md",
    "robustness.md",
    "studies.md",
    "cluster.md",
    "reading.md",
    "../CONTRIBUTING.md",
)

# What a page says in words of its numbers, looked at after its blocks.
CLAIMS = {"reading.md": "from tests import claims; claims.reading(table, study, failed, gain, frame)"}

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


def test_the_table_of_coverage_is_the_benchmarks():
    """Lowest and highest share of each kind in the page's table, and in its words, are those of the saved cells."""
    cells = json.loads((ROOT / "benchmarks" / "results" / "coverage.json").read_text())
    kinds = {
        "classical": ["`wald`", '`wald` of `with_cov("HC1")`', "`profile`", ""],
        "paired": ["Wald"],
        "bootstrap": ["`percentile`, 199 refits", "`basic`", "`studentised`, Normal alone", "`bca`"],
    }
    shares: dict = {}
    for key, cell in cells.items():
        stage, _, n = key.split("/")
        for kind, row in zip(kinds[stage], cell["coverage"], strict=True):
            shares.setdefault((kind, n), []).extend(share for share in row if share is not None)
            assert cell["replications"] == (10_000 if stage == "classical" else 1_000)

    def ends(values):
        return " to ".join(f"{f(values):.3f}".lstrip("0") for f in (min, max))

    page = (ROOT / "docs" / "covariance.md").read_text(encoding="utf-8")
    for kind in (k for stage in ("classical", "bootstrap") for k in kinds[stage] if k):
        assert f"| {kind} | {ends(shares[kind, '200'])} | {ends(shares[kind, '500'])} |" in page
    assert f"Wald intervals cover {ends(shares['Wald', '200'] + shares['Wald', '500'])}" in page


def test_sizes_of_tests_are_the_benchmarks():
    rows = re.findall(
        r"^\| (sobol|iid) \| (log|root) \| clean \| (.*) \|$", read("benchmarks/results/rejections.md"), re.M
    )
    sizes = {(latent, loss): [float(cell) for cell in cells.split(" | ")] for latent, loss, cells in rows}
    page = read("docs/discriminator.md")
    (told,) = re.findall(
        r"with Sobol points (\S+) for `root` and (\S+) for `log`, with independent draws (\S+) and (\S+)\. ", page
    )
    cells = [("sobol", "root"), ("sobol", "log"), ("iid", "root"), ("iid", "log")]
    assert [float(value) for value in told] == [sizes[cell][0] for cell in cells]
    (ends,) = re.findall(r"tests of a parameter reject in (\S+) to (\S+)\.\n", page)
    of_a_parameter = [size for row in sizes.values() for size in row[3:6]]
    assert [float(end) for end in ends] == [min(of_a_parameter), max(of_a_parameter)]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables(script):
    return script("tables")


def test_tables_are_what_benchmarks_printed(tables):
    pages = {page.name: page.read_text(encoding="utf-8") for page in tables.PAGES}
    assert [name for name, page in pages.items() if tables.renewed(page) != page] == []
    assert pages["README.md"].count("<!-- benchmarks/") == 2
    for page in pages.values():  # under every comment there is a table
        assert page.count("<!-- benchmarks/") == len(tables.PLACE.findall(page))
    page = pages["performance.md"]  # which has no others
    assert len(tables.TABLE.findall(page)) == len(tables.PLACE.findall(page))


def test_the_words_on_speed_are_the_benchmarks(tables):
    def cells(name, *row):
        """The cells of the first row that begins so."""
        begin = "".join(f"| {cell} " for cell in row)
        rows = [line for line in read(f"benchmarks/results/{name}.md").splitlines() if line.startswith(f"{begin}|")]
        return [cell.strip().replace(",", "") for cell in rows[0].split("|")[1 + len(row) : -1]]

    page = " ".join(read("README.md").split())
    (told,) = re.findall(
        r"in a fresh process it takes (\S+) s, and a batch has overtaken delicatessen after (\S+) fits", page
    )
    # Of the tables of `root`, the third has the seconds of a process, the fourth the fits.
    _, _, cold, crossed, *_ = tables.TABLE.findall(read("benchmarks/results/peers.md"))
    assert told == tuple(table.splitlines()[row].split("|")[2].strip() for table, row in ((cold, 2), (crossed, 3)))
    (told,) = re.findall(r"simulated observations take (\S+) s and (\S+) MB\), two cores \((\S+) times\)", page)
    large = cells("scaling", "1000000")
    assert told == (f"{float(large[2]) / 1e3:.1f}", large[5], cells("threads", "threads by default")[2])
    # What docs/performance.md says of the floor: less than ten times as fast as a peer.
    floor = float(cells("floor", "default, batch of 1,000", "17, held")[4])
    floor += float(cells("floor", "default, batch of 1,000", "held")[0])
    assert float(cells("peers", "delicatessen, `approx`, solver `hybr`")[0]) < 10 * floor


def test_a_table_follows_its_benchmark(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "t.md").write_text(
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n| c | d |\n|---|---|\n| 3 | 4 |\n| 5 | 6 |\n"
    )
    page = "<!-- benchmarks/t.md -->\n\n| c | d |\n|---|---|\n| 9 | 9 |\n\nWords.\n"
    assert tables.renewed(page) == page.replace("| 9 | 9 |", "| 3 | 4 |\n| 5 | 6 |")
    some = "<!-- benchmarks/t.md: some rows -->\n\n| c | d |\n|---|---|\n| 5 | 0 |\n"
    assert tables.renewed(some) == some.replace("| 5 | 0 |", "| 5 | 6 |")
    with pytest.raises(ValueError, match="no table with the header"):
        tables.renewed(page.replace("| c | d |", "| c | e |"))
