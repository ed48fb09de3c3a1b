"""Parameter spaces: round trips, hand-worked values, derivatives, and what is refused."""

import math
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerance import EXACT

import hellgan as hg
from hellgan import constraints

SPACES = {
    "real": hg.real(),
    "real matrix": hg.real(shape=(2, 3)),
    "positive": hg.positive(),
    "positive vector": hg.positive(shape=3),
    "interval": hg.interval(-2, 5),
    "interval vector": hg.interval(0.25, 0.75, shape=(2,)),
    "simplex": hg.simplex(4),
    "above": constraints.above(-0.5, shape=(2,)),
    "ordered": constraints.ordered(4),
    "correlation": constraints.correlation(4),
}
EACH = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)

_to_natural = jax.jit(lambda space, free: space.to_natural(free))
_slope = jax.jit(lambda space, free: jax.jacfwd(space.to_natural)(free))


def to_natural(space, free):
    with jax.enable_x64(True):
        return np.asarray(_to_natural(space, jnp.asarray(free, jnp.float64)))


def numbers(size, bound):
    return st.lists(st.floats(-bound, bound), min_size=size, max_size=size).map(np.array)


@EACH
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_free_natural_free(space, data):
    free = data.draw(numbers(space.size, 3))
    natural = to_natural(space, free)
    assert natural.shape == space.shape
    assert space.problem(natural) is None
    # inverting the Cholesky factor of four correlations amplifies rounding up to a thousandfold
    tolerance = 1e-11 if space.kind == "correlation" else EXACT
    np.testing.assert_allclose(space.to_free(natural), free, rtol=0, atol=tolerance)


@EACH
def test_sizes(space):
    assert space.natural_size == math.prod(space.shape)
    assert space.size == space.natural_size - (space.kind == "simplex")
    assert space.to_free(to_natural(space, np.zeros(space.size))).shape == (space.size,)


def test_hand_worked_values():
    def check(space, free, natural):
        np.testing.assert_allclose(to_natural(space, free), natural, rtol=EXACT)
        np.testing.assert_allclose(space.to_free(natural), free, rtol=0, atol=EXACT)

    check(hg.real(), [-1.25], -1.25)
    check(hg.real(shape=(2, 2)), [1.0, 2.0, 3.0, 4.0], [[1.0, 2.0], [3.0, 4.0]])
    check(hg.positive(), [np.log(3)], 3.0)
    check(hg.interval(-2, 5), [0.0], 1.5)
    check(hg.interval(-2, 5), [np.log(3)], -2 + 7 * 0.75)
    check(constraints.above(-0.5), [np.log(2.0)], 1.5)
    check(constraints.ordered(3), [-1.0, np.log(2.0), np.log(3.0)], [-1.0, 1.0, 4.0])
    check(hg.simplex(3), np.log([2.0, 3.0]), [2 / 6, 3 / 6, 1 / 6])
    # rows of the Cholesky factor: (1), (3/4, 1) * 4/5 = (.6, .8), (1, 2, 1) / sqrt 6
    check(constraints.correlation(2), [0.75], [0.6])
    check(constraints.correlation(3), [0.75, 1.0, 2.0], [0.6, 1 / np.sqrt(6), 2.2 / np.sqrt(6)])


@EACH
def test_derivative_of_to_natural(space):
    free = np.linspace(-0.8, 1.1, space.size)
    with jax.enable_x64(True):
        slope = np.asarray(_slope(space, jnp.asarray(free)))
    h = 1e-6
    for k, step in enumerate(h * np.eye(space.size)):
        central = (to_natural(space, free + step) - to_natural(space, free - step)) / (2 * h)
        # a central difference errs by h^2 and by rounding / h
        np.testing.assert_allclose(slope[..., k], central, rtol=0, atol=1e-9)


@EACH
def test_link_is_elementwise_and_differentiable(space):
    natural = to_natural(space, np.linspace(-0.8, 1.1, space.size))
    linked = space.link(natural)
    np.testing.assert_allclose(space.unlink(linked), natural, rtol=EXACT)
    with jax.enable_x64(True):
        jax_unlinked = space.unlink(jnp.asarray(linked))
    assert isinstance(jax_unlinked, jax.Array)
    np.testing.assert_allclose(np.asarray(jax_unlinked), natural, rtol=EXACT)
    h = 1e-6
    central = (space.link(natural + h) - space.link(natural - h)) / (2 * h)
    # relative error h^2 / natural^2, of numbers above .1
    np.testing.assert_allclose(space.link_slope(natural), central, rtol=1e-9)
    if space.kind in ("real", "positive", "interval"):
        np.testing.assert_allclose(linked.reshape(-1), space.to_free(natural), rtol=EXACT)


