r"""The KL divergence between two Gaussians: the average, under the first, of the log ratio of their densities.

    KL(q || p) = E_q[log q(x) - log p(x)] = log(s_2/s_1) + (s_1^2 + (m_1 - m_2)^2) / (2 s_2^2) - 1/2

Source: Kingma and Welling, Auto-Encoding Variational Bayes, 2013, appendix B (one Gaussian against the prior N(0, I)).
Variant: natural logarithm (nats); `logvar` is log sigma^2, not log sigma; diagonal covariances, summed over the last
dimension and not averaged; q, over which the average runs, comes first.
Not handled: full covariances, mixtures (no closed form), rounding (in float32 two equal Gaussians may give -1e-7).

On paper: q = N(1, 4), p = N(0, 1). log(1/2) + (4 + 1)/2 - 1/2 = 2 - 0.693 = 1.307 nats; the other way round it is
log 2 + (1 + 1)/8 - 1/2 = 0.443.
"""

import math

import matplotlib.axes
import sympy
import torch
from sympy import Expr, Indexed, IndexedBase, Integral, Rational, Sum, exp, log, pi
from torch import Tensor

from snippets.derivation import Steps, named, proved, step
from snippets.evidence import Evidence, proof

x, y, mu_1, mu_2, v_1, v_2 = sympy.symbols("x y mu_1 mu_2 v_1 v_2", real=True)
sigma_1, sigma_2 = sympy.symbols("sigma_1 sigma_2", positive=True)
j, d = sympy.symbols("j d", positive=True, integer=True)
mu, v = IndexedBase("mu", real=True), IndexedBase("v", real=True)

CLOSED_FORM = "Put together: the KL divergence of q from p"
TO_THE_PRIOR = "What one dimension costs"
SUMMED = "What d dimensions cost, and how Kingma and Welling write it"


def kl_to_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(0, I)) in nats: the regulariser of a VAE, one number for each posterior.

    mean, logvar: (..., latent), logvar = log sigma^2.   Returns (...).
    """
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(-1)


def kl_normal(mean: Tensor, logvar: Tensor, other_mean: Tensor, other_logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(other_mean, exp(other_logvar))) in nats, diagonal covariances.

    All four: (..., latent), logvar = log sigma^2.   Returns (...).
    """
    spread = (logvar.exp() + (mean - other_mean).square()) / other_logvar.exp()
    return 0.5 * (spread - 1 + other_logvar - logvar).sum(-1)


def nats(mean: float, std: float, other_mean: float, other_std: float) -> float:
    """KL(N(mean, std^2) || N(other_mean, other_std^2)) of plain numbers."""
    four = (mean, 2 * math.log(std), other_mean, 2 * math.log(other_std))
    return kl_normal(*(torch.tensor([number], dtype=torch.float64) for number in four)).item()


def nats_to_the_prior(mean: float, std: float) -> float:
    """KL(N(mean, std^2) || N(0, 1)) of plain numbers."""
    pair = (mean, 2 * math.log(std))
    return kl_to_standard_normal(*(torch.tensor([number], dtype=torch.float64) for number in pair)).item()


def density(at: Expr, mean: Expr, std: Expr) -> Expr:
    """Density of N(mean, std^2), with its normaliser left as it is usually written."""
    root = sympy.Pow(2 * pi, Rational(1, 2), evaluate=False)
    normaliser = sympy.Pow(root if std == 1 else sympy.Mul(root, std, evaluate=False), -1, evaluate=False)
    return sympy.Mul(exp(-((mean - at) ** 2) / (2 * std**2)), normaliser, evaluate=False)


def half(expression: Expr) -> Expr:
    """Half of a sum, kept as one fraction."""
    return sympy.Mul(Rational(1, 2), expression, evaluate=False)


def over_the_line(integrand: Expr, *variables: sympy.Symbol) -> Expr:
    """Integral over all of R, in each of the variables (x where none is named); not worked out."""
    return Integral(integrand, *((variable, -sympy.oo, sympy.oo) for variable in variables or (x,)))


