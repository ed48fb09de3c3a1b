"""Designs in TOML, and `hellgan study`."""

import importlib
import sys
import textwrap

import pandas as pd
import pytest

import hellgan as hg
from hellgan import cli
from hellgan.montecarlo.comparators import SimulatedMoments
from hellgan.montecarlo.methods import ComparatorMethod

DESIGN = """
    n = [20, 30]
    replications = 6
    seed = 3

    [truth]
    generator = "Normal"
    loc = 1.0
    scale = 2.0

    [contamination]
    none = {}
    far = { kind = "Cluster", eps = 0.2, loc = 8.0, scale = 0.3 }
    both = [{ kind = "Dependence", rho = 0.5 }, { kind = "PointMass", eps = 0.1, at = 9.0 }]

    [methods]
    median = "median_mad"
    ml = { comparator = "ml", replications = 3, where = { n = 20 } }
    mean = { function = "own_methods:mean" }
"""
OWN = """
    import numpy as np

    def mean(x):
        return {"estimate": {"loc": x.mean()}, "std_error": {"loc": x.std(ddof=1) / np.sqrt(len(x))}}
"""


@pytest.fixture
def design(tmp_path):
    def write(text=DESIGN, own=OWN):
        sys.modules.pop("own_methods", None)
        (tmp_path / "own_methods.py").write_text(textwrap.dedent(own))
        (tmp_path / "design.toml").write_text(textwrap.dedent(text))
        return tmp_path / "design.toml"

    yield write
    sys.modules.pop("own_methods", None)


def plain(result):
    return result.to_frame().drop(columns="seconds")


def test_a_file_means_what_python_says(design):
    read = hg.montecarlo.from_toml(design())
    own_methods = importlib.import_module("own_methods")

    written = hg.Study(
        truth=hg.truth(hg.generators.Normal(), loc=1.0, scale=2.0),
        contamination={
            "none": None,
            "far": hg.Cluster(0.2, loc=8.0, scale=0.3),
            "both": (hg.Dependence(rho=0.5), hg.PointMass(0.1, at=9.0)),
        },
        n=[20, 30],
        methods={
            "median": "median_mad",
            "ml": {"comparator": hg.montecarlo.MaximumLikelihood(), "replications": 3, "where": {"n": 20}},
            "mean": own_methods.mean,
        },
        replications=6,
        seed=3,
    )
    pd.testing.assert_frame_equal(plain(read.run()), plain(written.run()), check_exact=True)


