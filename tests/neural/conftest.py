"""What tests of networks share: small networks and few shapes, so that little is compiled."""

import numpy as np
import pytest

import hellgan as hg

optax = pytest.importorskip("optax")


@pytest.fixture(scope="session")
def plane():
    """Points in the plane: two clusters."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) * 0.3 + rng.choice([-1.0, 1.0], size=(200, 1))


@pytest.fixture(scope="session")
def nets():
    return hg.neural.MLPGenerator((8,), latent_dim=2), hg.neural.MLPDiscriminator((8,))
