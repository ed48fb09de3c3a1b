"""What a formula is refused for, and where its variables come from."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hellgan as hg

N = 40
RNG = np.random.default_rng(3)
FRAME: Any = pd.DataFrame({"x": RNG.normal(size=N), "y": RNG.normal(size=N)}, [f"r{k}" for k in range(N)])
FRAME["g"] = pd.Categorical(list("abcc") * (N // 4), categories=list("abcd"))
FRAME["day"] = pd.date_range("2020-01-01", periods=N)
FRAME["text"] = "p"


def refusal(call):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert not any(mark in message for mark in (". ", "! "))
    return message


def design(formula, data=FRAME, **options):
    return hg.GAN.from_formula(formula, data, **options)


REASONS = {
    "too few knots": (lambda: design("y ~ bs(x, df=1)"), "`df` must be greater than 3"),
    "a function that fails": (lambda: design("y ~ np.log(text)"), "loop of ufunc does not support"),
    "a division": (lambda: design("y ~ I(x / 0)"), "is NaN or infinite|are NaN or infinite"),
    "an unknown function": (lambda: design("y ~ nothing(x)"), "name 'nothing' is not defined"),
    "dates": (lambda: design("y ~ day"), "day holds dates or spans of time, which"),
    "dates as responses": (lambda: design("day ~ x"), "day holds dates"),
    "spans of time": (lambda: design("y ~ day", FRAME.assign(day=FRAME.day - FRAME.day.min())), "day holds dates"),
    "a column twice": (lambda: design("y ~ x", pd.concat([FRAME, FRAME[["x"]]], axis=1)), "two columns of the same"),
    "an unused level": (lambda: design("y ~ g"), "level 'd' of g has no observation and"),
    "an unused reference": (lambda: design("y ~ C(g)", FRAME[FRAME.g != "a"]), "level 'a' of C.g. has no obs"),
    "a level whose rows are missing": (
        lambda: design("y ~ g + x", FRAME.assign(x=FRAME.x.where(FRAME.g != "b"))),
        "level 'b' of g has no observation and",
    ),
    "a level without weight": (
        lambda: design("y ~ C(h)", FRAME.assign(h=[1, 2] * (N // 2)), weights=[1, 0] * (N // 2)),
        "level 2 of C.h. has no observation of positive weight",
    ),
    "a Series of other rows": (lambda: surrounded(FRAME.x.set_axis(range(N))), "z: its index has no label 'r0'"),
}  # fmt: skip


def surrounded(z):
    assert len(z) == N
    return hg.GAN.from_formula("y ~ z", FRAME)


@pytest.mark.parametrize(("call", "said"), REASONS.values(), ids=REASONS)
def test_the_reason_is_passed_on(call, said):
    assert re.search(said, refusal(call))


def test_levels_that_a_formula_does_not_use_as_such_may_be_unused():
    assert design("y ~ I(g == 'a') + x").nobs == N
    used = FRAME.assign(g=FRAME.g.cat.remove_unused_categories())
    assert "g[T.c]" in design("y ~ g", used).generator.names


def test_variables_of_the_caller_are_matched_by_label():
    """An array in order, a Series by its index; predictions then need them as columns."""
    z = FRAME.x.rename("z").sample(frac=1.0, random_state=1)
    model = hg.GAN.from_formula("y ~ z", FRAME)
    np.testing.assert_array_equal(model.x[:, 0], FRAME.x)
    z = FRAME.x.to_numpy()
    model = hg.GAN.from_formula("y ~ z", FRAME)
    np.testing.assert_array_equal(model.x[:, 0], FRAME.x)
    message = refusal(lambda: model.new_covariates(FRAME))
    assert message.startswith("exog: there is no column z, which the formula needs")
    np.testing.assert_array_equal(model.new_covariates({"z": [1.0, 2.0]})[:, 0], [1, 2])
    np.testing.assert_array_equal(model.new_covariates({"z": 3.0})[:, 0], [3])
    assert len(z) == N


def test_predictions_do_not_look_around():
    x = np.ones(3)  # of the caller, and as long as the new data
    model = design("y ~ x")
    message = refusal(lambda: model.new_covariates(pd.DataFrame({"xx": x})))
    assert message.startswith("exog: there is no column x, which the formula needs beside x")
    twice = pd.concat([FRAME[["x"]], FRAME[["x"]]], axis=1)
    assert "two columns of the same name 'x'" in refusal(lambda: model.new_covariates(twice))
    knots = [-0.5, 0.5]
    curved = hg.GAN.from_formula("y ~ bs(x, knots=knots, degree=1)", FRAME)
    assert "beyond upper and/or lower bounds" in refusal(lambda: curved.new_covariates({"x": [0.0, 9.0]}))
    assert len(knots) == 2


def test_predict_takes_no_argument_that_it_does_not_know():
    fit = design("y ~ x").fit()
    with pytest.raises(TypeError, match="level"):
        fit.predict(FRAME, level=0.95)  # pyright: ignore[reportCallIssue]
    pd.testing.assert_index_equal(pd.Series(fit.predict(FRAME)).index, FRAME.index)