def test_link_by_hand():
    # d/dx log x = 1/x; with bounds -2 and 5, d/dx log((x + 2) / (5 - x)) at 3 is 1/5 + 1/2
    assert hg.positive().link(2.0) == np.log(2)
    assert hg.positive().link_slope(2.0) == 0.5
    assert hg.interval(-2, 5).link(3.0) == pytest.approx(np.log(2.5), rel=EXACT)
    assert hg.interval(-2, 5).link_slope(3.0) == pytest.approx(0.7, rel=EXACT)
    assert hg.real().link(-7.5) == -7.5
    assert hg.real().link_slope(-7.5) == 1.0


def test_an_endless_interval_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hg.positive().unlink(np.array([1e4])) == np.inf


@pytest.mark.parametrize("name", ["positive", "above", "interval", "simplex", "correlation"])
def test_unlink_never_leaves_the_space(name):
    space = SPACES[name]
    ends = space.unlink(np.array([-700.0, -30.0, 30.0, 700.0]))
    assert np.all(np.isfinite(ends))
    assert np.all((ends >= space.lower) & (ends <= space.upper))
    assert np.all(np.diff(ends) >= 0)


@pytest.mark.parametrize("d", [2, 3, 5])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_correlations_are_positive_definite(d, data):
    space = constraints.correlation(d)
    free = data.draw(numbers(space.size, 5))
    matrix = constraints.correlation_matrix(to_natural(space, free))
    assert matrix.shape == (d, d)
    np.testing.assert_array_equal(np.diag(matrix), 1.0)
    np.testing.assert_array_equal(matrix, matrix.T)
    # the determinant is the product of 1 / (1 + |y_i|^2)
    rows = np.zeros((d, d))
    rows[np.tril_indices(d, -1)] = free
    determinant = np.prod(1 / (1 + np.sum(rows**2, axis=1)))
    assert np.linalg.det(matrix) == pytest.approx(determinant, abs=EXACT)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_the_cholesky_factor_is_that_of_the_correlations():
    free = np.array([0.3, -1.2, 2.0, 0.1, 0.7, -0.4])
    with jax.enable_x64(True):
        factor = np.asarray(constraints.correlation_cholesky(jnp.asarray(free), 4))
    matrix = constraints.correlation_matrix(to_natural(constraints.correlation(4), free))
    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), rtol=0, atol=EXACT)


def test_correlation_matrix_is_filled_row_by_row():
    expected = [[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]]
    np.testing.assert_array_equal(constraints.correlation_matrix([0.1, 0.2, 0.3]), expected)


