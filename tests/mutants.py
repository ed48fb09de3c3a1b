"""Planted bugs: each must make a test fail. Run by hand: ``.venv/bin/python tests/mutants.py [NAME ...]``.

Every mutant is a textual edit of a copy of the package; the tests named beside it are run against the copy. One
that survives, or an edit whose text is no longer there, makes the script fail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mutant(NamedTuple):
    """An edit, and the tests that must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS = tuple(
    Mutant(*row)
    for row in (
        ("a higher saddle point elsewhere is taken", "elsewhere.py", "each.value < saddle.value - slack", "each.value > saddle.value + slack", "tests/solver/test_elsewhere.py"),
        ("single fits look nowhere else", "gan.py", "if start is None and describes_no_bulk(fit)", "if start and describes_no_bulk(fit)", "tests/solver/test_elsewhere.py -k the_same"),
        ("batches look nowhere else", "batch.py", "        if fit.is_no_bulk:\n", "        if fit.is_no_bulk and False:\n", "tests/solver/test_elsewhere.py -k larger"),
        ("Fréchet distance without its cross term's factor", "neural/metrics/frechet.py", "- 2 * np.sum(np.sqrt(", "- np.sum(np.sqrt(", "tests/neural/test_metrics.py -k frechet_by_hand"),
        ("pairs of one observation in the discrepancy", "neural/metrics/two_samples.py", "near[np.arange(len(rows)), rows] = 0.0", "near[np.arange(len(rows)), rows] = 1.0", "tests/neural/test_metrics.py -k mmd_by_hand"),
        ("ordered pairs of birthdays", "neural/metrics/neighbours.py", "return 2 * np.sum(counts[i]", "return np.sum(counts[i]", "tests/neural/test_metrics.py -k birthday_by_hand"),
        ("radii to one neighbour less", "neural/metrics/neighbours.py", "nearest(x, x, k + 1)[0][:, k]", "nearest(x, x, k + 1)[0][:, k - 1]", "tests/neural/test_metrics.py -k recall_by_hand"),
        ("a wrong classifier's errors stay", "neural/metrics/contaminated.py", "- rates[0]) / apart", "- 0 * rates[0])", "tests/neural/test_metrics.py -k errors_taken_out"),
        ("slopes of one half alone", "neural/metrics/two_samples.py", "of_a[0] + of_a[1], of_a[0], of_a[1]", "of_a[0], of_a[1], of_a[0]", "tests/neural/test_metrics.py -k deviations_over_samples"),
        ("the coder minimises, too", "neural/kernel_training.py", "given.penalty * error - value", "given.penalty * error + value", "tests/neural/test_kernel_training.py -k coder_maximises"),
        ("draws are not reconstructed", "neural/kernel_training.py", "x if is_warm_up else jnp.concatenate([x, g])", "x", "tests/neural/test_kernel_training.py -k draws_are_reconstructed"),
        ("a feature's products with the constant are lost", "objective/linear.py", "[jnp.sum(curved), side[None]]", "[jnp.sum(curved), 0 * side[None]]", "tests/objective/test_objective.py -k discriminator_problem"),
        ("kernels of one mass in a mixture", "neural/kernel_training.py", "return xp.zeros(self.bandwidths.shape[0], self.bandwidths.dtype)", "return -self.d * xp.log(self.bandwidths[:, 0])", "tests/neural/test_kernel_training.py -k equal_peaks"),
        ("IDX lengths in the other order", "datasets/idx.py", 'f">{axes}I"', 'f"<{axes}I"', "tests/test_images.py -k by_hand"),
        ("image files go unchecked", "datasets/images.py", "if wanted is not None and", "if wanted is None and", "tests/test_images.py -k published_ones"),
        ("dropped simulation term", "inference/sandwich.py", "np.linalg.solve(h, real + simulated)", "np.linalg.solve(h, real)", "tests/inference/test_inference.py -k sandwich_by_numpy"),
        ("missing second solve", "inference/sandwich.py", "np.linalg.solve(h, np.swapaxes(half, 1, 2)) / n[:, None, None]", "half / n[:, None, None]", "tests/inference/test_inference.py -k sandwich_by_numpy"),
        ("uncentred meat", "objective/evaluation.py", "(squares - mixed - mixed.T + total * jnp.outer(mean, mean))", "squares", "tests/inference/test_inference.py -k covariance_of_mean"),
        ("wrong constant in the fake term", "losses/functions.py", "return self.function(-v)", "return 1.01 * self.function(-v)", "tests/objective/test_objective.py -k by_hand"),
        ("wrong sign of the fake term", "objective/game.py", "return real + fake - penalised", "return real - fake - penalised", "tests/objective/test_objective.py -k by_hand"),
        ("root of expit(v), not expit(2v)", "losses/functions.py", "jnp.sqrt(1 / (1 + small**2))", "jnp.sqrt(1 / (1 + small))", "tests/objective/test_objective.py -k by_hand"),
        ("ridge on the intercept", "discriminators/placement.py", "np.concatenate([[0.0], np.full(", "np.concatenate([[1.0], np.full(", "tests/objective/test_objective.py -k ridge"),
        ("ridge missing in the Hessian", "objective/linear.py", "-jnp.diag(2 * ridge)", "jnp.zeros((ridge.size, ridge.size))", "tests/objective/test_objective.py -k ridge"),
        ("generator's curvature dropped", "objective/linear.py", "+ bent(pull)", "", "tests/objective/test_objective.py -k analytic_jacobian"),
        ("weights of the simulated sample ignored", "objective/linear.py", "return weights @ value, with_constant(", "return jnp.mean(value), with_constant(", "tests/objective/test_objective.py"),
        ("n/m upside down", "solver/equations.py", "return ScoreCovariance(n * real, n * simulated, n)", "return ScoreCovariance(n * real, simulated / n, n)", "tests/inference/test_inference.py -k sandwich_by_numpy"),
        ("certificate looks at H_tt", "solver/certificate.py", "h[:, :p, :p] + h[:, :p, p:] @ slope", "h[:, :p, :p] + 0 * h[:, :p, p:] @ slope", "tests/solver/test_solver.py -k Certificate"),
        ("test statistic scaled by n for iid", "objective/evaluation.py", "scale = n * m / (n + m)", "scale = n", "tests/inference/test_inference.py -k statistic_by_hand"),
        ("ridge in the test's value", "objective/game.py", "penalised * (game", "1.0 * (game", "tests/objective/test_objective.py -k ridge"),
        ("no ridge correction of the limit law", "balance.py", "(2 * self.ridge / size**2)", "(0 * self.ridge)", "tests/inference/test_inference.py -k limit_law"),
        ("delta method forgotten", "inference/sandwich.py", "covs = slopes @ covs @ np.swapaxes(slopes, 1, 2)", "covs = covs + 0", "tests/inference/test_inference.py -k delta"),
        ("interval on the natural scale", "constraints.py", "return np.log(natural - self.lower)", "return natural - self.lower", "tests/test_constraints.py"),
        ("knots not standardised", "discriminators/features.py", "t = (x - self.center[None]) / self.scale[None]\n        slopes = 0.5", "t = x - self.center[None]\n        slopes = 0.5", "tests/discriminators/test_discriminators.py"),
        ("Sobol shift forgotten", "latents.py", "shifts = rng.integers(0, 2**_BITS, size=(samples, 1, dim))", "shifts = np.zeros((samples, 1, dim), int)", "tests/inference/test_inference.py -k simulation_noise"),
        ("last rows forgotten in blocks", "objective/linear.py", "total = jax.tree.map(jnp.add, total, function(*(r[count * BLOCK :] for r in rows)))", "pass", "tests/objective/test_objective.py -k blocks"),
        ("unweighted motion of the features", "objective/linear.py", "over_rows(phi_x, weights[None, None] * x_theta)", "over_rows(phi_x, x_theta / weights.shape[0])", "tests/objective/test_objective.py -k analytic_jacobian"),
        ("what the exact iteration finds is forgotten", "solver/joint.py", "part[one] = own", "pass", "tests/solver/test_joint.py -k left_to_the_exact"),
        ("slopes of few draws pass", "solver/jumps.py", "slopes.unsure > _UNSURE", "slopes.unsure > 9", "tests/solver/test_jumps.py -k batches"),
        ("a stationary point passes in the compiled search", "solver/joint.py", "(tops < 0) & (leasts > 0)", "(tops < 0)", "tests/solver/test_joint.py -k left_to_the_exact"),
        ("a warm search climbs the log loss first", "solver/stepping.py", "~is_warm & (not game.loss.is_concave)", "(is_warm | ~is_warm) & (not game.loss.is_concave)", "tests/solver/test_joint.py -k few_steps"),
        ("a lane's solution is another's", "solver/joint.py", "found[lanes[lane]] = programs.take(solutions, lane)", "found[lanes[lane]] = programs.take(solutions, 0)", "tests/solver/test_joint.py -k lanes"),
        ("lanes are packed by the wrong order", "solver/joint.py", "lanes = np.where(np.arange(size) < len(left), lanes[at], -1)", "lanes = np.where(np.arange(size) < len(left), lanes[at][::-1], -1)", "tests/solver/test_joint.py -k lanes"),
        ("parts that overlap are not flagged", "batch.py", "            | overlap\n", "", "tests/inference/test_linked.py -k told"),
        ("errors doubled count as half the observations", "inference/linked.py", "w * (1 - w) / error**2", "w * (1 - w) / error", "tests/inference/test_linked.py -k known"),
        ("the discriminator does not follow", "solver/stepping.py", "best.rise + best.slope @ step", "best.rise", "tests/solver/test_joint.py -k few_steps"),
        ("crowds by the draws' number alone", "inference/background_test.py", "(n / (n + m))[:, None]", "(n / (2 * n + m))[:, None]", "tests/inference/test_background_test.py -k crowd_by_hand"),
        ("ends beside ties stay", "objective/background.py", "np.where(is_tied, ", "np.where(is_tied & (low > high), ", "tests/inference/test_background_test.py -k rounding_makes"),
        ("rows that are left out need a weight", "samples/frames.py", "missing if spare is None else missing & ~spare", "missing", "tests/samples/test_beside.py -k needs_no_weight"),
        ("two values pass", "samples/sample.py", "len(np.unique(rows))) <= parameters", "len(np.unique(rows))) <= 1", "tests/test_gan.py -k refuses_data"),
        ("text by the row and not the line", "samples/csv_files.py", "line, more = self.lines[wrong[0]]", "line, more = wrong[0] + 2", "tests/test_messy_csv.py -k refused"),
        ("programs kept although off", "execution/keeping.py", 'os.environ.get(VARIABLE) == "off" or', "False or", "tests/test_keeping.py -k second"),
        ("formulas without the file's weights", "cli.py", 'arguments["weights"] = options.weights', 'arguments["weights"] = None', "tests/test_messy_csv.py -k formula_and_weights"),
        ("a group is its first game alone", "solver/joint.py", "programs.take(games, filled), starts[filled]", "programs.take(games, filled[:1] * len(filled)), starts[filled]", "tests/test_batch.py -k fit_alone"),
        ("a batch starts all from one sample", "generators/location_scale.py", "start = self.start(samples, weights)", "start = self.start(samples[:1].repeat(len(samples), 0), weights)", "tests/test_batch.py -k start"),
        ("scrambles of the first few only", "objective/evaluation.py", "range(FIRST, len(scrambles), FIRST)", "range(FIRST, FIRST)", "tests/inference/test_inference.py -k simulation_noise"),
        ("generator objective of log_ns with the wrong sign", "losses/functions.py", "return -log_sigmoid(v)", "return log_sigmoid(v)", "tests/losses/test_losses.py"),
        ("kernels of the lags mixed up", "inference/covariances.py", '{"bartlett": sm.weights_bartlett, "uniform": sm.weights_uniform}', '{"uniform": sm.weights_bartlett, "bartlett": sm.weights_uniform}', "tests/inference/test_covariances.py -k hac_is_statsmodels"),
        ("intersection of clusters not taken off", "inference/covariances.py", "one_way(groups[1]) - one_way(both)", "one_way(groups[1])", "tests/inference/test_covariances.py -k clusters_are_statsmodels"),
        ("a chain of covariances goes on from the last", "inference/covariances.py", "_joint(fit).cov * n / (n - k)", "fit.sandwich.cov * n / (n - k)", "tests/inference/test_covariances.py -k chain"),
        ("intercept under the model with the wrong sign", "balance.py", "-(mean_features @ of_alpha)[None]", "(mean_features @ of_alpha)[None]", "tests/inference/test_covariances.py -k under_the_model_by_hand"),
        ("sup-t of all parameters whatever is chosen", "inference/wald.py", "self._cov[np.ix_(part, part)]", "self._cov", "tests/inference/test_covariances.py -k sup_t_intervals"),
        ("bootstrap forgets the sampling weights", "inference/bootstrap.py", "weights = counts * own", "weights = 1.0 * counts", "tests/inference/test_bootstrap.py -k cold_fit"),
        ("Sobol points of the bootstrap stay where they are", "latents.py", "^ rng.integers(0, 2**_BITS, size=dim)", "^ (0 * rng.integers(0, 2**_BITS, size=dim))", "tests/inference/test_bootstrap.py -k shifted_alike"),
        ("bias correction of BCa once, not twice", "inference/bootstrap.py", "special.ndtr(z0 + (z0 + z) /", "special.ndtr((z0 + z) /", "tests/inference/test_bootstrap.py -k bca"),
        ("a regression's simulations not resampled", "solver/resampling.py", "    if change.rngs is not None and not each:\n", '    if each:\n        fields["latent_weights"] = programs.repeated(game.z_weights, count)\n    if change.rngs is not None and not each:\n', "tests/inference/test_bootstrap.py -k regressions_refit"),
        ("jackknife without its simulation part", "influence/deletion.py", " + natural @ simulated @ natural.T", "", "tests/inference/test_bootstrap.py -k jackknife"),
        ("leave-one-out with the Jacobian of all", "inference/leverage.py", "without = fit.solution.jacobian + odds[rows, :, None] * (total - each)", "without = fit.solution.jacobian + 0 * (total - each)", "tests/inference/test_bootstrap.py -k newton_step"),
        ("influence not centred", "influence/functions.py", "(rows - weights @ rows).T", "rows.T", "tests/influence/test_influence.py -k identities"),
        ("influence at points centred by themselves", "influence/functions.py", "(rows - mean).T).T", "(rows - rows.mean(axis=0)).T).T", "tests/influence/test_influence.py -k differences_of_refits"),
        ("natural scale forgotten in influence", "influence/functions.py", "[rows[:, :p] @ natural.T, rows[:, p:]]", "[rows[:, :p], rows[:, p:]]", "tests/influence/test_influence.py -k natural_scale"),
        ("contamination takes no weight from the rest", "influence/contamination.py", "[(1 - share) * self.equations.sample.weights, share", "[1.0 * self.equations.sample.weights, share", "tests/influence/test_influence.py -k contaminated_sample"),
        ("all contamination at the first place", "influence/contamination.py", "rows = self.of.rows[chunk]", "rows = self.of.rows[:1].repeat(chunk.stop - chunk.start, 0)", "tests/influence/test_influence.py -k differences_of_refits"),
        ("squared suprema", "influence/functions.py", "sizes = np.linalg.norm(values[:, :p] @ root, axis=1)[:, None]", "sizes = np.sum((values[:, :p] @ root) ** 2, axis=1)[:, None]", "tests/influence/test_influence.py -k sensitivities_by_hand"),
        ("shares of the root are not followed in order", "influence/contamination.py", "natural[order] = np.array(path.natural)", "natural[:] = np.array(path.natural)", "tests/influence/test_influence.py -k order_of_points"),
        ("distance test without its factor", "solver/equations.py", "self.loss.chi2_factor * (n * m", "1.0 * (n * m", "tests/inference/test_hypotheses.py -k distance"),
        ("score test takes the derivative for the score", "inference/hypotheses.py", "at.slope @ cov @ at.slope.T, moved", "at.slope @ cov @ at.slope.T, 2 * moved", "tests/inference/test_hypotheses.py -k agree"),
        ("quantile's derivative dropped", "inference/functionals/estimates.py", "self.gradient @ theta_cov @ self.gradient.T", "0 * self.gradient @ theta_cov @ self.gradient.T", "tests/inference/test_functionals.py -k normal"),
        ("replicates share their numbers", "montecarlo/streams.py", "self.replicate, purpose", "0, purpose", "tests/montecarlo/test_study.py -k own_numbers"),
        ("cells share their numbers", "montecarlo/streams.py", "int(self.cell, 16)", "0", "tests/montecarlo/test_study.py -k own_numbers"),
        ("the first observations are replaced", "montecarlo/contaminations.py", "rng.permutation(n)[:count]", "np.arange(count)", "tests/montecarlo/test_contaminations.py -k random_places"),
        ("a binomial share is a fixed one", "montecarlo/contaminations.py", 'rng.binomial(n, self.eps) if getattr(self, "binomial", False) else ', "", "tests/montecarlo/test_contaminations.py -k binomial"),
        ("the first of a series has the innovations' law", "montecarlo/contaminations.py", "innovations[0] /= np.sqrt(1 - self.rho**2)", "pass", "tests/montecarlo/test_contaminations.py -k dependence"),
        ("gaps forget a long part", "montecarlo/store.py", "at = max(at, end)", "at = end", "tests/montecarlo/test_study.py -k gaps"),
        ("overlapping parts count twice", "montecarlo/store.py", "low, high = max(begin, at), min(end, replications)", "low, high = begin, min(end, replications)", "tests/montecarlo/test_study.py -k overlapping"),
        ("another method under the same name", "montecarlo/continuing.py", 'old["hash"] != method["hash"]', "False", "tests/montecarlo/test_study.py -k another_study"),
        ("another cell under the same labels", "montecarlo/continuing.py", "places.get(json.dumps(cell[\"labels\"]), key) != key", "False", "tests/montecarlo/test_study.py -k another_study"),
        ("groups are not filled", "montecarlo/methods.py", "-len(samples) % size", "0", "tests/montecarlo/test_study.py -k groups_are_filled"),
        ("errors are counted, not in a row", "montecarlo/running.py", "+ 1 if bad else 0", "+ bool(bad)", "tests/montecarlo/test_study.py -k now_and_then"),
        ("every thread's warnings", "montecarlo/estimates.py", "threading.local()", "__import__('types').SimpleNamespace()", "tests/montecarlo/test_study.py -k told_apart"),
        ("a design is unpickled for every task", "montecarlo/engine.py", "@functools.lru_cache(maxsize=4)", "@functools.lru_cache(maxsize=0)", "tests/montecarlo/test_engine.py -k main_module"),
        ("intervals of another level", "montecarlo/methods.py", "half, rows = normal_quantile(1 - setting.level), []", "half, rows = normal_quantile(0.1), []", "tests/montecarlo/test_study.py -k what_a_fit_is"),
        ("Sobol points of all seeds are one", "latents.py", "cells ^ shifts", "cells ^ 0 * shifts", "tests/test_latents.py -k seed_alone"),
        ("standard deviation over n", "montecarlo/formulas.py", "s = float(np.std(estimates, ddof=1))", "s = float(np.std(estimates))", "tests/montecarlo/test_performance.py -k by_hand"),
        ("error of a mean over n", "montecarlo/formulas.py", "np.std(draws, ddof=1)", "np.std(draws)", "tests/montecarlo/test_performance.py -k by_hand"),
        ("model error is the mean of the errors", "montecarlo/formulas.py", "m = np.sqrt(np.mean(squares))", "m = np.mean(std_errors)", "tests/montecarlo/test_performance.py -k by_hand"),
        ("jackknife without its factor", "montecarlo/formulas.py", "np.sqrt((n - 1) / n * np.sum(", "np.sqrt(np.sum(", "tests/montecarlo/test_performance.py -k jackknife"),
        ("Monte Carlo error as of unpaired methods", "montecarlo/formulas.py", "max(1 - r**2, 0.0)", "1", "tests/montecarlo/test_performance.py -k by_hand"),
        ("relative efficiency upside down", "montecarlo/formulas.py", "float(yy / xx)", "float(xx / yy)", "tests/montecarlo/test_performance.py -k by_hand"),
        ("deviation's error as of a symmetric law", "montecarlo/formulas.py", "square = error**2 - 2 *", "square = error**2 - 0 *", "tests/montecarlo/test_performance.py -k by_hand"),
        ("skew of the deviations with the wrong sign", "montecarlo/formulas.py", "error**2 - 2 * skew", "error**2 + 2 * skew", "tests/montecarlo/test_performance.py -k by_hand"),
        ("open intervals", "montecarlo/measures.py", "(self.lower <= value)", "(self.lower < value)", "tests/montecarlo/test_performance.py -k by_hand"),
        ("failures dropped from the coverage", "montecarlo/measures.py", "_of(total, lambda: formulas.proportion(hits, total))", "value", "tests/montecarlo/test_performance.py -k Failures"),
        ("a failure's interval counts", "montecarlo/measures.py", "hits = int(np.sum(how.function(used)))", "hits = int(np.sum(how.function(whole)))", "tests/montecarlo/test_performance.py -k Failures"),
        ("failures among the converged", "montecarlo/measures.py", "everything.at(has & succeeded)", "everything.at(has)", "tests/montecarlo/test_performance.py -k Failures"),
        ("failures dropped from the estimates", "montecarlo/measures.py", "_of(count, lambda: how.function(whole))", "value", "tests/montecarlo/test_performance.py -k Failures"),
        ("the reference's failures make pairs", "montecarlo/measures.py", "converged & reference.converged", "converged", "tests/montecarlo/test_performance.py -k Invariance"),
        ("coverage without a truth is none", "montecarlo/measures.py", "how.about and np.isnan(getattr(used, how.about))", "False", "tests/montecarlo/test_performance.py -k without_a_truth"),
        ("level ignored in planning", "montecarlo/planning.py", "pilot.level * (1 - pilot.level)", "0.95 * 0.05", "tests/montecarlo/test_performance.py -k ReplicationsFor"),
        ("failures are free", "montecarlo/planning.py", "_ceil(total * variance", "_ceil(row.n * variance", "tests/montecarlo/test_performance.py -k ReplicationsFor"),
        ("rounding costs a replication", "montecarlo/planning.py", "number * (1 - 1e-12)", "number", "tests/montecarlo/test_performance.py -k ReplicationsFor"),
        ("pairs by position", "montecarlo/grouping.py", "at = np.minimum(np.searchsorted(has, wanted), len(has) - 1)", "at = np.minimum(np.arange(len(wanted)), len(has) - 1)", "tests/montecarlo/test_performance.py -k Table"),
        ("pairs with a neighbour", "montecarlo/grouping.py", "there = has[at] == wanted", "there = has[at] >= 0", "tests/montecarlo/test_performance.py -k Table"),
        ("replicates in the frame's order", "montecarlo/grouping.py", "np.lexsort((replicate, code))", "np.argsort(code, kind='stable')", "tests/montecarlo/test_performance.py -k Table"),
        ("missing factor values are no group", "montecarlo/grouping.py", "dropna=False", "dropna=True", "tests/montecarlo/test_performance.py -k Table"),
        ("the reference of any cell", "montecarlo/grouping.py", '[key for key in self.keys if key != "method"]', '["parameter"]', "tests/montecarlo/test_performance.py -k Table"),
        ("zip plot ordered by the estimate", "plots/studies/intervals.py", "np.argsort(distance[usable]", "np.argsort(estimate[usable]", "tests/plots/test_study_plots.py -k zip_plot"),
        ("ellipses of one degree of freedom", "plots/studies/pairs.py", "special.chdtri(2, 1 - p)", "special.chdtri(1, 1 - p)", "tests/plots/test_study_plots.py -k ellipse"),
        ("cells of a nested loop as they come", "plots/studies/nested.py", "[order.index(value) for order, value in zip(orders, cell, strict=True)]", "list(map(str, cell[::-1]))", "tests/plots/test_study_plots.py -k nested"),
        ("bars of one Monte Carlo error", "plots/studies/measures.py", "yerr=Z * own_rows", "yerr=own_rows", "tests/plots/test_study_plots.py -k contamination"),
        ("lower band for the upper tail", "plots/studies/quantiles.py", "-low[::-1]", "-low", "tests/plots/test_study_plots.py -k band"),
        ("a doubtful saddle point is the last", "solver/saddle.py", "and leaves_doubt(game, best)", "and False", "tests/solver/test_starts.py -k leaves_doubt"),
        ("the first of several saddle points", "solver/saddle.py", "return False, False, saddle.value", "return False, False, 0.0", "tests/solver/test_starts.py -k leaves_doubt"),
        ("doubtful fits of a batch are left", "batch.py", "settled = not leaves_doubt(programs.take(games, k), saddle)", "pass", "tests/solver/test_starts.py -k leaves_doubt"),
        ("no starts in reserve", "solver/saddle.py", "yield from ranked(game, reserve())[:more]", "yield from ()", "tests/solver/test_starts.py -k reserve_is_tried"),
        ("data out of view not counted in the histogram", "plots/fits.py", "1 / len(x) / (edges", "1 / len(shown) / (edges", "tests/plots/test_study_plots.py -k outliers"),
        ("Huber's errors in the scale that proposal 2 gives", "montecarlo/comparators/huber.py", "np.diag(to_family @ cov @ to_family.T)", "np.diag(cov)", "tests/montecarlo/test_comparators.py -k TestHuber"),
        ("a fixed scale adds an error to the median", "montecarlo/comparators/medians.py", ' * (0 if "scale" in _fixed(family) else 1)', "", "tests/montecarlo/test_comparators.py -k fixed_scale"),
        ("vertical outliers half as spread", "montecarlo/contaminations.py", "self.loc + self.scale * rng", "self.loc + 0.5 * self.scale * rng", "tests/montecarlo/test_contaminations.py -k outliers_of_a_regression"),
        ("leverage points' response without scatter", "montecarlo/contaminations.py", "centre + self.scale * rng.standard_normal(replaced.shape)", "centre + self.scale * rng.standard_normal(replaced.shape) * (np.arange(replaced.shape[1]) < replaced.shape[1] - 1)", "tests/montecarlo/test_contaminations.py -k outliers_of_a_regression"),
        ("contamination by the data's own random numbers", "montecarlo/truths.py", "stream.rng(CONTAMINATION)", "stream.rng(DATA)", "tests/montecarlo/test_contaminations.py -k of_its_own"),
        ("intervals of functions of level .95 always", "montecarlo/methods.py", "half = normal_quantile(1 - setting.level)\n        own", "half = normal_quantile(0.05)\n        own", "tests/montecarlo/test_study.py -k studys_level"),
        ("intervals of fits of level .95 always", "montecarlo/methods.py", "returned.conf_int(alpha=1 - level)", "returned.conf_int(alpha=0.05)", "tests/montecarlo/test_study.py -k studys_level"),
        ("intervals of GANs of level .95 always", "montecarlo/methods.py", "half, rows = normal_quantile(1 - setting.level), []", "half, rows = normal_quantile(0.05), []", "tests/montecarlo/test_study.py -k studys_level"),
        ("intervals of comparators of level .95 always", "montecarlo/comparators/comparator.py", "float(ndtri((1 + level) / 2))", "float(ndtri(0.975))", "tests/montecarlo/test_study.py -k studys_level"),
        ("failures of a pilot are free where the level stands in", "montecarlo/results.py", 'self.level * (1 - self.level) / table["n_used"]', 'self.level * (1 - self.level) / table["replications"]', "tests/montecarlo/test_study.py -k without_an_error"),
        ("functions draw by the data's random numbers", "montecarlo/methods.py", '"rng": stream.rng(METHOD)', '"rng": stream.rng(0)', "tests/montecarlo/test_study.py -k of_their_own"),
        ("comparators draw by the data's random numbers", "montecarlo/methods.py", "rngs = [stream.rng(METHOD)", "rngs = [stream.rng(0)", "tests/montecarlo/test_study.py -k of_their_own"),
        ("acceleration of unweighted influence values", "inference/bootstrap.py", "rows = [weights[:, None] * (scores - weights @ scores)]", "rows = [(scores - weights @ scores) / len(scores)]", "tests/inference/test_bootstrap.py -k weighted_mean"),
        ("parametric samples placed and weighed equally", "solver/equations.py", "place_each(rows, self.sample.weights,", "place_each(rows, np.full(len(self.sample), 1 / len(self.sample)),", "tests/inference/test_bootstrap.py -k fits_of_simulated"),
        ("maximum likelihood's bias curve without weights", "influence/contamination.py", "of, own = foreign(fit, points, kind, spread), sample.weights", "of, own = foreign(fit, points, kind, spread), np.full(fit.nobs, 1 / fit.nobs)", "tests/influence/test_influence.py -k likelihood_with_weights"),
        ("empirical probabilities without weights", "results/figures.py", "weights @ below", "below.mean(axis=0)", "tests/influence/test_influence.py -k probability_plot_with_weights"),
        ("band of probabilities without weights", "results/figures.py", "rows *= weights[:, None]", "rows /= len(x)", "tests/influence/test_influence.py -k probability_plot_with_weights"),
        ("Dvoretzky's band without weights", "results/figures.py", "* np.sum(weights**2)", "/ len(weights)", "tests/influence/test_influence.py -k plot_of_two_dimensions"),
        ("covariates simulated without weights", "results/law.py", ", p=sample.weights)", ")", "tests/generators/test_regression.py -k by_weight"),
        ("Weibull quantiles on the whole line", "generators/positive.py", "return True\n\n    def draw(self, z, c, scale):", "return False\n\n    def draw(self, z, c, scale):", "tests/inference/test_functionals.py -k positive_families"),
        ("quantiles of a fixed family on the whole line", "generators/family.py", "return self.generator.is_positive", "return False", "tests/inference/test_functionals.py -k positive_families"),
        ("a regression's noise without its simulations", "objective/evaluation.py", "c_real, n * np.asarray(found.difference), n", "c_real, c_real, n", "tests/generators/test_regression.py -k noise_of_tied"),
        ("distance test of a regression by nm/(n + m)", "solver/equations.py", "(n * m / (n + m) if self.simulation.is_independent else n)", '(n * m / (n + m) if self.simulation.kind == "iid" else n)', "tests/inference/test_hypotheses.py -k counts_observations"),
        ("decisive few at five per cent whatever the level", "influence/deletion.py", "half, side = -special.ndtri(alpha / 2)", "half, side = -special.ndtri(0.025)", "tests/inference/test_bootstrap.py -k other_side_is_that_of_the_level"),
        ("the refit's interval of five per cent whatever the level", "influence/deletion.py", "again.conf_int(alpha).iloc[k]", "again.conf_int().iloc[k]", "tests/inference/test_bootstrap.py -k refits_interval_has_the_level"),
        ("the refit's covariance is the sandwich", "influence/deletion.py", "again = again.with_cov(fit.cov_type) if again.converged else again", "pass", "tests/inference/test_bootstrap.py -k refit_has_the_covariance"),
        ("influence of the intercept at the model with the wrong sign", "solver/told.py", "-(slopes @ mean)[:, None]", "(slopes @ mean)[:, None]", "tests/influence/test_influence.py -k closed_form_of_a_fit"),
        ("the model's influence with the data's covariance", "solver/told.py", 'of, mean = self.balance(u, "simulated")', 'of, mean = self.balance(u, "real")', "tests/influence/test_influence.py -k closed_form_of_a_fit"),
        ("information not over the loss's c", "solver/told.py", "/ (2 * self.loss.c)", "/ 2", "tests/influence/test_influence.py -k fishers"),
        ("natural scale forgotten in the local shift", "influence/functions.py", "np.linalg.norm(fit.law.natural_slope @ influence, axis=2)", "np.linalg.norm(influence, axis=2)", "tests/influence/test_influence.py -k local_shift"),
        ("weights of the frame not over the slope at 0", "solver/told.py", "compiled.slopes(self.loss, log_ratios) / self.loss.c", "compiled.slopes(self.loss, log_ratios)", "tests/influence/test_influence.py -k columns_of_the_frame"),
        ("squared influences in the frame", "influence/cases.py", 'np.sqrt(np.einsum("ni,ij,nj->n", theta, metric, theta))', 'np.einsum("ni,ij,nj->n", theta, metric, theta)', "tests/influence/test_influence.py -k columns_of_the_frame"),
        ("a one-sided band of the distribution functions", "results/figures.py", "np.log(2 / alpha)", "np.log(1 / alpha)", "tests/influence/test_influence.py -k dvoretzky"),
        ("degenerate directions relative to n for iid latents", "results/discriminator.py", "of.noise @ regular / of.scale", "of.noise @ regular / fit.nobs", "tests/inference/test_covariances.py -k degenerate_directions_by_hand"),
        ("degenerate directions without the ridge", "results/discriminator.py", "c * of.covariance + 2 * np.diag(of.ridge)", "c * of.covariance", "tests/inference/test_covariances.py -k degenerate_directions_by_hand"),
        ("wide clusters", "influence/contamination.py", "0.1 if kind", "1.0 if kind", "tests/influence/test_influence.py -k default_widths"),
        ("narrow spreads", "influence/contamination.py", "else 10.0)", "else 5.0)", "tests/influence/test_influence.py -k default_widths"),
        ("covariates are spread, too", "influence/contamination.py", "(np.arange(sample.d) >= sample.covariates)", "np.ones(sample.d)", "tests/influence/test_influence.py -k only_responses"),
        ("no lines towards observations", "samples/bulk.py", "_GROUP = 48, 0.03", "_GROUP = 48, 2.0", "tests/samples/test_bulk.py -k quarter"),
        ("moments that do not redescend along lines", "discriminators/moments.py", " * jnp.prod(_fall(along**2, self.falls_along**2))", "", "tests/discriminators/test_moments.py -k redescend"),
        ("a lattice is not asked for", "samples/ties.py", "return step if on_lattice and high - low < _WIDE * step else 0.0", "return step", "tests/samples/test_ties.py -k not_rounded"),
        ("features narrower than a step", "discriminators/placement.py", "np.asarray(robust_scale(t, weights)), step)", "np.asarray(robust_scale(t, weights)), 0 * step)", "tests/samples/test_ties.py -k at_least_a_step"),
        ("any score is solved", "solver/certificate.py", "_SOLVED, _AT_KINKS = 1e-4,", "_SOLVED, _AT_KINKS = 1e-1,", "tests/solver/test_units.py -k solved"),
        ("units make real parameters inert", "inference/identification.py", "(space.unitless & (size < 1e-12)", "((size < 1e-12)", "tests/solver/test_units.py -k unit"),
        ("correlations are covariances", "inference/functionals/scatter.py", "cov = cov / jnp.outer(scale, scale)", "cov = cov", "tests/inference/test_functionals.py -k correlation"),
        ("a batch's covariances at each other's solutions", "solver/equations.py", "getattr(saddles[k], name) for k in filled]", "getattr(saddles[k], name) for k in filled[::-1]]", "tests/test_batch.py -k fit_alone"),
        ("the size of one refit's sample for all", "inference/sandwich.py", "n = np.array([c.n for c in covariances])", "n = np.array([covariances[0].n for c in covariances])", "tests/inference/test_bootstrap.py -k studentised_weighted_mean"),
        ("a fit after one that failed has another's law", "inference/sandwich.py", "usable, sandwiches([solutions", "range(len(usable)), sandwiches([solutions", "tests/test_batch.py -k leaves_the_others_alone"),
        ("the natural slopes of the first of a batch for all", "parameters.py", "jax.jacfwd(space.natural_vector)(t)))(thetas)", "jax.jacfwd(space.natural_vector)(thetas[0])))(thetas)", "tests/test_batch.py -k fit_alone"),
        ("a group is done but for its last fit", "execution/programs.py", "lax.fori_loop(0, jnp.asarray(count), put", "lax.fori_loop(0, jnp.asarray(count) - 1, put", "tests/test_batch.py -k filled"),
        ("arrays of a program out of order", "execution/programs.py", "begins[place] = end", "begins[place] = begin", "tests/test_batch.py -k programs_give"),
        ("filled-up fits are looked at", "objective/evaluation.py", "rows = [programs.take(found, k) for k in range(wanted)]", "rows = [programs.take(found, -1 - k) for k in range(wanted)]", "tests/test_batch.py -k groups_change"),
        ("tails are not compressed", "kernels/compression.py", "if not np.shape(compression)[-1]:", "if True:", "tests/kernel"),
        ("compression by robust scales of the wrong size", "kernels/compression.py", "_UNIT * robust_scale", "robust_scale", "tests/kernel"),
        ("the data's frame is trained", "neural/players.py", "leaf if held is None else None, skeleton", "leaf, skeleton", "tests/neural/test_networks.py -k location_and_scale"),
        ("one seed for all networks", "neural/players.py", "members) for seed in seeds])", "members) for seed in seeds[:1] * len(seeds)])", "tests/neural/test_networks.py"),
        ("last rows forgotten by programs of blocks", "execution/programs.py", "-(-count // size) * size", "max(count // size, 1) * size", "tests/test_batch.py -k rows_in_blocks"),
        ("simulations of a regression weigh as other observations", "objective/game.py", "repeat(self.x_weights, self.draws_each, axis=-1)", "np.tile(self.x_weights, self.draws_each)", "tests/generators/test_regression.py -k ties_simulations"),
        ("padding counts as the last observation does", "objective/assembly.py", "np.pad(weights, (0, size - n))", 'np.pad(weights, (0, size - n), mode="edge")', "tests/results/test_results.py -k objective_by_hand"),
        ("repeated rows of a regression with others' simulations", "solver/resampling.py", "(rows[:, :, None] * each + np.arange(each))", "(0 * rows[:, :, None] + np.arange(len(game.x_weights))[:, None] * each + np.arange(each))", "tests/inference/test_bootstrap.py -k studentised_refits"),
        ("influence of a regression by a single response", "solver/equations.py", "z=of.draw(self.sample.rows[None], [self.seed])[0])", "z=of.draw(self.sample.rows[None], [self.seed])[0][:1])", "tests/influence/test_influence.py -k regression_influence"),
        ("the noise of Sobol points over their number", "solver/smooth.py", "simulated = np.cov(means, rowvar=False).reshape(size, size)", "simulated = np.cov(means, rowvar=False).reshape(size, size) / len(means)", "tests/results/test_third_estimator.py -k other_sobol_points"),
        ("independent draws of any estimator cost its distance nothing", "solver/smooth.py", "return 2 * n * self.simulation.size / (n + self.simulation.size)", "return 2 * n", "tests/results/test_third_estimator.py -k distance_test_by_hand"),
        ("whole Newton steps, however bad", "solver/roots.py", "trial = u + step * 0.5**halvings", "trial = u + step", "tests/results/test_third_estimator.py -k far_starts"),
        ("what is no root passes for one", "solver/roots.py", "elif norm > 10 * TOLERANCE:", "elif norm > 1e10 * TOLERANCE:", "tests/results/test_third_estimator.py -k no_root"),
        ("identified where the largest eigenvalue is not 0", "inference/identification.py", "np.linalg.eigvalsh(scaled)[:, 0]", "np.linalg.eigvalsh(scaled)[:, -1]", "tests/inference/test_inference.py -k unidentified"),
        ("huge weights overflow", "samples/sample.py", "relative = self.given_weights / self.given_weights.max()", "relative = self.given_weights", "tests/test_gan.py -k only_ratios"),
        ("the joint law's cross part on the unconstrained scale", "results/joint.py", "np.block([[self.law.natural_slope, ", "np.block([[np.eye(r, p), ", "tests/results/test_results.py -k joint_covariance_by_hand"),
        ("arrays of format 2 keep their names", "results/storage.py", 'arrays.rename("saddle.", "solution.")', "pass", "tests/results/test_results.py -k first_version"),
        ("own objective entered with the pull of fake", "solver/stepping.py", "along = -best.score / (game.loss.generator_pull * (1 + damping))", "along = -best.score / (20 * game.loss.generator_pull * (1 + damping))", "tests/solver/test_reweighting.py -k few_steps"),
        ("weights of the second step not those of the first", "objective/belief.py", "return jax.nn.sigmoid(_STEEPNESS * (_HALF - v))", "return jax.nn.sigmoid(_STEEPNESS * (_HALF - v / 2))", "tests/solver/test_reweighting.py -k two_steps"),
        ("no derivative through the weights", "solver/two_steps.py", "jnp.pad(joint, ((0, 0), (p, 0)))", "0 * jnp.pad(joint, ((0, 0), (p, 0)))", "tests/solver/test_reweighting.py -k stacked"),
        ("constant of the second step's scores forgotten", "solver/two_steps.py", "weights[:, None] * (own + constant[None]), earlier", "weights[:, None] * own, earlier", "tests/solver/test_reweighting.py -k simulated_draws"),
        ("simulated part of the first step forgotten", "solver/two_steps.py", "[share * draws[0], draws[1]]", "[share * draws[0], 0 * draws[1]]", "tests/solver/test_reweighting.py -k simulated_draws"),
        ("a first fit without certificate passes", "solver/two_steps.py", "if not a.is_saddle:", "if False:", "tests/solver/test_reweighting.py -k first_fit_that_fails"),
        ("refits keep the weights of the fit", "solver/two_steps.py", "seconds = second_of(games, np.stack([each.alpha for each in first]))", "seconds = second_of(games, np.stack([first[0].alpha for each in first]))", "tests/solver/test_reweighting.py"),
        ("simulated sample not cut in the bulk's test", "objective/bulk.py", "z) * belief(ratios(phi, alpha))", "z) * jnp.ones_like(ratios(phi, alpha))", "tests/inference/test_bulk_test.py -k by_hand"),
        ("Hotelling's factor forgotten", "inference/bulk_test.py", "np.maximum(n - q, 0.0) * (", "n * (", "tests/inference/test_bulk_test.py -k by_hand"),
        ("a minority is a bulk", "inference/bulk_test.py", " or self.share < 0.5", "", "tests/inference/test_bulk_test.py -k minority"),
        ("jumps pass", "solver/jumps.py", "_trouble(names, jumps, slopes", "_trouble(names, jumps & False, slopes", "tests/solver/test_jumps.py -k atom"),
        ("few draws are jumps", "solver/jumps.py", "(_OFF + error) * np.maximum", "_OFF * np.maximum", "tests/solver/test_jumps.py -k few_draws"),
        ("kinks are not mended", "solver/jumps.py", "if not np.any(off):", "if True:", "tests/solver/test_jumps.py -k kinks"),
        ("kinked scores must vanish", "solver/certificate.py", "_SOLVED, _AT_KINKS = 1e-4, 0.03", "_SOLVED, _AT_KINKS = 1e-4, 1e-4", "tests/solver/test_jumps.py -k censored"),
        ("errors forget the placement", "objective/evaluation.py", "own if moved is None else own + moved @ influences(game, x).T", "own", "tests/generators/test_regression.py -k sandwich_sums"),
        ("scores forget the placement", "solver/equations.py", "own if moved is None else own + compiled.influences(self.game.basis, self.game.x)[: len(own)] @ moved.T", "own", "tests/generators/test_regression.py -k sandwich_sums"),
        ("refits hold the placement", "solver/resampling.py", "discriminator=games.basis.placed(at + steps)", "discriminator=games.basis.placed(at + 0 * steps)", "tests/generators/test_regression.py -k deletion_and_bootstrap"),
        ("other weights hold the placement", "objective/scores.py", "(weights - game.x_weights) @ influences(game, game.x)", "0 * weights @ influences(game, game.x)", "tests/influence/test_influence.py -k regression_influence"),
        ("reweighted errors forget the placement", "solver/two_steps.py", "if first.basis.placement.shape[-1]:", "if False:", "tests/influence/test_influence.py -k reweighted_regression"),
        ("outliers to one side widen the scale", "discriminators/pilot.py", "> _EITHER * np.abs(raw[1:])", "> -np.inf * np.abs(raw[1:])", "tests/generators/test_regression.py -k one_side"),
        ("the scale's slopes are not shrunk", "discriminators/pilot.py", "if not wald > _SHRINK * k:", "if False:", "tests/generators/test_regression.py -k one_scale"),
        ("products are not damped by leverage", "discriminators/regression.py", "leverage * jnp.ravel(products)", "jnp.ravel(products)", "tests/generators/test_regression.py -k far_row"),
        ("sigmoids of residuals are not centred", "discriminators/regression.py", "self.widths) - self.means", "self.widths) - 0 * self.means", "tests/generators/test_regression.py -k by_hand"),
        ("covariates are whitened by raw values", "discriminators/pilot.py", "t = t / np.sqrt(1 + (t / (BEND / MAD)) ** 2)", "t = t * 1.0", "tests/generators/test_regression.py -k features_by_hand"),
        ("identified in the parameters' own coordinates", "inference/identification.py", "framed = found if frame is None else np.swapaxes(frame, -1, -2) @ found @ frame", "framed = found", "tests/generators/test_regression.py -k far_from_zero"),
        ("atoms that the simulator has are told", "samples/ties.py", "self.share > expected + 0.02", "self.share > 0.02", "tests/samples/test_ties.py -k atom"),
        ("atoms are compared with all of the law", "solver/compiled.py", "(x >= low) & (x <= high)", "(x >= low - 100) & (x <= high + 100)", "tests/samples/test_ties.py -k atom"),
        ("atoms are not flagged", "batch.py", "is_few or fit.is_tied or fit.is_no_bulk", "is_few or fit.is_no_bulk", "tests/samples/test_ties.py -k atom"),
        ("the closest of many starts are not solved exactly", "solver/saddle.py", "[: _EXACT if is_searched else 0]", "[:0]", "tests/solver/test_starts.py -k reserve_is_tried"),
        ("every start nearby is solved exactly", "solver/saddle.py", "wanted=int(is_exact)", "wanted=1", "tests/solver/test_starts.py -k by_the_search_alone"),
        ("an edge is searched from again", "solver/saddle.py", "            if edge is not None:", "            if False:", "tests/solver/test_edges.py"),
        ("a sample of few is not flagged", "batch.py", "is_few or fit.is_tied", "fit.is_tied", "tests/inference/test_bulk_test.py"),
        ("bulk's covariance that of the sample alone", "objective/bulk.py", "covariance = (covariance + squares / (total * lost * n)) / 2", "covariance = covariance + 0", "tests/inference/test_bulk_test.py -k by_hand"),
        ("the farther part of a zone counts for the nearer", "objective/background.py", "jnp.minimum(most, jnp.maximum", "jnp.maximum(0.0, jnp.maximum", "tests/inference/test_background_test.py -k by_hand"),
        ("scores of the second step not centred by their own mean", "objective/background.py", "jnp.where(is_second, weighted / share, plain)", "plain", "tests/inference/test_background_test.py -k by_hand"),
        ("background never told", "inference/background_test.py", "_SHIFT, _LEVEL = 0.25, 0.025", "_SHIFT, _LEVEL = 25.0, 0.025", "tests/inference/test_background_test.py -k flagged"),
        ("weights' slope missing in the generator's score", "objective/linear.py", "d_theta + earned @ moved,", "d_theta,", "tests/solver/test_smoothing.py -k estimates"),
        ("weights' slope missing in the curvature", "objective/linear.py", "mixed + mixed.T + _hessian", "0 * mixed + _hessian", "tests/objective/test_weighted_draws.py -k derivatives"),
        ("weights' slope missing in the discriminator's", "objective/linear.py", "by_v += slope[None] * moved.T", "by_v += 0 * slope[None] * moved.T", "tests/objective/test_weighted_draws.py -k derivatives"),
        ("components all of weight one", "generators/mixture.py", "return self.mixture.k * jnp.asarray(weight)[", "return 0 * u[0] + jnp.ones(self.mixture.k)[", "tests/generators/test_families.py -k on_their_own"),
        ("covariance of the law by unweighted draws", "objective/evaluation.py", "covariance_of(weigh(game, theta),", "covariance_of(wz,", "tests/objective/test_weighted_draws.py -k noise"),
        ("scatter not mirrored", "simulation.py", "[own, 1 - last]", "[own, last]", "tests/solver/test_smoothing.py -k mirror"),
        ("errors of a batch where nothing is smoothed yet", "solver/equations.py", "score_covariances(settled_at(games, saddles),", "score_covariances(games,", "tests/solver/test_smoothing.py -k batches"),
        ("tolerance ignored", "solver/joint.py", "np.full(size, limits.tol)", "np.full(size, 1e-9)", "tests/solver/test_smoothing.py -k bound"),
        ("far component dropped", "generators/mixture.py", "if far > _SHARE:", "if far > 1:", "tests/generators/test_families.py -k far_apart"),
        ("prediction without the scale's error", "inference/prediction.py", "log_scales = np.sqrt(of_log) * nodes", "log_scales = 0 * nodes", "tests/inference/test_prediction.py -k nearly_the_exact"),
        ("location and scale err apart", "inference/prediction.py", "slopes = covariance / of_log if", "slopes = 0 * covariance if", "tests/inference/test_prediction.py -k averages"),
        ("HC3 times (n - 1)/n", "inference/covariances.py", "law.n * scores.T @ scores", "(law.n - 1) * scores.T @ scores", "tests/results/test_regression_results.py -k is_statsmodels"),
        ("a number is the column that is called so", "restrictions.py", "plain = [name for name in names if misread[name] is None]", "plain = list(names)", "tests/inference/test_contrasts.py -k numbers_are_numbers"),
        ("intervals of tests on the natural scale", "inference/contrasts.py", "for row, k in self._alone():", "for row, k in []:", "tests/inference/test_contrasts.py -k intervals_of_tests"),
        ("density that does not move with its point", "inference/functionals/density.py", "value * (in_theta - in_z / d_z * d_theta)", "value * in_theta", "tests/inference/test_distribution.py -k change_of_variable"),
        ("failed fits in the mean of a batch", "results/several.py", "estimates = params[kept]", "estimates = params", "tests/results/test_several.py -k by_hand"),
        ("an observation's own weight counted as any other's", "kernels/sums.py", "shares = jnp.where(itself, shares * own, shares)", "shares = shares * 1.0", "tests/kernel/test_sums.py -k small_samples"),
        ("no normalising of the own weight", "kernels/plugin.py", "jnp.sum(w) - (1 - own_real) * w, jnp.sum(u)", "jnp.sum(w) + 0 * w, jnp.sum(u)", "tests/kernel/test_sums.py -k small_samples"),
        ("phi added to one density", "kernels/plugin.py", "return p - q, p_simulated - q_simulated", "return of.p_real - q, p_simulated - q_simulated", "tests/kernel/test_sums.py -k small_samples"),
        ("splines' smoothing left in the mesh", "kernels/mesh.py", "/ half**8 / step", "/ half**4 / step", "tests/kernel/test_sums.py -k mesh"),
        ("what densities lose by a new observation", "kernels/plugin.py", "/ jnp.sum(u) - lost)", "/ jnp.sum(u))", "tests/kernel/test_sums.py -k moves"),
        ("half of the classifier's bias", "divergences/classifier.py", "noise)) / 2", "noise)) / 4", "tests/kernel/test_two_samples.py -k scipy"),
        ("permutations without the samples themselves", "divergences/permutations.py", "np.stack([own, *(rng", "np.stack([~own, *(rng", "tests/kernel/test_two_samples.py -k permutations"),
    )
)  # fmt: skip