@pytest.mark.slow
def test_gans_and_generators_of_a_file(design):
    text = """
        n = 50
        replications = 2
        [truth]
        generator = { family = "StudentT", df = 5, fix = { scale = 1.0 } }
        loc = 0.5
        [methods.small]
        loss = "log"
        discriminator = { name = "Sigmoids", k = 8 }
        [methods.wrong]
        generator = { family = "Normal", fix = { scale = 1.0 } }
        discriminator = { name = "Scores", generator = { family = "Normal", fix = { scale = 1.0 } } }
        latent = "iid"
        n_simulated = 100
        [methods.own]
        generator = "own_methods:shifted"
        loss = "own_methods:loss"
        [methods.moments]
        comparator = "simulated_moments"
        moments = "own_methods:two"
    """
    own = """
        import jax.numpy as jnp
        import hellgan as hg

        loss = hg.losses.get("least_squares")

        @hg.generator(latent="normal", loc=hg.real())
        def shifted(z, loc):
            return loc + z

        def two(x):
            return jnp.stack([jnp.tanh(x), jnp.tanh(x / 3)])
    """
    study = hg.montecarlo.from_toml(design(text, own))
    models = {name: study.replay(study.cells[0], 0, name).fits[name].model for name in ("small", "wrong", "own")}
    assert models["small"].discriminator == hg.discriminators.Sigmoids(8)
    assert models["small"].generator.names == ["loc"]
    assert models["wrong"].n_simulated == 100
    assert models["wrong"].discriminator.generator == models["wrong"].generator
    assert models["own"].generator.name == "shifted"
    assert models["own"].loss.name == "least_squares"
    own_methods = importlib.import_module("own_methods")

    method = study._design.plans["moments"].method
    assert isinstance(method, ComparatorMethod)
    assert isinstance(method.comparator, SimulatedMoments)
    assert method.comparator.moments is own_methods.two


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("seed = 3", "seeds = 3"), "'seeds' is not known"),
        (("replications = 6", ""), "replications is missing"),
        (('generator = "Normal"', 'generator = "Normla"'), "'Normla' is not known"),
        (('generator = "Normal"', ""), "generator is missing"),
        (("scale = 2.0", "scale = -2.0"), "scale"),
        (('kind = "Cluster"', 'kind = "Clutser"'), "the kind 'Clutser'; give one of .*Cluster"),
        (("eps = 0.2, loc = 8.0", "eps = 0.2, lok = 8.0"), "far: .*lok"),
        (('"median_mad"', '"medina"'), "'medina' is not known"),
        (('"own_methods:mean"', '"own_methods:mena"'), "own_methods:mena cannot be imported"),
        (('"own_methods:mean"', '"nowhere_at_all:mean"'), "nowhere_at_all:mean cannot be imported"),
        (("n = [20, 30]", "n = [20, 30"), "not a TOML file"),
        (("where = { n = 20 }", "where = { m = 20 }"), "'m' is no factor"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(change, said, design, capsys):
    path = design(DESIGN.replace(*change))
    with pytest.raises((ValueError, TypeError), match=said):
        hg.montecarlo.from_toml(path)
    assert cli.main(["study", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("hellgan study: ")
    assert error.count("\n") == 1


def test_the_command_runs_a_study_and_prints_its_table(design, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = design()
    assert cli.main(["study", str(path), "--measures", "bias,rmse"]) == 0
    first = capsys.readouterr().out
    result = hg.montecarlo.read(tmp_path / "design")
    assert first == result.to_markdown(["bias", "rmse"])
    # more replications, as LaTeX; the others are not done again
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "design").rglob("*.parquet")}
    assert cli.main(["study", str(path), "--replications", "9", "--latex"]) == 0
    assert "tabular" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert result.progress()["done"].max() == 6
    assert hg.montecarlo.read(tmp_path / "design").progress()["done"].max() == 9


def test_shares_of_an_array(design, tmp_path, capsys):
    path, out = str(design()), str(tmp_path / "out")
    assert cli.main(["study", path, "--out", out, "--array", "1/2"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "replicates are still to do" in said.err
    assert cli.main(["study", path, "--out", out, "--array", "2/2"]) == 0
    whole = hg.montecarlo.read(out)
    assert capsys.readouterr().out == whole.to_markdown()
    pd.testing.assert_frame_equal(plain(whole), plain(hg.montecarlo.from_toml(path).run()), check_exact=True)
    assert cli.main(["study", path, "--out", out, "--array", "2"]) == 2
    assert "give I/N" in capsys.readouterr().err
    assert cli.main(["study", path, "--out", out, "--array", "3/2"]) == 2
    assert cli.main(["study", path, "--out", out, "--scheduler", "tcp://127.0.0.1:1"]) == 2


def test_failures_are_told(design, tmp_path, capsys):
    own = """
        def mean(x):
            if x[0] > 2:
                raise RuntimeError("too large")
            return {"loc": x.mean()}
    """
    text = DESIGN.replace('median = "median_mad"\n', "").replace("replications = 6", "replications = 20")
    assert cli.main(["study", str(design(text, own)), "--out", str(tmp_path / "out"), "--measures", "bias"]) == 0
    said = capsys.readouterr()
    failed = len(hg.montecarlo.read(tmp_path / "out").failures())
    assert failed > 0
    assert f"{failed} replicates failed" in said.err
    assert "failed |" in said.out.splitlines()[0]
