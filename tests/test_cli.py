"""The command line: what it prints, where it prints it, and its exit codes."""

import dataclasses
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hellgan as hg
from hellgan import cli, gan
from hellgan.solver import equations

ROOT = Path(hg.__file__).parents[1]
NEWCOMB = hg.datasets.csv_text("newcomb")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    for name in ("newcomb", "stars_cyg", "animals2"):
        (folder / f"{name}.csv").write_text(hg.datasets.csv_text(name))
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text("a\n")
    (folder / "hole.csv").write_text("a\n1\n\nNA\n3\n4\n")
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00\x81" * 9)
    (folder / "ragged.csv").write_text("a,b\n1,2\n3,4,5\n")
    (folder / "no_header.csv").write_text("28\n26\n33\n")
    (folder / "semicolons.csv").write_text("a;b\n1,5;2\n")
    return folder


@pytest.fixture
def run(capsys):
    """Run a command in this process; returns exit code, standard output and standard error."""

    def run(*arguments):
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as stop:  # argparse's own way out
            code = stop.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def newcomb():
    return hg.GAN(hg.datasets.load_newcomb(), hg.generators.Normal()).fit()


def test_table(run, files, newcomb):
    code, out, err = run("fit", files / "newcomb.csv", "--column", "deviation")
    assert (code, err) == (0, "")
    assert out == f"{newcomb.summary()}\n"


def test_only_column_and_level(run, files, newcomb):
    code, out, err = run("fit", files / "newcomb.csv", "--level", "0.9", "--generator", "NORMAL", "--loss", "root")
    assert (code, err) == (0, "")
    assert out == f"{newcomb.summary(alpha=1 - 0.9)}\n"


def test_json(run, files, newcomb):
    code, out, err = run("fit", files / "newcomb.csv", "--json", "--level", "0.8")
    assert (code, err) == (0, "")
    found = json.loads(out)
    interval = newcomb.conf_int(alpha=1 - 0.8)
    assert found.pop("divergence") == pytest.approx(newcomb.saddle.value - np.sqrt(2), abs=1e-12)
    assert found.pop("level") == pytest.approx(0.8, rel=1e-12)
    assert found == {
        "generator": "Normal",
        "loss": "root",
        "n": 66,
        "m": 1024,
        "converged": True,
        "trouble": "",
        "outliers": [5, 9],
        "rows_left_out": [],
        "parameters": {
            "loc": {
                "estimate": newcomb.params["loc"],
                "std_error": newcomb.bse["loc"],
                "statistic": newcomb.tvalues["loc"],
                "p_value": newcomb.pvalues["loc"],
                "conf_low": interval.loc["loc", "lower"],
                "conf_high": interval.loc["loc", "upper"],
            },
            "scale": {
                "estimate": newcomb.params["scale"],
                "std_error": newcomb.bse["scale"],
                "statistic": None,  # a scale is not tested against 0
                "p_value": None,
                "conf_low": interval.loc["scale", "lower"],
                "conf_high": interval.loc["scale", "upper"],
            },
        },
    }


def test_standard_input_and_figure(run, monkeypatch, tmp_path, newcomb):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()  # of other tests, which may run in the same process
    monkeypatch.setattr(sys, "stdin", io.StringIO(NEWCOMB))
    figure = tmp_path / "fit.png"
    code, out, err = run("fit", "-", "--json", "--plot", figure)
    assert (code, err) == (0, "")
    assert json.loads(out)["parameters"]["loc"]["estimate"] == newcomb.params["loc"]
    assert figure.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert plt.get_fignums() == before


def test_a_fit_of_no_bulk_is_told(run, monkeypatch):
    """On standard error, beside what did not converge: a script that reads JSON sees no summary."""
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(1, 1, 300), rng.normal(7, 1, 200)])
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(["x", *map(str, x)])))
    code, _, err = run("fit", "-", "--json")
    assert code == 0
    assert "describes no part of the sample well" in err
    assert err.startswith("hellgan fit: ")


class Stop(Exception):
    pass


@pytest.fixture
def asked(monkeypatch):
    """What the command line asks of GAN, which is then not fitted."""
    seen = []

    class Spy(gan.GAN):
        def fit(self, *args, **kwargs):
            seen.append(self)
            raise Stop

    monkeypatch.setattr(gan, "GAN", Spy)

    def ask(*arguments):
        with pytest.raises(Stop):
            cli.main([str(a) for a in arguments])
        return seen.pop()

    return ask


def test_options_reach_the_model(asked, files):
    model = asked("fit", files / "newcomb.csv", "--latent", "iid", "--simulated", 77, "--seed", 5, "--loss", "log_ns")
    assert (model.latent, model.n_simulated, model.seed, model.loss.name) == ("iid", 77, 5, "log_ns")


