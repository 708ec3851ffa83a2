r"""The smallest zero-sum game: one player lowers x y, the other raises it. Gradient steps circle its equilibrium.

Source: Goodfellow 2016 (NIPS tutorial, arXiv:1701.00160), the game V(x, y) = x y; Mescheder et al. 2018
    (arXiv:1801.04406): a point mass against a linear discriminator behaves like this near its equilibrium.
Variant: plain gradient steps of equal rate; simultaneous (both from the old point) or alternating (the second player
    sees the first one's move), which is what GAN code does.
Not handled: momentum, penalties, more than one dimension for each player.

Worked example: from (1, 1) with rate 0.1. Simultaneous: x = 1 - 0.1 = 0.9, y = 1 + 0.1 = 1.1, squared radius
    2.02 = 1.01 * 2. Alternating: x = 0.9, then y = 1 + 0.09 = 1.09, squared radius 1.998.
"""

import math

import sympy
from matplotlib.axes import Axes

from snippets.derivation import Steps, proved, step
from snippets.evidence import Evidence, proof


def simultaneous(x: float, y: float, rate: float) -> tuple[float, float]:
    """Both players step from the old point: x down the slope of x y, which is y, and y up its slope, which is x."""
    return x - rate * y, y + rate * x


def alternating(x: float, y: float, rate: float) -> tuple[float, float]:
    """The first player steps, and the second answers to where the first one stands now."""
    x = x - rate * y
    return x, y + rate * x


def path(kind: str, steps: int, rate: float = 0.1) -> list[tuple[float, float]]:
    """Return the points visited from (1, 1) on; kind is "simultaneous" or "alternating"."""
    move = {"simultaneous": simultaneous, "alternating": alternating}[kind]
    points = [(1.0, 1.0)]
    for _ in range(steps):
        points.append(move(*points[-1], rate))
    return points


def radius(kind: str, steps: int, rate: float = 0.1) -> float:
    """Distance from the equilibrium (0, 0) after so many steps from (1, 1)."""
    return math.hypot(*path(kind, steps, rate)[-1])


def derive_orbits() -> Steps:
    r"""What one step of rate h does to the squared radius; and what alternating steps leave as it is."""
    x, y = sympy.symbols("x y", real=True)
    h = sympy.symbols("h", positive=True)
    new_x = x - h * y
    new_y = y + h * new_x
    return {
        "Simultaneous steps: the squared radius grows at every step": step(
            (x - h * y) ** 2 + (y + h * x) ** 2, (1 + h**2) * (x**2 + y**2)
        ),
        "Alternating steps keep an ellipse": step(new_x**2 + new_y**2 - h * new_x * new_y, x**2 + y**2 - h * x * y),
    }


@proof
def orbits_are_proved() -> Evidence:
    """Simultaneous steps grow by 1 + h^2 each, alternating ones stay on an ellipse: by algebra and at random points."""
    results = [proved(equality) for equality in derive_orbits().values()]
    return Evidence(holds=len(results) == 2 and all(results), measured={"steps proved": sum(results)})


def neither_order_arrives() -> Evidence:
    """1000 steps of 0.1 from (1, 1), distance 1.41: simultaneous ones end 204 away, alternating ones near the start.

    Zero-sum, convex-concave, with one equilibrium at 0, and no order of plain steps gets there. Alternating does not
    even come within half of the first distance on its way.
    """
    out = radius("simultaneous", 1000)
    orbit = [math.hypot(*point) for point in path("alternating", 1000)]
    grown = out / math.sqrt(2) / 1.01**500
    return Evidence(
        holds=abs(grown - 1) < 1e-6 and max(orbit) < 1.6 and min(orbit) > 1.3,
        measured={"simultaneous": out, "alternating, nearest": min(orbit), "alternating, farthest": max(orbit)},
    )


def draw_orbits(axes: Axes) -> None:
    """Paths of both orders from the same start, and the equilibrium between them."""
    for n, kind in enumerate(("simultaneous", "alternating")):
        x, y = zip(*path(kind, 150), strict=True)
        axes.plot(x, y, "-", color=f"C{n}", label=kind)
    axes.plot([0], [0], "o", color="C2", label="equilibrium")
    axes.set(xlabel="x", ylabel="y", ylim=(-3, 5.5), aspect="equal")
    axes.legend(fontsize="small", loc="upper right")
