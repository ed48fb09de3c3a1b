"""Networks trained as GANs, by minibatches.

What the package infers, it infers for parametric models; here are its losses for networks, on images too: ``train``
with checkpoints and several models side by side, mixtures of generators, and no standard errors.
``docs/neural.md`` is the guide.
"""

from hellgan.neural import losses, metrics
from hellgan.neural.autoencoder import Autoencoder
from hellgan.neural.intervals import NeuralBootstrap, bootstrap
from hellgan.neural.kernel_run import KernelRun
from hellgan.neural.kernel_training import train_kernel
from hellgan.neural.lenet import LeNet
from hellgan.neural.lenet_training import train_lenet
from hellgan.neural.mixture import Mixture
from hellgan.neural.networks import ConvDiscriminator, ConvGenerator, MLPDiscriminator, MLPGenerator
from hellgan.neural.run import Run
from hellgan.neural.training import train

__all__ = [
    "Autoencoder",
    "ConvDiscriminator",
    "ConvGenerator",
    "KernelRun",
    "LeNet",
    "MLPDiscriminator",
    "MLPGenerator",
    "Mixture",
    "NeuralBootstrap",
    "Run",
    "bootstrap",
    "losses",
    "metrics",
    "train",
    "train_kernel",
    "train_lenet",
]
