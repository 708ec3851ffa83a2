# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The KL divergence between two Gaussians, derived and run
#
# The KL term of a VAE is one line of code. This lab derives that line. Each equality below is a SymPy object made in
# `snippets/vaes/gaussian_kl.py`; it is proved before it is shown, and the torch function at the end computes the very
# formula that was proved. No formula and no result in this lab was typed.

# %%
import matplotlib.pyplot as plt
import torch
from IPython.display import Markdown, display
from sympy import Rational, lambdify
from torch.distributions import Normal, kl_divergence

from snippets.derivation import Steps, proved, step
from snippets.vaes import gaussian_kl as kl

torch.manual_seed(0)


def walk(steps: Steps) -> None:
    """Show each step of a derivation, once it is proved."""
    for name, equality in steps.items():
        assert proved(equality), name
        display(Markdown(f"**{name}**"), equality)


# %% [markdown]
# ## One dimension
#
# The divergence is the average, under `q`, of the log of the ratio of the densities. For Gaussians that log is a
# quadratic in x, so the integral needs no more than the mean and the variance of `q`. The last two moments are the
# whole trick: about its own mean `q` has its variance, and about any other point the squared distance comes on top.

# %%
univariate = kl.derive_univariate()
walk(univariate)

# %% [markdown]
# ## A proof that can fail
#
# A prover that cannot say no proves nothing. Here are three slips that are made at the whiteboard, put to the same
# prover: the second moment without the squared distance, the closed form without its half, and the ratio of the
# standard deviations upside down.

# %%
closed = univariate[kl.CLOSED_FORM]
slips = {
    "no squared distance": closed.rhs.subs(kl.mu_1, kl.mu_2),
    "no half at the end": closed.rhs + Rational(1, 2),
    "ratio upside down": closed.rhs.subs({kl.sigma_1: kl.sigma_2, kl.sigma_2: kl.sigma_1}, simultaneous=True),
}
verdicts = {name: proved(step(closed.lhs, wrong)) for name, wrong in slips.items()}
assert not any(verdicts.values())
display(verdicts)

# %% [markdown]
# ## What the integral looks like
#
# The integrand is negative wherever `q` is smaller than `p`. Its area is not: that is Gibbs' inequality, and the reason
# why the divergence can serve as a penalty.

# %%
figure, axes = plt.subplots(figsize=(4.8, 3.3), layout="constrained")
kl.draw_integrand(axes)
plt.show()

# %% [markdown]
# ## Many dimensions
#
# An encoder gives a mean and a log variance for each latent dimension. Independent dimensions multiply their
# densities, so their logs add, and in each term the other dimensions integrate to one. The prior is a standard normal,
# written phi.

# %%
walk(kl.derive_diagonal())

# %% [markdown]
# ## From the formula to torch
#
# The proved right-hand side becomes a function, and that is compared with the function that a VAE is trained with. The
# third opinion is `torch.distributions`, the fourth an average over draws.

# %%
formula = lambdify((kl.mu_1, kl.sigma_1, kl.mu_2, kl.sigma_2), closed.rhs, "math")
mean, logvar = torch.randn(2, 5, dtype=torch.float64)
std = (logvar / 2).exp()
q, prior = Normal(mean, std), Normal(torch.zeros_like(mean), torch.ones_like(mean))

by_formula = sum(formula(m, s, 0.0, 1.0) for m, s in zip(mean.tolist(), std.tolist(), strict=True))
by_code = kl.kl_to_standard_normal(mean, logvar)
by_torch = kl_divergence(q, prior).sum()
draws = mean + std * torch.randn(200_000, 5, dtype=torch.float64)
ratios = (q.log_prob(draws) - prior.log_prob(draws)).sum(-1)

torch.testing.assert_close(by_code.item(), by_formula)
torch.testing.assert_close(by_code, by_torch)
assert abs(ratios.mean() - by_code) < 5 * ratios.std() / len(ratios) ** 0.5
{"formula": by_formula, "code": by_code.item(), "torch": by_torch.item(), "draws": ratios.mean().item()}

# %% [markdown]
# ## What the term wants
#
# Its gradient, by SymPy: the mean is pulled to zero in proportion to its distance, the variance to one from both sides.
# No data appears in it. What holds the posterior against this pull is the reconstruction.

# %%
one_dimension = kl.derive_diagonal()[kl.TO_THE_PRIOR].rhs
for symbol in (kl.mu_1, kl.v_1):
    gradient = step(one_dimension.diff(symbol, evaluate=False), one_dimension.diff(symbol))
    assert proved(gradient)
    display(gradient)

# %% [markdown]
# ## Swapped
#
# Twice as wide as the prior, or half as wide: the two orders of the arguments change places. A sharp code far out costs
# a few nats one way and hundreds the other, because then a needle has to explain the whole prior.

# %%
rows = kl.worked_examples()
table = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
table += ["| " + " | ".join(c if isinstance(c, str) else f"{c:.3f}" for c in row.values()) + " |" for row in rows]
Markdown("\n".join(table))

# %% [markdown]
# **Try it.** Let `kl_to_standard_normal` average over the latent, or read the log variance as a standard deviation, and
# run `python -m snippets vaes.gaussian_kl`: which checks notice, and which of the four numbers above still agree?