def test_fixed_parameters_reach_the_model(asked, files):
    generator = asked("fit", files / "newcomb.csv", "--fix", "scale=5.5").generator
    assert generator.names == ["loc"]
    assert generator.values == {"scale": 5.5}


def test_degrees_of_freedom_reach_the_model(asked, files):
    generator = asked("fit", files / "newcomb.csv", "--generator", "student_t", "--df", 5).generator
    assert generator == hg.generators.StudentT(5.0)
    assert asked("fit", files / "newcomb.csv", "--generator", "studentt").generator == hg.generators.StudentT()
    columns = ("--column", "log_te,log_light", "--generator", "multivariate_student_t")
    assert asked("fit", files / "stars_cyg.csv", *columns).generator == hg.generators.MultivariateStudentT(2)


def test_components_reach_the_model(asked, files):
    generator = asked("fit", files / "newcomb.csv", "--generator", "normalmixture", "--components", 2).generator
    assert generator == hg.generators.NormalMixture(2)


@pytest.mark.parametrize("column", ["log_te,log_light", "log_te, log_light"])
@pytest.mark.parametrize("family", ["multivariate_normal", "MultivariateNormal"])
def test_two_columns_reach_the_model(asked, files, column, family):
    model = asked("fit", files / "stars_cyg.csv", "--column", column, "--generator", family)
    assert model.generator == hg.generators.MultivariateNormal(2)
    assert model.columns == ["log_te", "log_light"]
    np.testing.assert_array_equal(model.x, hg.datasets.load_stars_cyg())


def test_one_column_of_several(asked, files):
    model = asked("fit", files / "animals2.csv", "--column", "brain", "--generator", "lognormal")
    np.testing.assert_array_equal(model.x, hg.datasets.load_animals2()["brain"])


@pytest.mark.slow
def test_two_columns_and_fixed_parameters_are_fitted(run, files):
    code, out, err = run(
        *(
            "fit",
            files / "stars_cyg.csv",
            "--column",
            "log_te,log_light",
            "--generator",
            "multivariate_normal",
            "--json",
        )
    )
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert 0.5 < found["parameters"]["corr_12"]["estimate"] < 0.85
    assert sorted(found["outliers"][:4]) == [10, 19, 29, 33]
    code, out, err = run("fit", files / "newcomb.csv", "--fix", "scale=5", "--json")
    assert (code, err) == (0, "")
    assert list(json.loads(out)["parameters"]) == ["loc"]


def test_a_fit_that_does_not_converge(run, files, newcomb, monkeypatch):
    """The table with NaN is printed, the reason once on standard error; the exit code says so."""
    broken = dataclasses.replace(
        newcomb.saddle, is_saddle=False, converged=False, reason="it ran away; hold it", value=np.nan
    )
    monkeypatch.setattr(equations, "solve_saddle", lambda game, starts, more, reserve, *rest: broken)
    code, out, err = run("fit", files / "newcomb.csv", "--json")
    assert code == 1
    assert err.count("\n") == 1
    assert "it ran away; hold it." in err
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["converged"] is False
    assert found["trouble"] == "it ran away; hold it"
    assert found["divergence"] is None
    assert found["parameters"]["loc"]["std_error"] is None