def survives(mutant: Mutant) -> bool:
    """Apply an edit to a copy of the package and run its tests; True when they all pass."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("hellgan", "tests"):
            shutil.copytree(ROOT / name, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        # Programs that the edit does not change are not compiled anew.
        programs = ROOT / ".pytest_cache"
        programs.mkdir(exist_ok=True)
        (Path(folder) / ".pytest_cache").symlink_to(programs)
        path = Path(folder) / "hellgan" / mutant.file
        path.write_text(path.read_text().replace(mutant.old, mutant.new))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            "-m",
            "not montecarlo",
        ]
        environment = {**os.environ, "PYTHONPATH": folder}
        done = subprocess.run(
            [*command, *mutant.tests.split()], cwd=folder, env=environment, capture_output=True, text=True
        )
        if done.returncode not in (0, 1):
            raise SystemExit(
                f"{mutant.name}: pytest ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return done.returncode == 0


def main(chosen: list[str]) -> int:
    """Try the chosen mutants, or all; returns the number of survivors."""
    alive = 0
    mutants = [mutant for mutant in MUTANTS if not chosen or mutant.name in chosen]
    for mutant in mutants:
        if mutant.old not in (ROOT / "hellgan" / mutant.file).read_text():
            raise SystemExit(
                f"{mutant.name}: the text {mutant.old!r} is not in {mutant.file}; bring the mutant up to date"
            )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, survived in zip(mutants, pool.map(survives, mutants), strict=True):
            alive += survived
            print(f"{'SURVIVED' if survived else 'killed':<9} {mutant.name}", flush=True)
    print(f"{alive} survivors of {len(mutants)}")
    return alive


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
