"""Documents show the tables that the files of results hold, and each of these files says what made it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

ROOT = Path(__file__).resolve().parents[1]
# Where scripts put what they make.
RESULTS = sorted(
    file
    for pattern in (
        "benchmarks/results/*",
        "benchmarks/studies/results/*",
        "docs/*.png",
        "docs/figures/*",
        "notebooks/*.ipynb",
    )
    for file in ROOT.glob(pattern)
)
MADE_BY = re.compile(
    r"Made by `(\S+)`, hellgan \d\S*, commit [0-9a-f]{7,}(\+changes)?(, begun at commit [0-9a-f]{7,}\S*( and \S+)*)?\."
)


def made_by(file: Path) -> str:
    """What a file says of who made it."""
    match file.suffix:
        case ".md":
            paragraphs = file.read_text(encoding="utf-8").split("\n\n")
            return paragraphs[1 if paragraphs[0].startswith("# ") else 0]
        case ".png":
            return PngImageFile(file).text.get("Comment", "")
        case ".parquet":
            return pq.read_schema(file).metadata.get(b"made by", b"").decode()
        case ".json":
            return json.loads(file.read_text(encoding="utf-8")).get("made by", "")
        case ".ipynb":
            return json.loads(file.read_text(encoding="utf-8"))["metadata"].get("made by", "")
    raise ValueError(f"{file.name}: say here where a file of this kind names who made it")


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_result_says_what_made_it(file):
    found = MADE_BY.fullmatch(made_by(file))
    assert found, f"{file.name} says {made_by(file)!r}; its script makes it anew"
    assert (ROOT / found[1]).exists()


def test_there_are_results():
    assert {file.suffix for file in RESULTS} == {".md", ".png", ".parquet", ".json", ".ipynb"}


@pytest.fixture(scope="module")
def tables(script):
    return script("tables")


def test_documents_show_what_results_hold(tables):
    pages = {page.name: page.read_text(encoding="utf-8") for page in tables.PAGES}
    assert [name for name, page in pages.items() if tables.renewed(page) != page] == [], "`make tables` renews them"
    assert {name for name, page in pages.items() if "<!-- benchmarks/" in page} == {
        "README.md",
        "covariance.md",
        "images.md",
        "neural.md",
        "performance.md",
    }
    for page in pages.values():  # under every comment there is a table
        assert page.count("<!-- benchmarks/") == len(tables.PLACE.findall(page))
    page = pages["performance.md"]  # which has no others
    assert len(tables.TABLE.findall(page)) == len(tables.PLACE.findall(page))


PRINTED = "| a | b |\n|---|---|\n| 1 | 2 |\n\n| c | d |\n|---|---|\n| 3 | 4 |\n| 5 | 6 |\n"
PAGE = "<!-- benchmarks/results/t.md -->\n\n| c | d |\n|---|---|\n| 9 | 9 |\n\nWords.\n"


@pytest.fixture
def elsewhere(tables, script, tmp_path, monkeypatch):
    """A repository with one benchmark and a page that shows one of its tables."""
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "benchmarks" / "t.py").write_text(f"print({PRINTED!r}, end='')\n")
    (tmp_path / "page.md").write_text(PAGE)
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    monkeypatch.setattr(tables, "PAGES", [tmp_path / "page.md"])
    monkeypatch.setattr(script("provenance"), "ROOT", tmp_path)
    return tmp_path


def test_a_table_follows_its_benchmark(tables, elsewhere):
    (elsewhere / "benchmarks" / "results" / "t.md").write_text(PRINTED)
    assert tables.renewed(PAGE) == PAGE.replace("| 9 | 9 |", "| 3 | 4 |\n| 5 | 6 |")
    some = "<!-- benchmarks/results/t.md: some rows -->\n\n| c | d |\n|---|---|\n| 5 | 0 |\n"
    assert tables.renewed(some) == some.replace("| 5 | 0 |", "| 5 | 6 |")
    with pytest.raises(ValueError, match="no table with the header"):
        tables.renewed(PAGE.replace("| c | d |", "| c | e |"))


def test_a_benchmark_is_run_and_kept_and_shown(tables, elsewhere, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["tables.py", "t"])
    tables.main()
    kept = elsewhere / "benchmarks" / "results" / "t.md"
    assert kept.read_text().endswith(f".\n\n{PRINTED}")
    assert made_by(kept).startswith("Made by `benchmarks/t.py`, hellgan ")
    assert "| 3 | 4 |\n| 5 | 6 |\n\nWords." in (elsewhere / "page.md").read_text()
    assert capsys.readouterr().out.splitlines()[-1] == "page.md: tables 1, 1 renewed (benchmarks/results/t.md)"
    monkeypatch.setattr("sys.argv", ["tables.py"])
    tables.main()
    assert capsys.readouterr().out == "page.md: tables 1, none differs\n"
    monkeypatch.setattr("sys.argv", ["tables.py", "u"])
    with pytest.raises(SystemExit):
        tables.main()
    assert "there is no benchmarks/u.py" in capsys.readouterr().err


def test_files_are_signed_and_nothing_else_changes(script, tmp_path):
    """Each kind of file, read by other means than the ones that wrote it."""
    files = {suffix: tmp_path / f"file{suffix}" for suffix in (".md", ".png", ".json", ".parquet", ".ipynb")}
    files[".md"].write_text("# Title\n\nWords.\n")
    picture = Image.linear_gradient("L")
    picture.save(files[".png"])
    files[".json"].write_text('{"a": 1}')
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
    frame.to_parquet(files[".parquet"])
    cell = {"cell_type": "code", "metadata": {"execution": {"iopub.execute_input": "now"}}, "outputs": ["é"]}
    files[".ipynb"].write_text(json.dumps({"cells": [cell], "metadata": {"kernelspec": {}}}))
    line = "Made by `benchmarks/t.py`, hellgan 0.1.0, commit 0123abc."
    script("provenance").sign(files.values(), line)
    assert {made_by(file) for file in files.values()} == {line}
    assert files[".md"].read_text() == f"# Title\n\n{line}\n\nWords.\n"
    signed = Image.open(files[".png"])
    signed.load()  # which checks the sums of all chunks
    assert signed.tobytes() == picture.tobytes()
    assert json.loads(files[".json"].read_text()) == {"made by": line, "a": 1}
    pd.testing.assert_frame_equal(pd.read_parquet(files[".parquet"]), frame)
    notebook = json.loads(files[".ipynb"].read_text())
    assert notebook["cells"] == [cell | {"metadata": {}}]
    assert notebook["metadata"] == {"kernelspec": {}, "made by": line}


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_and_whether_the_code_differs(script, elsewhere):
    provenance = script("provenance")

    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(
            ["git", *who, *arguments], cwd=elsewhere, capture_output=True, text=True, check=True
        ).stdout

    assert provenance.commit() == "unknown"
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    head = git("rev-parse", "--short", "HEAD").strip()
    (elsewhere / "page.md").write_text("Other words.\n")
    (elsewhere / "benchmarks" / "results" / "t.md").write_text("A result.\n")
    assert provenance.commit() == head
    (elsewhere / "benchmarks" / "u.py").write_text("print(1)\n")
    assert provenance.commit() == f"{head}+changes"


def test_the_line_names_who_began(script):
    line = script("provenance").line
    now, begun = "0123abc+changes", ["4567def", "0123abc+changes", "4567def", "89abcde"]
    told = line(ROOT / "benchmarks" / "peers.py", now, begun)
    assert told.endswith(", commit 0123abc+changes, begun at commit 4567def and 89abcde.")
    assert MADE_BY.fullmatch(told)
    assert ", begun" not in line(ROOT / "benchmarks" / "peers.py", now, [now])
