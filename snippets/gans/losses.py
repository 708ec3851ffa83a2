r"""GAN losses come in pairs: what the discriminator minimises, and what the generator minimises against it.

Source: minimax and non-saturating, Goodfellow et al. 2014 (arXiv:1406.2661), equation 1 and the end of section 3;
    least squares, Mao et al. 2017 (arXiv:1611.04076), equation 2 with labels a = 0, b = 1 and target c = 1;
    hinge, Lim and Ye 2017 (arXiv:1705.02894), also Miyato et al. 2018 (arXiv:1802.05957), equations 16 and 17;
    Wasserstein, Arjovsky et al. 2017 (arXiv:1701.07875), algorithm 1.
Variant: the discriminator gives a logit (a score), never a probability: the sigmoid belongs to the loss, where it can
    be computed without overflow. Averages over the batch. Every loss is minimised: what a paper maximises has its sign
    turned.
Not handled: what keeps a Wasserstein critic Lipschitz (gradient_penalty.py); relativistic pairs; class conditions.

Worked example: a real sample at logit 2, a fake at logit -1; softplus(x) = log(1 + e^x).
    Minimax discriminator: softplus(-2) + softplus(-1) = 0.127 + 0.313 = 0.440, that is -log 0.881 - log 0.731.
    Generator: minimax -softplus(-1) = -0.313, non-saturating softplus(1) = 1.313; slopes in the fake's logit
    -sigmoid(-1) = -0.269 and -sigmoid(1) = -0.731. Least squares: (2 - 1)^2/2 + (-1)^2/2 = 1. Hinge: 0 + 0 = 0.
    Wasserstein: -1 - 2 = -3.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from torch import Tensor

from snippets.evidence import Evidence


class Game(NamedTuple):
    """One pair: `discriminator(real, fake)` and `generator(fake)`, both of scores and both to be minimised."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy with real = 1, fake = 0: -log D(x) - log(1 - D(G(z))), for D the sigmoid of the score.

    real, fake: (batch,) or (batch, 1) scores.   Returns a scalar. Goodfellow et al. 2014, equation 1.
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def minimax_generator(fake: Tensor) -> Tensor:
    """Minimise log(1 - D(G(z))): the discriminator's own term with its sign turned. It saturates where D is sure.

    fake: (batch,) scores.   Returns a scalar. Goodfellow et al. 2014, equation 1.
    """
    return -F.softplus(fake).mean()


def non_saturating_generator(fake: Tensor) -> Tensor:
    """Minimise -log D(G(z)) instead: the same fixed point, and a slope where the minimax loss has none.

    fake: (batch,) scores.   Returns a scalar. Goodfellow et al. 2014, section 3.
    """
    return F.softplus(-fake).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Regress real scores to 1 and fake scores to 0.

    real, fake: (batch,) scores.   Returns a scalar. Mao et al. 2017, equation 2.
    """
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """Regress the scores of fakes to 1: the square is of the score, not of a distance between samples.

    fake: (batch,) scores.   Returns a scalar. Mao et al. 2017, equation 2.
    """
    return 0.5 * (fake - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Push real scores above 1 and fake scores below -1, and leave alone what is there.

    real, fake: (batch,) scores.   Returns a scalar. Lim and Ye 2017; Miyato et al. 2018, equation 16.
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Widen the gap between the mean scores; without a Lipschitz constraint it has no bound.

    real, fake: (batch,) scores.   Returns a scalar. Arjovsky et al. 2017, algorithm 1.
    """
    return fake.mean() - real.mean()


def score_generator(fake: Tensor) -> Tensor:
    """Raise the score of the fakes: what both hinge and Wasserstein give the generator.

    fake: (batch,) scores.   Returns a scalar. Miyato et al. 2018, equation 17; Arjovsky et al. 2017, algorithm 1.
    """
    return -fake.mean()


