"""How a run is trained: everything but data, networks, losses and seeds, checked."""

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from hellgan.checks import checked_count, checked_real, is_one_of, shown
from hellgan.neural.mixture import SINGLE, Mixture
from hellgan.neural.updates import UPDATES

_LATENTS = ("normal", "uniform")


@dataclasses.dataclass
class Settings:
    """Arguments of ``train``, by the same names."""

    steps: int
    batch: int | None = 64
    mixture: Mixture | None = None
    updates: str = "alternating"
    discriminator_steps: int = 1
    rate: Any = 2e-4
    optimizer: Any = None
    average: float | None = None
    r1: float = 0.0
    gradient_penalty: float | None = None
    spectral_norm: bool = False
    noise: float = 0.0
    noise_until: float = 0.5
    latent: str = "normal"
    latent_dim: int | None = None
    n_simulated: int | None = None
    devices: int | None = None

    def __post_init__(self):
        self.steps, self.discriminator_steps = (
            checked_count(name, getattr(self, name)) for name in ("steps", "discriminator_steps")
        )
        self.batch = None if self.batch is None else checked_count("batch", self.batch)
        self.mixture = SINGLE if self.mixture is None else self.mixture
        if not isinstance(self.mixture, Mixture):
            raise TypeError(f"mixture: got {shown(self.mixture)}; give hg.neural.Mixture(generators=3, ...).")
        if not is_one_of(self.updates, UPDATES):
            raise ValueError(f"updates: got {shown(self.updates)}; give one of {', '.join(UPDATES)}.")
        if self.updates != "alternating" and self.discriminator_steps > 1:
            raise ValueError(
                f"discriminator_steps: got {self.discriminator_steps} with {self.updates} updates, which move both "
                "players once; give updates='alternating', or 1."
            )
        if not is_one_of(self.latent, _LATENTS):
            raise ValueError(f"latent: got {shown(self.latent)}; give 'normal' or 'uniform'.")
        if self.average is not None:
            self.average = checked_real(
                "average", self.average, "a number between 0 and 1, such as .999", most=0.9999999
            )
        self.r1, self.noise = not_negative("r1", self.r1), not_negative("noise", self.noise)
        self.noise_until = checked_real("noise_until", self.noise_until, "a share of the steps, up to 1", most=1.0)
        if self.gradient_penalty is not None:
            self.gradient_penalty = not_negative("gradient_penalty", self.gradient_penalty)
        self.spectral_norm = bool(self.spectral_norm)

    def sharding(self) -> NamedSharding | None:
        """How the rows of a batch lie on devices: on as many as divide it, unless told otherwise."""
        there = jax.devices()
        if self.devices is not None:
            count = checked_count("devices", self.devices)
            if count > len(there):
                raise ValueError(f"devices: got {count}; JAX sees {len(there)}: give at most as many.")
            if count > 1 and (self.batch is None or self.batch % count):
                raise ValueError(f"devices: a batch of {self.batch} is not divided by {count}; give a batch that is.")
        else:
            count = max(k for k in range(1, len(there) + 1) if k == 1 or (self.batch or 1) % k == 0)
        if count == 1:
            return None
        return NamedSharding(Mesh(np.array(there[:count]), ("rows",)), PartitionSpec("rows"))

    def facts(self) -> dict:
        """What of the settings must agree for a run to go on, in JSON; the number of steps need not."""
        mixture = self.mixture
        assert mixture is not None
        own = None if self.optimizer is not None else [float(rate) for rate in np.ravel(np.asarray(self.rate, float))]
        until = int(self.noise_until * self.steps) if self.noise else 0
        return {
            "mixture": dataclasses.asdict(mixture),
            **{name: getattr(self, name) for name in ("batch", "updates", "discriminator_steps", "average", "r1")},
            **{name: getattr(self, name) for name in ("gradient_penalty", "spectral_norm", "latent", "n_simulated")},
            "rate": own,
            "noise": [self.noise, until],
        }


def not_negative(name: str, value) -> float:
    """Return a finite number of at least 0."""
    return checked_real(name, value, "a finite number of at least 0", least=-5e-324) if value != 0 else 0.0