def derive_univariate() -> Steps:
    """KL between N(mu_1, sigma_1^2) and N(mu_2, sigma_2^2), from its definition as an integral to the closed form."""
    q = named("q", x, stands_for=density(x, mu_1, sigma_1))
    p = named("p", x, stands_for=density(x, mu_2, sigma_2))
    about_1, about_2 = (mu_1 - x) ** 2, (mu_2 - x) ** 2
    ratio = log(sigma_2 / sigma_1) + about_2 / (2 * sigma_2**2) - about_1 / (2 * sigma_1**2)
    return {
        "The first density": step(q(x), q(x).unfolded()),
        "The second density": step(p(x), p(x).unfolded()),
        "The log of their ratio: the roots of 2 pi cancel": step(log(q(x) / p(x)), ratio),
        "Weighted by q and integrated, it splits into three moments of q": step(
            over_the_line(q(x) * ratio),
            log(sigma_2 / sigma_1) * over_the_line(q(x))
            + over_the_line(about_2 * q(x)) / (2 * sigma_2**2)
            - over_the_line(about_1 * q(x)) / (2 * sigma_1**2),
        ),
        "q integrates to one": step(over_the_line(q(x)), sympy.Integer(1)),
        "About its own mean, q has its variance": step(over_the_line(about_1 * q(x)), sigma_1**2),
        "About another point, the squared distance comes on top": step(
            over_the_line(about_2 * q(x)), sigma_1**2 + (mu_1 - mu_2) ** 2
        ),
        CLOSED_FORM: step(
            over_the_line(q(x) * log(q(x) / p(x))),
            log(sigma_2 / sigma_1) + (sigma_1**2 + (mu_1 - mu_2) ** 2) / (2 * sigma_2**2) - Rational(1, 2),
        ),
    }


def derive_diagonal() -> Steps:
    """KL between a Gaussian with a diagonal covariance and N(0, I): the divergences of the dimensions add."""
    phi = named("phi", x, stands_for=density(x, sympy.Integer(0), sympy.Integer(1)))
    q_1 = named("q_1", x, stands_for=density(x, mu_1, exp(v_1 / 2)))
    q_2 = named("q_2", y, stands_for=density(y, mu_2, exp(v_2 / 2)))
    q = named("q", x, y, stands_for=q_1(x).unfolded() * q_2(y).unfolded())
    p = named("p", x, y, stands_for=phi(x).unfolded() * phi(y).unfolded())
    return {
        "A standard normal prior in each dimension": step(phi(x), phi(x).unfolded()),
        "A posterior with v = log sigma^2, as an encoder gives it": step(q_1(x), q_1(x).unfolded()),
        "Independent dimensions: the densities multiply, the priors p likewise": step(q(x, y), q_1(x) * q_2(y)),
        "So their logs add, and in each term the other dimension integrates to one": step(
            over_the_line(q(x, y) * log(q(x, y) / p(x, y)), x, y),
            over_the_line(q_1(x) * log(q_1(x) / phi(x))) + over_the_line(q_2(y) * log(q_2(y) / phi(y)), y),
        ),
        TO_THE_PRIOR: step(over_the_line(q_1(x) * log(q_1(x) / phi(x))), half(mu_1**2 + exp(v_1) - 1 - v_1)),
        SUMMED: step(
            Sum(half(mu[j] ** 2 + exp(v[j]) - 1 - v[j]), (j, 1, d)),
            -half(Sum(1 + v[j] - mu[j] ** 2 - exp(v[j]), (j, 1, d))),
        ),
    }


@proof
def every_step_is_proved() -> Evidence:
    """Each step of the univariate derivation is an identity, by algebra and at random points by quadrature."""
    results = [proved(equality) for equality in derive_univariate().values()]
    return Evidence(holds=len(results) == 8 and all(results), measured={"steps proved": sum(results)})


@proof
def diagonal_is_proved() -> Evidence:
    """Each step of the diagonal derivation is an identity; one of them is a double integral."""
    results = [proved(equality) for equality in derive_diagonal().values()]
    return Evidence(holds=len(results) == 6 and all(results), measured={"steps proved": sum(results)})


