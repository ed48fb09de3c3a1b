"""Files as people write them: what `hellgan fit` reads of them, and what it refuses by name."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import hellgan as hg
from hellgan import cli, generators, losses
from hellgan.samples.csv_files import read_csv

X = np.random.default_rng(0).normal(5.0, 2.0, 60).round(3)
PLAIN = "v\n" + "".join(f"{v}\n" for v in X)


@pytest.fixture
def run(capsys):
    def run(*arguments):
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def file(tmp_path):
    def written(text, encoding="utf-8"):
        path = tmp_path / "a.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return written


READ = {
    "a space before a name": "id, v\n1, 1.5\n2, 2.5\n3, 4\n",
    "spaces after values": "id ,v \n1 ,1.5 \n2,2.5\t\n3,4\n",
    "commas at the ends": "id,v,\n1,1.5,\n2,2.5,\n3,4,\n",
    "commas at the ends of rows alone": "id,v\n1,1.5,\n2,2.5,,\n3,4\n",
    "lines without a value": "\nid,v\n\n1,1.5\n\n2,2.5\n3,4\n\n\n",
    "a mark at the beginning": "\ufeffid,v\n1,1.5\n2,2.5\n3,4\n",
    "quotes": '"id","v"\n"1","1.5"\n2,2.5\n3,"4"\n',
    "line ends of Windows": "id,v\r\n1,1.5\r\n2,2.5\r\n3,4\r\n",
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_what_a_person_would_read(text, file):
    path = file(text)
    with open(path, encoding="utf-8-sig", newline="") as source:
        found = read_csv(source.read(), "a.csv")
    assert list(found.frame.columns) == ["id", "v"]
    np.testing.assert_array_equal(found.columns(["v"]), [1.5, 2.5, 4])
    np.testing.assert_array_equal(found.columns(["id, v"]), [[1, 1.5], [2, 2.5], [3, 4]])


def test_a_first_column_without_a_name_holds_labels():
    frame = read_csv(",v\nBonn,1.5\nKiel,2.5\n", "a.csv").frame
    assert frame["v"].to_dict() == {"Bonn": 1.5, "Kiel": 2.5}


def test_empty_cells_are_missing():
    one = read_csv("v\n1\n\n2\n\n\n", "a.csv").frame["v"]
    np.testing.assert_array_equal(one, [1, np.nan, 2])
    two = read_csv("a,v\n1,\n2\n3,NA\n4,5\n", "a.csv").frame["v"]
    np.testing.assert_array_equal(two, [np.nan, np.nan, np.nan, 5])


REFUSED = {
    "decimal commas in one column": ("v\n12,58\n13,61\n", [], "row 2 has 2 values and its header 1 names; .*points"),
    "decimal commas in two": ("a,v\n1,12,58\n", ["--column", "v"], "row 2 has 3 values and its header 2"),
    "decimal commas and a comma behind": ("v,\n12,58\n13,61\n", [], "row 2 has 2 values and its header 1"),
    "decimal commas in quotes": ('v\n"12,58"\n"13,61"\n', [], "column v holds decimal commas, as in '12,58'"),
    "semicolons": ("a;v\n1,5;2,5\n", ["--column", "v"], "seems to be separated by ';'"),
    "tabs": ("a\tv\n1\t2\n", ["--column", "v"], "seems to be separated by"),
    "a value too many, later": ("a,v\n1,2\n\n3,4,5\n", ["--column", "a"], "row 4 has 3 values and its header 2"),
    "text": ("v\n1\nabout 3\n5\n", [], "a.csv: column v holds text, 'about 3' in line 3; give numbers"),
    "texts below empty lines": ("a,v\n1,2\n\n\n3,x\n4,y\n", ["--column", "v"], "'x' in line 5 and 1 more"),
    "text among the weights": ("a,v\n1,2\n3,x\n", ["--column", "a", "--weights", "v"], "column v holds text, 'x' in"),
    "weights of no column": ("a,v\n1,2\n3,4\n", ["--column", "a", "--weights", "w"], "--weights: .* has no column 'w'"),
    "negative weights": ("a,v\n1,2\n3,-4\n5,6\n7,7\n", ["--column", "a", "--weights", "v"], "--weights: some are neg"),
    "labels of no column": ("a,v\n1,2\n3,4\n", ["--column", "a", "--index", "w"], "--index: .* has no column 'w'"),
    "a label twice": ("a,v\n1,2\n\n3,2\n", ["--column", "a", "--index", "v"], "--index: .* another row in line 2"),
    "no label": ("a,v\n1,p\n3,\n", ["--column", "a", "--index", "v"], "--index: .* has no label in line 3"),
    "a formula and columns": ("a,v\n1,2\n3,4\n", ["--column", "a", "--formula", "a ~ v"], "--column: a formula names"),
    "a formula of what is not there": ("a,v\n1,2\n3,4\n", ["--formula", "a ~ w"], "--formula: .*`w`"),
    "a formula with text on its left": ("a,v\n1,x\n3,y\n", ["--formula", "v ~ a"], "v on the left .*text or a fac"),
    "holding what a formula lacks": (
        "a,v\n1,2\n3,4\n5,7\n6,8\n8,8\n",
        ["--formula", "a ~ v", "--fix", "w=1"],
        "--fix: .*w is not a parameter; its",
    ),
    "one name twice": ("v, v\n1,2\n", ["--column", "v"], "has 2 columns 'v'"),
    "no name": ("a,v\n1,2\n", ["--column", "w"], "has no column 'w'; it has a, v"),
    "nothing": ("\n\n", [], "since it is empty"),
    "missing values": ("v\n1\n\nNA\n3\n4\n", [], "2 of 5 observations are NaN or infinite; .*--missing drop"),
    "missing what": (PLAIN, ["--missing", "skip"], "--missing: got 'skip'; give 'raise' or 'drop'"),
    "Latin-1": ("größe\n1\n2\n", [], "not a CSV file"),
}


@pytest.mark.parametrize(("text", "arguments", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(run, file, text, arguments, said):
    path = file(text, "latin-1" if "ö" in text else "utf-8")
    code, out, err = run("fit", path, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(said, err), err


def test_rows_left_out_are_told(run, file):
    holes = "v\n" + "".join("\n" if k % 20 == 3 else f"{v}\n" for k, v in enumerate(X))
    code, out, err = run("fit", file(holes), "--missing", "drop", "--json")
    assert (code, err) == (0, "hellgan fit: 3 rows have missing values and are left out; 57 are fitted.\n")
    found = json.loads(out)
    assert (found["n"], found["rows_left_out"]) == (57, [3, 23, 43])
    code, out, err = run("fit", file(holes), "--missing", "drop")
    assert "3 rows with missing values are left out: 3, 23, 43." in " ".join(out.split())
    code, out, err = run("fit", file(PLAIN), "--json")
    assert (code, err, json.loads(out)["rows_left_out"]) == (0, "", [])


def test_outliers_are_named_by_their_labels(run, file):
    rows = "".join(f"r{k},{40.0 if k == 7 else v}\n" for k, v in enumerate(X))
    assert json.loads(run("fit", file(f",v\n{rows}"), "--json")[1])["outliers"] == ["r7"]


def test_a_column_of_labels(run, file):
    rows = "".join(f"r{k}, {40.0 if k == 7 else v}\n" for k, v in enumerate(X))
    assert json.loads(run("fit", file(f"run, v\n{rows}"), "--index", "run", "--json")[1])["outliers"] == ["r7"]
    code, out, err = run("fit", file(f"run, v\nr60,\n{rows}"), "--index", "run", "--missing", "drop", "--json")
    assert (code, err) == (0, "hellgan fit: 1 row has a missing value and is left out; 60 are fitted.\n")
    assert json.loads(out)["rows_left_out"] == ["r60"]


LINE = np.linspace(0.0, 5.0, 60).round(2)
GROUP = np.where(np.arange(60) % 3 == 1, "b", "a")
TABLE = "id,group,x,y,w\n" + "".join(
    f"r{k},{GROUP[k]},{LINE[k]},{round(1.5 * LINE[k] + X[k], 3)},{1 + k % 2}\n" for k in range(60)
)


def test_a_formula_and_weights(run, file):
    """The same fit as in Python, of a regression and of a sample, with its rows' labels."""
    path = file(TABLE + "r60,a,2.0,,1\n")
    frame = pd.read_csv(path, index_col="id")
    asked = ("--index", "id", "--weights", "w", "--json")
    code, out, err = run("fit", path, "--formula", "y ~ x + C(group)", *asked)
    assert (code, err) == (0, "hellgan fit: 1 row has a missing value and is left out; 60 are fitted.\n")
    fit = hg.GAN.from_formula("y ~ x + C(group)", frame, weights="w").fit()
    found = json.loads(out)
    assert {name: row["estimate"] for name, row in found["parameters"].items()} == pytest.approx(dict(fit.params))
    assert (found["rows_left_out"], found["outliers"]) == (["r60"], fit.outliers().tolist())
    held = json.loads(run("fit", path, "--formula", "y ~ x", "--fix", "scale=2", *asked)[1])
    assert list(held["parameters"]) == ["Intercept", "x"]
    sample = json.loads(run("fit", path, "--column", "x", *asked)[1])
    assert sample["parameters"]["loc"]["estimate"] == pytest.approx(
        hg.GAN(frame["x"], "normal", weights=frame["w"]).fit().params["loc"]
    )
    code, out, err = run("fit", path, "--formula", "y ~ x", "--missing", "raise")
    assert (code, out) == (2, "")
    assert "1 of 61 rows have missing values in variables of the formula, the first is 60" in err


