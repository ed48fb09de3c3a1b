"""``KernelGANResults``: a fit of a kernel GAN, and what the two kernel density estimates say."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from hellgan.parameters import natural_rows
from hellgan.results import summary
from hellgan.results.law import LawResults
from hellgan.results.ratios import RatioResults, outlier_notes

if TYPE_CHECKING:
    from hellgan.solver.kernel import KernelEquations, KernelMinimum


class KernelGANResults(RatioResults, LawResults):
    """A fitted kernel GAN; made by ``KernelGAN.fit``.

    Attributes
    ----------
    model : KernelGAN
    params : Series
        Generator parameters, natural scale.
    solution : KernelMinimum
        The solver's answer, with its certificate.
    converged : bool
        Whether the solution is a certified strict local minimum of which the joint law could be computed.
    trouble : str
        Why the fit did not converge; empty where it did.
    nobs, n_simulated : int
        Sizes n and m of the real and of the simulated sample.
    """

    equations: "KernelEquations"  # pyright: ignore[reportIncompatibleVariableOverride]
    solution: "KernelMinimum"

    @property
    def label(self) -> str:
        return f"kernel {self.model.loss.name}"

    @property
    def bandwidth(self) -> np.ndarray:
        """The last stage's bandwidth: the kernel's standard deviation in each coordinate, (d,)."""
        return self.equations.bandwidths[-1].mean(axis=0)

    @property
    def parts(self) -> pd.Series:
        """The two parts of the objective (25): the means of real(v) over the data, and of fake(v) over the draws.

        With the loss ``log`` they are the JSD-F and the JSD-S of Sinn and Rawat (2018), each -log 2 at equality.
        """
        values = np.array(self.equations.parts(self.solution.u), np.float64)
        return pd.Series(values, ["real", "simulated"], name="part")

    @property
    def divergence(self) -> float:
        """The objective less its value at equality: an estimate, from below, of the divergence of data and law."""
        return self.solution.value - self.model.loss.value_at_equality

    @property
    def path(self) -> pd.DataFrame:
        """Where each stage of the bandwidth ended, one row a stage.

        Columns: ``bandwidth`` (of several coordinates ``bandwidth_0``, ...), ``value`` of the objective with it, and
        the parameters, natural scale.
        """
        d, rows = self.equations.sample.d, self.solution.path
        names = ["bandwidth"] if d == 1 else [f"bandwidth_{k}" for k in range(d)]
        natural = natural_rows(self.generator, rows[:, d + 1 :])
        columns = [*names, "value", *self.params.index]
        return pd.DataFrame(np.column_stack([rows[:, : d + 1], natural]), columns=columns)

    def _own_log_ratios(self):
        return self.equations.log_ratios(self.solution.u)

    def case_columns(self) -> pd.DataFrame:
        """``log_ratio`` and ``prob_real`` of the observations."""
        v = self.log_ratio()
        return pd.DataFrame({"log_ratio": v, "prob_real": special.expit(v)})

    # Reports.

    title = "Kernel GAN"

    def facts(self) -> list[tuple[str, str]]:
        model, of, solution = self.model, self.equations, self.solution
        kind = "scrambled Sobol" if model.latent == "sobol" else "independent"
        widths = ", ".join(f"{width:.4g}" for width in self.bandwidth)
        sums = f"mesh of {solution.nodes} nodes" if solution.nodes else "pair by pair"
        stages = len(solution.path)
        return [
            ("Generator:", self.generator.name),
            ("Kernel:", model.placement.shape if len(of.bandwidths[-1]) == 1 else "mixture of Gaussian ones"),
            ("Loss:", model.loss.name),
            ("Bandwidth:", widths if len(widths) < 40 else f"{len(self.bandwidth)} of them"),
            ("Observations n:", summary.observations(self)),
            ("Cov. type:", summary.kind(self)),
            ("Simulated m:", f"{self.n_simulated} {kind}"),
            ("phi:", f"{of.phi[-1]:.3g}"),
            ("Divergence:", f"{self.divergence:.5f}"),
            ("Sums:", sums),
            ("Converged:", solution.kind if self.converged else "NO"),
            ("Iterations:", f"{solution.iterations}" + (f" in {stages} stages" if stages > 1 else "")),
            ("Score norm:", f"{solution.score_norm:.1e}"),
        ]

    def notes(self) -> list[str]:
        return summary.notes(self, tuple(outlier_notes(self)))

    def compared(self) -> dict[str, object]:
        """What ``compare`` shows of the fit below its parameters, by name."""
        return {
            "loss": self.model.loss.name,
            "n": self.nobs,
            "m": self.n_simulated,
            "divergence": self.divergence,
            "outliers": len(self.outlier_positions()),
            "converged": self.converged,
        }