def code_computes_the_proved_formula() -> Evidence:
    """Evaluate the right-hand sides that were proved, and both torch functions, at the same 5-dimensional Gaussians.

    In float64 they agree to rounding; a factor, a sign or a mean for the sum would show in the first digit.
    """
    mean, logvar, mean_2, logvar_2 = torch.randn(4, 5, dtype=torch.float64)
    closed = sympy.lambdify((mu_1, sigma_1, mu_2, sigma_2), derive_univariate()[CLOSED_FORM].rhs, "math")
    rows = zip(mean.tolist(), (logvar / 2).exp().tolist(), mean_2.tolist(), (logvar_2 / 2).exp().tolist(), strict=True)
    expected = sum(float(closed(*row)) for row in rows)
    off = (kl_normal(mean, logvar, mean_2, logvar_2) - expected).abs().max().item()
    numbers: dict[Indexed, float] = {mu[k + 1]: mean[k].item() for k in range(5)}
    numbers |= {v[k + 1]: logvar[k].item() for k in range(5)}
    summed = derive_diagonal()[SUMMED].rhs.subs(d, 5).doit().subs(numbers)
    off = max(off, (kl_to_standard_normal(mean, logvar) - float(summed)).abs().max().item())
    return Evidence(holds=off < 1e-12, measured={"code and formula agree to 1e-12": off < 1e-12})


def sampling_gives_the_same() -> Evidence:
    """Average log q - log p over 50 000 draws from q: the closed form within five standard errors of that average.

    The two Gaussians differ in every mean and every variance, so that each term counts; swapping them gives 8.1
    instead of 2.6, and the standard error is about 0.01.
    """
    mean, logvar = torch.tensor([0.3, -1.2, 0.8]).double(), torch.tensor([0.5, -1.1, -2.0]).double()
    other_mean, other_logvar = torch.tensor([-0.6, 0.4, 0.1]).double(), torch.tensor([-0.2, 0.7, -0.9]).double()
    draws = mean + (0.5 * logvar).exp() * torch.randn(50_000, 3).double()
    log_q = -0.5 * ((draws - mean).square() / logvar.exp() + logvar)
    log_p = -0.5 * ((draws - other_mean).square() / other_logvar.exp() + other_logvar)
    ratios = (log_q - log_p).sum(-1)
    error = ratios.std().item() / math.sqrt(len(ratios))
    closed = kl_normal(mean, logvar, other_mean, other_logvar)
    off = (closed - ratios.mean()).abs().max().item() / error
    return Evidence(holds=off < 5, measured={"sampled divergence, nats": ratios.mean().item(), "standard errors": off})


def zero_only_between_equals() -> Evidence:
    """1000 random pairs of Gaussians: every divergence positive, and zero to rounding between a Gaussian and itself.

    Gibbs' inequality, and the reason why the KL can serve as a penalty: its only minimum is equality.
    """
    m, s, m_2, s_2 = torch.randn(4, 1000, 3, dtype=torch.float64)
    least = torch.minimum(kl_normal(m, s, m_2, s_2).min(), kl_to_standard_normal(m, s).min()).item()
    itself = kl_normal(m, s, m, s).abs().max().item()
    prior = kl_to_standard_normal(torch.zeros(3), torch.zeros(3)).abs().max().item()
    return Evidence(
        holds=least > 0 and itself < 1e-12 and prior < 1e-12,
        measured={"least divergence of 1000 random pairs": least, "zero to itself": itself < 1e-12},
    )


def it_is_no_distance() -> Evidence:
    """N(0, 4) and N(0, 1), both ways round, against quadrature of the definition: 0.81 and 0.32 nats.

    Nor does the triangle inequality hold: from mean 0 to mean 2 directly costs 2 nats, by way of 1 twice a half.
    """
    grid = torch.linspace(-25, 25, 20_001, dtype=torch.float64)
    wide, narrow = (-0.5 * (grid / s).square() - math.log(s * math.sqrt(2 * math.pi)) for s in (2.0, 1.0))
    exact = [torch.trapezoid(a.exp() * (a - b), grid).item() for a, b in ((wide, narrow), (narrow, wide))]
    forward, swapped = nats(0, 2, 0, 1), nats(0, 1, 0, 2)
    direct, by_way_of_one = nats(0, 1, 2, 1), nats(0, 1, 1, 1) + nats(1, 1, 2, 1)
    off = max(abs(forward - exact[0]), abs(swapped - exact[1]))
    return Evidence(
        holds=off < 1e-9 and direct > 1.5 * by_way_of_one > 0,
        measured={
            "KL(N(0, 4) || N(0, 1))": forward,
            "swapped": swapped,
            "from 0 to 2": direct,
            "by way of 1": by_way_of_one,
        },
    )