def games() -> dict[str, Game]:
    """Return every pair by its name. Made anew at each call, so that a function put in another's place is seen."""
    return {
        "minimax": Game(logistic_discriminator, minimax_generator),
        "non-saturating": Game(logistic_discriminator, non_saturating_generator),
        "least squares": Game(least_squares_discriminator, least_squares_generator),
        "hinge": Game(hinge_discriminator, score_generator),
        "Wasserstein": Game(wasserstein_critic, score_generator),
    }


def slope(loss: Callable[[Tensor], Tensor], at: float) -> float:
    """Slope of a loss of scores in the score of one sample."""
    score = torch.tensor([at], dtype=torch.float64)
    return float(torch.func.grad(loss)(score)) + 0.0  # a flat place has slope 0, not -0


def generator_slope(game: str, logit: float) -> float:
    """What reaches the generator: slope of its loss in the score of a fake. Negative means: raise the score."""
    return slope(games()[game].generator, logit)


def slopes_table() -> list[dict[str, str]]:
    """Slope of each generator loss in the score of one fake, from clearly seen through to taken for real."""
    scores = (-12, -4, 0, 4)
    return [
        {"generator loss": name} | {f"at score {at:+d}": f"{generator_slope(name, at):+.2g}" for at in scores}
        for name in games()
    ]


def equilibrium_table() -> list[dict[str, object]]:
    """Losses of both sides where the discriminator cannot tell: D = 1/2 (score 0), or score 1/2 for least squares."""
    rows: list[dict[str, object]] = []
    for name, game in games().items():
        score = torch.full((1,), 0.5 if name == "least squares" else 0.0)
        rows.append(
            {
                "pair": name,
                "discriminator": game.discriminator(score, score).item(),
                "generator": game.generator(score).item(),
            }
        )
    return rows


def confident_discriminator_starves_only_minimax(logit: float = -12.0) -> Evidence:
    """Slope of every generator loss at a fake that the discriminator gives a probability of 6e-6.

    Minimax passes on sigmoid(-12) = 6e-6; the others at least 0.99. That factor is why nobody trains with it.
    """
    found = {name: abs(slope(game.generator, logit)) for name, game in games().items()}
    others = min(size for name, size in found.items() if name != "minimax")
    return Evidence(
        holds=0 < found["minimax"] < 1e-5 and others > 0.99,
        measured={
            "minimax": found["minimax"],
            "non-saturating": found["non-saturating"],
            "least of the others": others,
        },
    )


def same_direction_everywhere() -> Evidence:
    """Slopes of minimax and non-saturating over scores -6 to 6: both negative, their sizes add to one.

    sigmoid(s) and 1 - sigmoid(s): one is large where the other is small, and neither ever turns round.
    """
    scores = torch.linspace(-6, 6, 25).tolist()
    pairs = [(generator_slope("minimax", s), generator_slope("non-saturating", s)) for s in scores]
    off = max(abs(a + b + 1) for a, b in pairs)
    return Evidence(
        holds=off < 1e-9 and max(max(pair) for pair in pairs) < 0, measured={"sum to -1 within 1e-9": off < 1e-9}
    )


def zero_sum_or_not() -> Evidence:
    """Slope of the sum of both losses in the score of a fake, at 40 random scores: zero in a zero-sum game.

    What one side wins by a fake the other has to lose. That is so for minimax and Wasserstein; in the pairs that are
    used most, non-saturating, least squares and hinge, both sides can lose at once.
    """
    scores = 2 * torch.randn(40, dtype=torch.float64)
    largest = {}
    for name, game in games().items():

        def both(fake: Tensor, game: Game = game) -> Tensor:
            return 40 * (game.discriminator(torch.zeros_like(fake), fake) + game.generator(fake))

        largest[name] = torch.func.grad(both)(scores).abs().max().item()
    zero_sum = sorted(name for name, size in largest.items() if size < 1e-9)
    return Evidence(
        holds=zero_sum == ["Wasserstein", "minimax"] and min(largest[n] for n in largest if n not in zero_sum) > 0.5,
        measured={"zero-sum": ", ".join(zero_sum), "non-saturating, largest slope": largest["non-saturating"]},
        rel=None,
    )


