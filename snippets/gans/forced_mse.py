r"""What a squared error does to a generator: where no noise is paired with a sample, the best answer is the mean.

Source: E|x - G(z)|^2 = Var(x) + E|G(z) - E x|^2 for independent x and z. Distances that do belong to GANs: on scores,
    Mao et al. 2017 (arXiv:1611.04076); on paired images, Isola et al. 2017 (Pix2Pix, arXiv:1611.07004), with L1.
Variant: every noise meets a random sample of the ring of eight Gaussians, as it would in an unpaired GAN.
Not handled: matching samples to noises first (optimal transport, nearest neighbours), which gives the error a meaning.

Worked example: data at -2 and +2, each half of the time. G = 0 has an expected squared error of 4, G = 2 of
    (0 + 16)/2 = 8, and a generator that gives -2 and 2 at random, which has the distribution of the data, 8 as well.
"""

import sympy
import torch
from torch import Tensor

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof, trained
from snippets.gans.adversarial import mlp
from snippets.gans.ring import coverage, ring


def squared_error(samples: Tensor, data: Tensor) -> Tensor:
    """Mean squared distance between each generated sample and the data point that it happened to meet.

    samples, data: (batch, features).   Returns a scalar.
    """
    return (samples - data).square().sum(1).mean()


def derive_minimiser() -> Steps:
    r"""Data at a with probability w and at b otherwise; a generator that gives g: where the expected error is least."""
    a, b, g = sympy.symbols("a b g", real=True)
    w, v = sympy.symbols("w v", positive=True)
    share = w / (w + v)
    mean = share * a + (1 - share) * b
    error = share * (g - a) ** 2 + (1 - share) * (g - b) ** 2
    return {
        "Slope of the expected error": step(sympy.Derivative(error, g), 2 * (g - mean)),
        "The error is the variance of the data, and the squared distance from their mean": step(
            error, share * (1 - share) * (a - b) ** 2 + (g - mean) ** 2
        ),
    }


@proof
def mean_is_the_minimiser() -> Evidence:
    """Each step by algebra and at random points: nothing but the mean of the data minimises the error."""
    results = [proved(equality) for equality in derive_minimiser().values()]
    return Evidence(holds=len(results) == 2 and all(results), measured={"steps proved": sum(results)})


@trained
def generator_collapses_to_the_mean() -> Evidence:
    """The generator of the ring, 400 Adam steps on the squared error: samples within 0.3 of the origin, no mode.

    The data have a spread of 1.4 in each direction, the samples less than 0.2. That is collapse, not overfitting: the
    error on fresh data is the variance of the data, 4.02, as it was in training, and no sample is a copy of one.
    """
    generator = mlp(8, 128, 128, 2)
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3)
    for _ in range(400):
        loss = squared_error(generator(torch.randn(256, 8)), ring(256))
        optimizer.zero_grad()
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        samples = generator(torch.randn(2000, 8))
        fresh = squared_error(samples, ring(2000)).item()
    far, spread, seen = samples.mean(0).norm().item(), samples.std(0).max().item(), coverage(samples)
    return Evidence(
        holds=far < 0.3 and spread < 0.2 and seen.modes == 0 and abs(fresh - 4.02) < 0.3,
        measured={"distance from the mean": far, "spread": spread, "modes": seen.modes, "error on fresh data": fresh},
        rel=None,
    )


def expected_error(g: float, share: float = 0.5) -> float:
    """Expected squared error of a generator that always gives `g`; data are 2 with probability `share`, else -2."""
    return share * (g - 2) ** 2 + (1 - share) * (g + 2) ** 2