BAD = {
    "missing file": (["nothing.csv"], "nothing.csv: no such file or directory"),
    "folder": (["."], "."),
    "missing column": (
        ["newcomb.csv", "--column", "speed"],
        "--column: .*newcomb.csv has no column 'speed'; it has deviation",
    ),
    "one of two columns missing": (["stars_cyg.csv", "--column", "log_te,speed"], "no column 'speed'"),
    "which column": (["stars_cyg.csv"], "--column: .* has the columns log_te, log_light; name one"),
    "text column": (["animals2.csv", "--column", "animal"], "column animal holds text, .* in line 2 and"),
    "empty file": (["empty.csv"], "empty.csv: not a CSV file with a header row"),
    "no rows": (["header.csv"], "data: 0 observations"),
    "missing value": (["hole.csv"], "data: 2 of 5 observations are NaN"),
    "not text": (["binary.csv"], "binary.csv: not a CSV file"),
    "ragged": (["ragged.csv", "--column", "a"], "ragged.csv: its row 3 has 3 values and its header 2"),
    "no header": (["no_header.csv"], "no_header.csv: its first row is 28, which looks like an observation"),
    "semicolons": (["semicolons.csv", "--column", "a"], "its first row, 'a;b', seems to be separated by ';'"),
    "mixture of how many": (["newcomb.csv", "--generator", "normalmixture"], "--components: give it with"),
    "components of no mixture": (["newcomb.csv", "--components", "2"], "--components: give it with"),
    "unknown generator": (
        ["newcomb.csv", "--generator", "gauss"],
        "--generator: 'gauss' is not known; give one of Normal",
    ),
    "unknown loss": (["newcomb.csv", "--loss", "wasserstein"], "--loss: 'wasserstein' is not known"),
    "unknown latent kind": (["newcomb.csv", "--latent", "halton"], "--latent: 'halton' is not known"),
    "fix without a value": (["newcomb.csv", "--fix", "scale"], "--fix: got 'scale'; give NAME=VALUE"),
    "fix by a word": (["newcomb.csv", "--fix", "scale=big"], "--fix: got 'scale=big'; give NAME=VALUE"),
    "fix an unknown parameter": (["newcomb.csv", "--fix", "shape=1"], "--fix: .*shape is not a parameter"),
    "fix outside the space": (["newcomb.csv", "--fix", "scale=-1"], "--fix: .*scale -1.0 is outside"),
    "fix everything": (["newcomb.csv", "--fix", "scale=1", "--fix", "loc=2"], "--fix: .*leave at least one"),
    "df without a t law": (["newcomb.csv", "--df", "5"], "--df: give it with the families studentt and multi"),
    "bad df": (["newcomb.csv", "--generator", "studentt", "--df", "-5"], "--df: got -5.0"),
    "df of text": (["newcomb.csv", "--generator", "studentt", "--df", "five"], "--df"),
    "level 0": (["newcomb.csv", "--level", "0"], "--level: got 0; give a number between 0 and 1"),
    "level 95": (["newcomb.csv", "--level", "95"], "--level: got 95;"),
    "level NaN": (["newcomb.csv", "--level", "nan"], "--level: got nan;"),
    "no simulations": (["newcomb.csv", "--simulated", "0"], "--simulated: got 0"),
    "negative seed": (["newcomb.csv", "--seed", "-1"], "--seed: got -1"),
    "wrong dimension": (["newcomb.csv", "--generator", "multivariatenormal"], "d: got 1"),
    "two columns for one dimension": (["stars_cyg.csv", "--column", "log_te,log_light"], r"data: shape \(47, 2\)"),
    "negative data": (["newcomb.csv", "--generator", "exponential"], "data: the smallest value is -44"),
    "unwritable figure": (["newcomb.csv", "--plot", "nowhere/fit.png"], "--plot: there is no folder nowhere"),
    "figure of an unknown kind": (
        ["newcomb.csv", "--plot", "fit.xyz"],
        "--plot: fit.xyz is no figure by its suffix; give one of .*png",
    ),
    "unknown option": (["newcomb.csv", "--colour", "red"], "--colour"),
    "no file": ([], "FILE"),
}


@pytest.mark.parametrize(("arguments", "said"), BAD.values(), ids=BAD)
def test_bad_use(run, files, monkeypatch, arguments, said):
    monkeypatch.chdir(files)
    before = sorted(files.iterdir())
    code, out, err = run("fit", *arguments)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert re.fullmatch(r"hellgan( fit)?: .*\.\n", err)
    assert not re.search(r"[.!?] [A-Z]", err), "more than one sentence"
    assert re.search(said, err)
    assert "Traceback" not in err
    assert sorted(files.iterdir()) == before


def test_datasets(run):
    code, out, err = run("datasets")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == list(hg.datasets.names())
    assert re.fullmatch(r"newcomb +66 +deviation: .*", lines[0])


def test_dataset_as_csv(run):
    assert run("datasets", "--csv", "newcomb") == (0, NEWCOMB, "")
    code, out, err = run("datasets", "--csv", "iris")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"hellgan datasets: --csv: 'iris' is not known; give one of newcomb, .*\.\n", err)


@pytest.mark.parametrize("arguments", [[], ["nonsense"]])
def test_no_command(run, arguments):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"hellgan: .*COMMAND.*\.\n", err)


def test_help(run):
    code, out, err = run("fit", "--help")
    assert (code, err) == (0, "")
    for option in ("--column", "--generator", "--df", "--fix", "--loss", "--level", "--json", "--plot"):
        assert option in out


def process(*arguments, **kwargs):
    command = [sys.executable, "-m", "hellgan.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, **kwargs)


def test_bad_use_in_a_process_of_its_own():
    done = process("fit", "-", "--column", "speed", input=NEWCOMB)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "hellgan fit: --column: standard input has no column 'speed'; it has deviation.\n"


@pytest.mark.slow
def test_fit_in_a_process_of_its_own(newcomb):
    done = process("fit", "-", "--json", input=NEWCOMB)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)["parameters"]["loc"]
    assert found["estimate"] == pytest.approx(newcomb.params["loc"], rel=1e-12)
    assert found["std_error"] == pytest.approx(newcomb.bse["loc"], rel=1e-9)


def test_a_reader_that_leaves_early_is_no_error():
    """As in `hellgan datasets --csv vonbort | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "hellgan.cli", "datasets", "--csv", "vonbort"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_is_a_command_and_tells_its_version(capsys):
    done = subprocess.run([sys.executable, "-m", "hellgan", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"hellgan {hg.__version__}\n"
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == done.stdout
