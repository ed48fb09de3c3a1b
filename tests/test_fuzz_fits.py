"""Bad arguments of fits, results, influence functions and divergences: refused in one sentence that names them.

5,000 arguments with HELLGAN_TEST_FULL=1, one in twenty in each run of the suite.
"""

import numpy as np
import pandas as pd
import pytest
from doors import VALUES, Door, complaint, many, same
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import hellgan as hg
from hellgan import divergences

NEWCOMB = hg.datasets.load_newcomb()
NORMAL = hg.generators.Normal()
RNG = np.random.default_rng(0)
PLANTS = pd.DataFrame({"x": RNG.normal(size=60), "kind": np.repeat(["a", "b", "c"], 20)})
PLANTS["y"] = 1 + 2 * PLANTS["x"] + RNG.normal(size=60)


def of_fits():
    model = hg.GAN(NEWCOMB, NORMAL)
    fit = model.fit()
    points = {"points": [20.0, 30.0]}
    doors = {
        "GAN.fit": Door(
            model.fit,
            {},
            {
                **same("start", "cov_type", "throw", "tol", "maxiter", "disp"),
                "cov_kwds": ("cov_kwds", "with_cov"),
                "start_params": ("start",),
            },
        ),
        "GAN.on": Door(model.on, {"data": NEWCOMB}, same("data", "seed")),
        "fit_batch": Door(
            hg.fit_batch,
            {"model": model, "datasets": [NEWCOMB, NEWCOMB]},
            {**same("model", "seeds", "threads"), "datasets": ("data", "sample")},
        ),
        "conf_int": Door(fit.conf_int, {}, same("alpha", "cols", "method")),
        "summary": Door(fit.summary, {}, same("alpha")),
        "tidy": Door(fit.tidy, {}, same("alpha")),
        "bootstrap": Door(fit.bootstrap, {"replications": 20}, same("seed", "kind", "threads")),
        "functional": Door(
            fit.functional, {"f": lambda x: x}, {"f": ("f:", "functional", "f("), "names": ("names", "functional")}
        ),
        "distance_test": Door(
            fit.distance_test, {"restriction": "loc = 27"}, {"restriction": ("restriction",), "robust": ("robust",)}
        ),
        "score_test": Door(fit.score_test, {"restriction": "loc = 27"}, {"restriction": ("restriction",)}),
        "t_test": Door(fit.t_test, {"r_matrix": "loc = 27"}, {"r_matrix": ("r_matrix", "restriction")}),
        "wald_test": Door(fit.wald_test, {"r_matrix": "loc = 27"}, {"r_matrix": ("r_matrix", "restriction")}),
        "compare_distance_test": Door(fit.compare_distance_test, {"restricted": fit}, same("restricted")),
        "contamination_test": Door(fit.contamination_test, {}, same("points")),
        "with_cov": Door(fit.with_cov, {}, same("cov_type")),
        "HAC": Door(fit.with_cov, {"cov_type": "HAC", "maxlags": 2}, same("maxlags")),
        "cluster": Door(fit.with_cov, {"cov_type": "cluster", "groups": np.arange(len(NEWCOMB)) % 11}, same("groups")),
        "save": Door(fit.save, {"path": "fit.npz"}, same("path")),
        "sample": Door(fit.sample, {"size": 3}, same("seed")),
        "influence.at": Door(fit.influence().at, points, same("points", "functional", "under")),
        "bias_curve": Door(
            fit.influence().bias_curve, {**points, "eps": [0.1]}, same("points", "eps", "kind", "spread", "estimator")
        ),
        "gross_error_sensitivity": Door(
            fit.influence().gross_error_sensitivity, {"points": [20.0, 30.0]}, same("standardised", "points")
        ),
        "sensitivity_curve": Door(fit.influence().sensitivity_curve, points, same("points")),
        "decisive": Door(fit.influence().decisive, {"name": "loc"}, same("name", "change", "null", "alpha")),
        "leave_one_out": Door(fit.influence().leave_one_out, {"method": "newton"}, same("method")),
    }
    for name in ("cdf", "pdf", "sf"):
        doors[name] = Door(getattr(fit, name), points, same("points"))
    for name in ("ppf", "quantile"):
        doors[name] = Door(getattr(fit, name), {"levels": [0.5]}, same("levels"))
    for name in ("log_ratio", "prob_real", "outlier_scores"):
        doors[name] = Door(getattr(fit, name), {}, {"x": ("x:", "x is", "data", "points")})
    batch = hg.fit_batch(model, [NEWCOMB, NEWCOMB])
    doors["BatchResults.conf_int"] = Door(batch.conf_int, {}, same("alpha"))
    doors["BatchResults.summary"] = Door(batch.summary, {}, same("truth", "alpha"))
    return doors


def of_regressions():
    fit = hg.GAN.from_formula("y ~ x + kind", PLANTS).fit()
    new = PLANTS[:3]
    return {
        "from_formula": Door(
            hg.GAN.from_formula,
            {"formula": "y ~ x", "data": PLANTS},
            same("formula", "data", "generator", "weights", "missing", "loss"),
        ),
        "predict": Door(fit.predict, {"exog": new}, {"exog": ("exog", "new", "data", "predict")}),
        "get_prediction": Door(
            fit.get_prediction, {"exog": new}, {"exog": ("exog", "new", "data", "predict", "get_prediction")}
        ),
        "t_test_pairwise": Door(
            fit.t_test_pairwise,
            {"term_name": "kind"},
            {"term_name": ("term",), "method": ("method",), "alpha": ("alpha",)},
        ),
    }


def of_divergences():
    law = stats.norm()
    laws = {"loss": "root", "p": law, "q": stats.norm(1.0)}
    gaussian = {"loss": "hellinger", "loc0": 0.0, "scale0": 1.0, "loc1": 1.0, "scale1": 1.0}
    return {
        "divergence": Door(divergences.divergence, laws, same("loss", "p", "q")),
        "gaussian_divergence": Door(divergences.gaussian_divergence, gaussian, same(*gaussian)),
        "divergence_function": Door(divergences.divergence_function, {"loss": "root"}, same("loss")),
        "density": Door(divergences.density, {"law": law}, same("law", "support", "points")),
        "mixture": Door(divergences.mixture, {"weights": [0.5, 0.5], "parts": [law, law]}, same("weights", "parts")),
        "population_fit": Door(
            divergences.population_fit,
            {"loss": "root", "law": law, "family": NORMAL},
            same("loss", "law", "family", "start"),
        ),
    }


@pytest.mark.parametrize("kind", [of_fits, of_regressions, of_divergences])
def test_bad_arguments(kind, tmp_path, monkeypatch, unchecked):
    monkeypatch.chdir(tmp_path)
    there = kind()
    names = [(name, argument) for name, door in there.items() for argument in door.tried]

    @many(5_000 // 3, 80)
    @given(st.sampled_from(names), VALUES)
    def tried(name, value):
        door = there[name[0]]
        said = complaint(door, name[1], value)
        assert said is None, f"{name[0]}: {said}"

    tried()
