"""What training by kernels leaves: generators at the end of each bandwidth, the history, samples."""

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import numpy as np

from hellgan.checks import checked_count, checked_seed, shown
from hellgan.neural.autoencoder import Coder
from hellgan.neural.modules import BATCH, latent_draws

if TYPE_CHECKING:
    import pandas

_BLOCK = 2000  # draws in a call
_COLUMNS = ("step", "bandwidth", "real", "simulated", "reconstruction")


class Stage(NamedTuple):
    """The end of training at one bandwidth: the generator, and the feature map where there is one."""

    bandwidth: float
    generator: Any
    features: Coder | None


@dataclasses.dataclass(frozen=True, eq=False)
class KernelRun:
    """A generator trained by kernels; made by ``train_kernel``.

    Attributes
    ----------
    stages : tuple of Stage
        One a bandwidth, in the order of training.
    history : DataFrame
        A row for each 250 steps: ``step``, ``bandwidth`` (NaN while an autoencoder is trained alone), and means over
        these steps of both parts of the value, ``real`` and ``simulated``, of their sum ``value`` and of the
        autoencoder's error, ``reconstruction``.
    seed : int
    """

    stages: tuple[Stage, ...]
    history: "pandas.DataFrame"
    latent: str
    latent_dim: int
    is_line: bool
    seed: int

    @staticmethod
    def of(stages, rows, latent: str, latent_dim: int, is_line: bool, seed: int) -> "KernelRun":
        """Put together what training gives."""
        import pandas as pd

        history = pd.DataFrame(rows, columns=list(_COLUMNS))
        history.insert(2, "value", history["real"] + history["simulated"])
        return KernelRun(tuple(stages), history, latent, latent_dim, is_line, seed)

    def __repr__(self):
        widths = ", ".join(f"{stage.bandwidth:g}" for stage in self.stages)
        return f"<KernelRun of {int(self.history['step'].iloc[-1]):,} steps, bandwidths {widths}, seed {self.seed}>"

    @property
    def generator(self):
        """The trained generator, an equinox module of one latent draw."""
        return self.stages[-1].generator

    @property
    def features(self) -> Coder | None:
        """The trained feature map, an equinox module of one observation; None where there is none."""
        return self.stages[-1].features

    def sample(self, n: int, *, seed: int, stage: int = -1) -> np.ndarray:
        """Draw n observations from the generator at the end of a bandwidth, the last unless told otherwise."""
        n, seed = checked_count("n", n), checked_seed(seed)
        if isinstance(stage, bool) or not isinstance(stage, int) or not -len(self.stages) <= stage < len(self.stages):
            raise ValueError(f"stage: got {shown(stage)}; give the position of one of {len(self.stages)} bandwidths.")
        size = min(_BLOCK, 1 << (n - 1).bit_length())
        keys = jax.random.split(jax.random.key(seed), -(-n // size))
        generator = self.stages[stage].generator
        drawn = np.concatenate([np.asarray(_drawn(generator, self.latent, size, self.latent_dim, key)) for key in keys])
        return drawn[:n, 0] if self.is_line else drawn[:n]

    def plot(self, ax=None):
        """Draw both parts of the value against the step; the kernel's bandwidths divide the axis. Returns the Axes."""
        from hellgan import plots

        return plots.kernel_history(self.history, ax)


def simulated(generator, z):
    """Observations of latent draws (m, k); a batch's own moments normalise it where the generator wants that."""
    return jax.vmap(generator, axis_name=BATCH)(z)


@eqx.filter_jit
def _drawn(generator, law: str, n: int, dim: int, key):
    return simulated(generator, latent_draws(law, key, (n, dim)))