def sum_of_losses(d_fake: float, game: str = "non-saturating") -> float:
    """L_D + L_G where D gives a fake the probability `d_fake` and a real sample 1 - d_fake; constant if zero-sum.

    The generator's term that it cannot influence, log D(x), is added for minimax so that the sum can be zero.
    """
    score = torch.tensor([math.log(d_fake / (1 - d_fake))], dtype=torch.float64)
    pair = games()[game]
    untouched = -F.softplus(score).item() if game == "minimax" else 0.0
    return (pair.discriminator(-score, score) + pair.generator(score)).item() + untouched


def hinge_goes_silent_past_the_margin() -> Evidence:
    """Slope of the discriminator's loss in the score of a real sample, at 3 and at 0.

    Past the margin of 1 hinge is flat: exactly 0. Cross-entropy keeps sigmoid(-3) = 0.047 and never lets go.
    """

    def at(name: str, score: float) -> float:
        return slope(lambda real: games()[name].discriminator(real, torch.full_like(real, -3)), score)

    beyond, bce, inside = at("hinge", 3), at("minimax", 3), at("hinge", 0)
    return Evidence(
        holds=beyond == 0 and abs(bce + 0.0474) < 1e-3 and inside == -1,
        measured={"hinge at 3": beyond, "cross-entropy at 3": bce, "hinge at 0": inside},
    )


def least_squares_pulls_back_what_is_too_real() -> Evidence:
    """Slope in the score of a fake at 3, beyond the target of 1: least squares pulls it down by 2, hinge pushes it up.

    A fake that already passes is still moved towards the decision boundary. Below the target its pull grows with the
    distance: 5 at score -4.
    """
    above, below, hinge = (
        generator_slope(n, s) for n, s in (("least squares", 3), ("least squares", -4), ("hinge", 3))
    )
    return Evidence(
        holds=abs(above - 2) < 1e-9 and abs(below + 5) < 1e-9 and hinge == -1,
        measured={"least squares at 3": above, "least squares at -4": below, "hinge at 3": hinge},
    )


def scores_of_any_size_are_safe() -> Evidence:
    """Scores of -200 and 200 in single precision, where log(sigmoid(-200)) is -inf: values and slopes are right.

    A slope lost to overflow would freeze the generator exactly where the non-saturating loss is meant to save it.
    """
    scores = torch.tensor([-200.0, 200.0])
    values = [non_saturating_generator(scores), minimax_generator(scores), logistic_discriminator(scores, scores)]
    slopes = 2 * torch.func.grad(non_saturating_generator)(scores)
    exact = torch.tensor([-1.0, 0.0])
    off = (slopes - exact).abs().nan_to_num(nan=1e9).max().item()
    finite = all(bool(v.isfinite()) for v in values)
    return Evidence(
        holds=finite and off < 1e-6 and abs(values[0].nan_to_num(0, 0, 0).item() - 100) < 1e-3,
        measured={"finite": finite, "slopes within 1e-6": off < 1e-6},
    )


def draw_slopes(axes: Axes) -> None:
    """Size of the slope that each generator loss passes on, against the score of the fake, on a logarithmic axis."""
    scores = [s / 4 for s in range(-40, 25)]
    marks = {"minimax": "-", "non-saturating": "-", "least squares": "--", "Wasserstein": ":"}
    for n, (name, line) in enumerate(marks.items()):
        sizes = [abs(generator_slope(name, s)) or math.nan for s in scores]
        label = "hinge, Wasserstein" if name == "Wasserstein" else name
        axes.semilogy(scores, sizes, line, color=f"C{n}", label=label)
    axes.set(xlabel="score of the fake (seen through ← → taken for real)", ylabel="size of the slope", ylim=(1e-5, 30))
    axes.legend(loc="lower right", fontsize="small")
