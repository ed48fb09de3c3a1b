"""Arguments of another kind: one sentence that names the argument, and no error of another library."""

import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hellgan as hg

PACKAGE = Path(hg.__file__).parent
X = hg.datasets.load_newcomb()
NORMAL = hg.generators.Normal()


@pytest.fixture(scope="module")
def fit():
    return hg.GAN(X, NORMAL).fit()


DOORS: dict[str, Any] = {
    "weights:": lambda fit: hg.GAN(X, NORMAL, weights=10**400),
    "weights: not": lambda fit: hg.GAN(X, NORMAL, weights=["a"] * 66),
    "data:": lambda fit: hg.GAN([10**400] * 66, NORMAL),
    "fix: loc": lambda fit: NORMAL.fix(loc=10**400),
    "start: loc": lambda fit: fit.model.fit(start={"loc": 10**400}),
    "generator:": lambda fit: hg.generators.make(3),  # pyright: ignore[reportArgumentType]
    "widths:": lambda fit: hg.discriminators.MLP(2.5),  # pyright: ignore[reportArgumentType]
    "widths: got 'ab'": lambda fit: hg.discriminators.MLP("ab"),  # pyright: ignore[reportArgumentType]
    "loss: its name": lambda fit: hg.GAN(X, NORMAL, loss=hg.Loss(lambda v: -(np.e ** (-v)), name=3)),  # pyright: ignore[reportArgumentType]
    "n_simulated:": lambda fit: hg.GAN(X, NORMAL, n_simulated=2**50),
    "n_simulated: got 1": lambda fit: hg.GAN(X, NORMAL, latent="iid", n_simulated=10**12),
    "cov_kwds:": lambda fit: fit.model.fit(cov_kwds=["maxlags"]),
    "groups:": lambda fit: fit.with_cov("cluster", groups=3.0),
    "cols:": lambda fit: fit.conf_int(cols=1.5),
    "size:": lambda fit: fit.sample(2**63),
    "size: got 0": lambda fit: fit.sample(0),
    "datasets:": lambda fit: hg.fit_batch(fit.model, 3.0),
    "seeds:": lambda fit: hg.fit_batch(fit.model, np.tile(X, (2, 1)), seeds=3.5),
    "names:": lambda fit: fit.functional(lambda t: t, names=3.5),
    "functional:": lambda fit: fit.influence().at([1.0], functional="mean"),
    "spread:": lambda fit: fit.influence().bias_curve([40.0], [0.1], kind="cluster", spread="wide"),
    "spread: got -1": lambda fit: fit.influence().bias_curve([40.0], [0.1], kind="cluster", spread=-1),
    "bound:": lambda fit: fit.influence().breakdown(bound="a", points=[40.0]),
    "largest:": lambda fit: fit.influence().breakdown(largest="a", points=[40.0]),
    "resolution:": lambda fit: fit.influence().breakdown(resolution=[0.1, 0.2], points=[40.0]),
    "null:": lambda fit: fit.influence().decisive("loc", null=[29.0]),
    "eps:": lambda fit: fit.influence().max_bias([], points=[40.0]),
}


@pytest.mark.parametrize(("said", "call"), DOORS.items(), ids=DOORS)
def test_bad_arguments_are_named(fit, said, call):
    with pytest.raises((ValueError, TypeError)) as caught:
        call(fit)
    message = str(caught.value)
    assert message.startswith(said)
    assert "\n" not in message
    assert len(message) < 300
    assert Path(traceback.extract_tb(caught.tb)[-1].filename).is_relative_to(PACKAGE)


LINE = hg.GAN.from_formula("calls ~ year", hg.datasets.load_telephone())

UNKNOWN: dict[str, Any] = {
    "from_formula": lambda fit: hg.GAN.from_formula("calls ~ year", hg.datasets.load_telephone(), wrong=1),
    "fit": lambda fit: fit.model.fit(wrong=1),
    "with_cov": lambda fit: fit.with_cov("sandwich", wrong=1),
    "with_cov of a bootstrap": lambda fit: fit.with_cov("bootstrap", wrong=1),
    "predict": lambda fit: LINE.fit().predict(**{"wrong": 1}),  # pyright: ignore[reportArgumentType]
    "summary": lambda fit: fit.summary(wrong=1),
    "fix": lambda fit: NORMAL.fix(wrong=1),
    "make": lambda fit: hg.generators.make("normal", wrong=1),
    "discriminators.make": lambda fit: hg.discriminators.make("Sigmoids", wrong=1),
    "truth": lambda fit: hg.truth(NORMAL, loc=0.0, scale=1.0, wrong=1),
}


@pytest.mark.parametrize("call", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_names_are_not_swallowed(fit, call):
    with pytest.raises((ValueError, TypeError), match="wrong"):
        call(fit)