@pytest.mark.parametrize("d", range(2, 13))
def test_dimension_of_a_correlation_matrix(d):
    assert constraints.correlation_dim(d * (d - 1) // 2) == d
    assert constraints.correlation(d).dim == d


def test_element_names():
    assert hg.real().element_names("loc") == ["loc"]
    assert hg.positive(shape=(3,)).element_names("scale") == ["scale_1", "scale_2", "scale_3"]
    assert hg.real(shape=(2, 2)).element_names("b") == ["b_1_1", "b_1_2", "b_2_1", "b_2_2"]
    assert hg.simplex(3).element_names("w") == ["w_1", "w_2", "w_3"]
    assert constraints.correlation(3).element_names("corr") == ["corr_12", "corr_13", "corr_23"]
    # corr_112 would be two pairs
    names = constraints.correlation(12).element_names("corr")
    assert names[:3] == ["corr_1_2", "corr_1_3", "corr_2_3"]
    assert len(set(names)) == 66


def test_free_names():
    assert hg.real().free_names("loc") == ["loc"]
    assert hg.positive(shape=2).free_names("scale") == ["log scale_1", "log scale_2"]
    assert hg.interval(0, 1).free_names("rho") == ["logit rho"]
    assert hg.simplex(3).free_names("w") == ["log ratio w_1", "log ratio w_2"]
    assert constraints.correlation(2).free_names("corr") == ["free corr_12"]
    assert constraints.above(-0.5).free_names("k") == ["log(k + 0.5)"]
    assert constraints.above(2).free_names("df") == ["log(df - 2)"]
    assert constraints.ordered(3).free_names("loc") == ["loc_1", "log gap loc_2", "log gap loc_3"]


PROBLEMS = [
    (hg.real(), "text", "'text' is not numeric"),
    (hg.real(), "1.5", "'1.5' is not numeric"),
    (hg.real(), None, "is not finite"),
    (hg.real(), 1j, "not numeric"),
    (hg.real(), np.nan, "is not finite"),
    (hg.real(), -np.inf, "is not finite"),
    (hg.real(), [1.0], r"has shape \(1,\); the shape is \(\)"),
    (hg.real(shape=(2,)), [[1.0, 2.0]], r"has shape \(1, 2\); the shape is \(2,\)"),
    (hg.positive(), 0.0, r"0.0 is outside \(0, inf\)"),
    (hg.positive(shape=(2,)), [1.0, -2.0], r"\[1.0, -2.0\] is outside \(0, inf\)"),
    (hg.interval(-2, 5), -2.0, r"-2.0 is outside \(-2, 5\)"),
    (hg.interval(-2, 5), 5.0, r"5.0 is outside \(-2, 5\)"),
    (hg.simplex(3), [0.5, 0.3, 0.3], "sums to 1.1, not to 1"),
    (hg.simplex(3), [0.5, 0.5, 0.0], "is outside"),
    (constraints.correlation(3), [0.9, 0.9, -0.9], "is not a positive definite correlation matrix"),
    (constraints.correlation(2), [1.0], "is outside"),
    (constraints.above(-0.5), -0.5, r"-0.5 is outside \(-0.5, inf\)"),
    (constraints.ordered(3), [1.0, 2.0, 2.0], r"\[1.0, 2.0, 2.0\] is not increasing"),
]


@pytest.mark.parametrize(("space", "value", "words"), PROBLEMS)
def test_problems_in_words(space, value, words):
    assert re.search(words, space.problem(value))


@EACH
def test_no_problem_inside(space):
    assert space.problem(to_natural(space, np.full(space.size, 0.3)).tolist()) is None


BAD = [
    (lambda: hg.interval(1, 1), ValueError, "interval: got 1, 1; give two finite bounds"),
    (lambda: hg.interval(2, 1), ValueError, "interval"),
    (lambda: hg.interval(0, np.inf), ValueError, "interval"),
    (lambda: hg.interval(np.nan, 1), ValueError, "interval"),
    (lambda: hg.interval("a", 1), ValueError, "interval"),  # pyright: ignore[reportArgumentType]
    (lambda: constraints.above(np.inf), ValueError, "above: got inf; give a finite lower bound"),
    (lambda: constraints.ordered(1), ValueError, "ordered: k is 1; give an integer of at least 2"),
    (lambda: constraints.ordered(2, start=[1, 0]), ValueError, "start: .* is not increasing"),
    (lambda: hg.simplex(1), ValueError, "simplex: k is 1"),
    (lambda: hg.simplex(2.0), ValueError, "simplex: k is 2.0"),  # pyright: ignore[reportArgumentType]
    (lambda: hg.real(shape=(0,)), ValueError, "shape"),
    (lambda: hg.real(shape=-1), ValueError, "shape"),
    (lambda: hg.real(shape=2.0), ValueError, "shape"),  # pyright: ignore[reportArgumentType]
    (lambda: hg.real(shape="ab"), ValueError, "shape"),  # pyright: ignore[reportArgumentType]
    (lambda: hg.real(shape=True), ValueError, "shape"),
    (lambda: hg.real(start="a"), TypeError, "start: 'a' is not numeric"),
    (lambda: hg.real(start=[1, 2]), ValueError, r"start: 2 numbers for shape \(\)"),
    (lambda: hg.real(shape=(3,), start=[1, 2]), ValueError, "start"),
    (lambda: hg.real(start=np.nan), ValueError, "start: is not finite"),
    (lambda: hg.positive(start=0), ValueError, "start"),
    (lambda: hg.interval(0, 1, start=1), ValueError, "start"),
    (lambda: hg.simplex(3, start=[0.5, 0.5, 0.5]), ValueError, "start: sums to 1.5"),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("make", "kind", "words"), BAD)
def test_bad_arguments(make, kind, words):
    with pytest.raises(kind, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_start_is_kept_for_each_element():
    assert hg.real().start is None
    np.testing.assert_array_equal(hg.positive(start=2).start_elements, [2.0])
    np.testing.assert_array_equal(hg.positive(shape=(3,), start=2).start_elements, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(hg.real(shape=(2, 2), start=[[1, 2], [3, 4]]).start_elements, [1, 2, 3, 4])
    np.testing.assert_array_equal(hg.simplex(2, start=[0.25, 0.75]).start_elements, [0.25, 0.75])


def test_equal_spaces_are_one_to_jax():
    # hashable and static: a fresh one must not recompile anything
    for make in (hg.real, hg.positive, lambda: hg.simplex(3), lambda: hg.interval(0, 1, start=0.5)):
        assert make() == make()
        assert hash(make()) == hash(make())
        assert jax.tree.leaves(make()) == []
    assert hg.interval(0, 1) != hg.interval(0, 2)
    assert hg.interval(0, 1) == hg.interval(0.0, 1.0)
