"""Figures as SVG for light and dark pages: text and axes take the page's colour, curves one that is legible on both."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

INK, GRID = "#010203", "#040506"
"""Stand-ins that become `currentColor` in the SVG; no curve has them."""

PALETTE = ("#2f7fd0", "#d2691e", "#2a9660", "#b5559c", "#8370d8", "#96821c")
"""C0, C1, …: at least 3:1 against white and against the dark page (a test computes it)."""

SIZE = (4.8, 3.3)
"""Inches; at 100 dots each it is 480 wide, and on a phone its letters are still read."""


def style(salt: str) -> Any:
    """Matplotlib's settings for a figure; the salt makes its ids its own and the same on every run."""
    from cycler import cycler

    ink = dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK)
    return {
        **ink,
        "svg.hashsalt": salt,
        "svg.fonttype": "path",
        "figure.figsize": SIZE,
        "figure.constrained_layout.use": True,
        "axes.prop_cycle": cycler(color=PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.alpha": 0.2,
        "grid.linewidth": 0.6,
        "font.size": 11,
        "legend.frameon": False,
        "lines.linewidth": 2.0,
        "image.cmap": "viridis",
        "savefig.transparent": True,
    }


@contextmanager
def drawing(salt: str) -> Iterator[Any]:
    """Give the axes of a new figure in our style, and close it afterwards."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(style(salt)):
        figure, axes = plt.subplots()
        try:
            yield axes
        finally:
            plt.close(figure)


def draw(function: Callable[..., Any], salt: str, **arguments: Any) -> str:
    """Return what a `draw_*` function draws, as SVG text to be put into a page."""
    with drawing(salt) as axes:
        function(axes, **arguments)
        out = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        axes.figure.savefig(out, format="svg", metadata=nothing)
    return clean(out.getvalue())


def clean(svg: str) -> str:
    """Drop what a page does not need, and let text, axes and grid take the page's colour."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    for stand_in in (INK, GRID):
        svg = svg.replace(stand_in, "currentColor")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