# Families by name.


def test_help_lists_what_may_be_named(run):
    code, out, _ = run("fit", "--help")
    assert code == 0
    said = " ".join(out.split())
    assert f"Families: {', '.join(generators.names())}." in said
    assert all(name in said for name in losses.names())


@pytest.mark.parametrize("name", ["student_t", "Student-T", "StudentT", "student t", "STUDENTT"])
def test_names_are_the_same_everywhere(run, file, name):
    assert hg.GAN(X, name).generator.name == hg.GAN(X, hg.generators.StudentT()).generator.name
    assert generators.make(name).names == ["df", "loc", "scale"]
    # --df is known for the same names
    code, _, err = run("fit", file(PLAIN), "--generator", name, "--df", "-1")
    assert (code, "df: got -1.0" in err) == (2, True)


def test_names_that_say_too_little_are_refused():
    def refusal(call):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        return str(caught.value)

    assert "NormalMixture: missing a required argument: 'k'" in refusal(lambda: hg.GAN(X, "NormalMixture"))
    assert "it takes k" in refusal(lambda: generators.make("normal_mixture", groups=2))
    assert "'gauss' is not known; give one of Normal" in refusal(lambda: hg.GAN(X, "gauss"))
    assert refusal(lambda: generators.make(4)).startswith("generator: got 4")  # pyright: ignore[reportArgumentType]