def dimensions_add() -> Evidence:
    """A posterior of 7 equal dimensions costs seven times one of them, 2 and 5 dimensions what they cost apart.

    Averaged over dimensions it would cost the same whatever the number, and the weight of the KL against the
    reconstruction would depend on the width of the latent.
    """
    mean, logvar = torch.randn(1, dtype=torch.float64), torch.randn(1, dtype=torch.float64)
    one, seven = (kl_to_standard_normal(mean.expand(n), logvar.expand(n)).sum().item() for n in (1, 7))
    parts = torch.randn(4, 7, dtype=torch.float64)
    whole = kl_normal(*parts).sum().item()
    apart = kl_normal(*parts[:, :2]).sum().item() + kl_normal(*parts[:, 2:]).sum().item()
    ratio = seven / one if one > 0 else 0.0
    return Evidence(
        holds=abs(ratio - 7) < 1e-9 and abs(whole - apart) < 1e-9, measured={"seven dimensions over one": ratio}
    )


def gradient_pulls_to_the_prior() -> Evidence:
    """Autograd of the KL to N(0, I): mu for the mean and (sigma^2 - 1)/2 for log sigma^2, whatever the data.

    So the pull on a mean grows with its distance from 0, and a variance is pulled to 1 from both sides.
    """
    mean, logvar = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 5, dtype=torch.float64)

    def total(m: Tensor, v: Tensor) -> Tensor:
        return kl_to_standard_normal(m, v).sum()

    by_mean, by_logvar = torch.func.grad(total, argnums=(0, 1))(mean, logvar)
    off = max((by_mean - mean).abs().max().item(), (by_logvar - (logvar.exp() - 1) / 2).abs().max().item())
    return Evidence(holds=off < 1e-12, measured={"autograd and the formula agree to 1e-12": off < 1e-12})


def worked_examples() -> list[dict[str, str | float]]:
    """KL of some posteriors to N(0, 1), and with the arguments swapped."""
    rows: list[dict[str, str | float]] = []
    for says, mean, std in (
        ("the prior itself", 0.0, 1.0),
        ("mean off by one", 1.0, 1.0),
        ("twice as wide", 0.0, 2.0),
        ("half as wide", 0.0, 0.5),
        ("a sharp code far out", 2.0, 0.1),
    ):
        rows.append(
            {
                "q": f"N({mean:g}, {std:g}²): {says}",
                "KL(q ‖ N(0, 1)), nats": nats_to_the_prior(mean, std),
                "in bits": nats_to_the_prior(mean, std) / math.log(2),
                "KL(N(0, 1) ‖ q), nats": nats(0.0, 1.0, mean, std),
            }
        )
    return rows


def draw_integrand(axes: matplotlib.axes.Axes) -> None:
    """Draw two densities and the integrand q log(q/p): it is negative in places, its area is not."""
    mean, std = 0.8, 0.6
    grid = torch.linspace(-3, 3.5, 200)
    q = torch.exp(-0.5 * ((grid - mean) / std).square()) / (math.sqrt(2 * math.pi) * std)
    p = torch.exp(-0.5 * grid.square()) / math.sqrt(2 * math.pi)
    integrand = q * (q / p).log()
    axes.plot(grid, q, color="C0", label=f"q = N({mean}, {std}²)")
    axes.plot(grid, p, color="C1", label="p = N(0, 1)")
    area = nats_to_the_prior(mean, std)
    axes.fill_between(grid, integrand, color="C2", alpha=0.4, label=f"q log(q/p), area {area:.2f}")
    axes.set_xlabel("x")
    axes.legend(loc="upper left", fontsize="small", frameon=False)
    axes.set_ylim(-0.2, 1.05)
