"""MIX+GAN: several generators against several discriminators (Arora et al. 2017)."""

import dataclasses

from hellgan.checks import checked_count, checked_real


@dataclasses.dataclass(frozen=True)
class Mixture:
    """A mixture of generators against a mixture of discriminators, trained together.

    With weights w and u, softmax of free logits, the players' objective is

        sum_ij w_i u_j V(theta_i, alpha_j),

    V the value of the game of one pair; each player's own logits are trained with its networks. To each player's
    loss is added ``entropy`` times minus the mean logarithm of its weights, which keeps them from collapsing.

    Parameters
    ----------
    generators, discriminators : int
        T and U; three to five are usual.
    entropy : float
        Weight of the entropy terms; at least 0.

    References
    ----------
    Arora, Ge, Liang, Ma and Zhang (2017), Generalization and equilibrium in generative adversarial nets, ICML.
    """

    generators: int = 3
    discriminators: int = 3
    entropy: float = 0.1

    def __post_init__(self):
        checked_count("generators", self.generators)
        checked_count("discriminators", self.discriminators)
        object.__setattr__(
            self, "entropy", checked_real("entropy", self.entropy, "a finite number of at least 0", least=-1e-300)
        )


SINGLE = Mixture(1, 1, 0.0)
