"""LaTeX in one line: by hand, and that nothing of LaTeX is left over."""

import re

import pytest

from qa.practice.maths import linear

BY_HAND = {
    r"d_k": "dₖ",
    r"\sqrt{d_k}": "√dₖ",
    r"1/\sqrt{2\pi\sigma^2}": "1/√(2πσ²)",
    r"\sqrt[3]{x}": "³√x",
    r"\frac{a}{b}": "a/b",
    r"\frac{1}{2} x^2": "(1/2) x²",
    r"\frac{a+b}{c} = 1": "(a+b)/c = 1",
    r"\frac{\partial L}{\partial x_t}": "∂L/∂xₜ",
    r"\frac{p(x)}{q(x)}": "p(x)/q(x)",
    r"\frac{\left(\mu_{1} - x\right)^{2}}{2 \sigma_{1}^{2}}": "(μ₁ − x)²/(2 σ₁²)",
    r"\frac{(a)(b)}{c}": "((a)(b))/c",
    r"x_{t-1}": "xₜ₋₁",
    r"10^{-3}": "10⁻³",
    r"q_{\theta}(z \mid x)": "q_θ(z | x)",
    r"p(z\mid x)": "p(z | x)",
    r"D_{\mathrm{KL}}(q \,\|\, p)": "D_KL(q ‖ p)",
    r"\mathbb{E}\left[x^2\right]": "𝔼[x²]",
    r"W^{\top}": "Wᵀ",
    r"\lVert x \rVert_2": "‖x‖₂",
    r"\log{\left(x \right)}": "log(x)",
    r"\log \pi_\theta": "log π_θ",
    r"n \log n": "n log n",
    r"\operatorname{Var}{\left(x \right)} = d": "Var(x) = d",
    r"\hat{x} + \bar{\alpha}_t": "x̂ + α̅ₜ",
    r"\mu + \sigma \epsilon": "μ + σε",
    r"\left\{a, b\right.": "{a, b",
    r"e^{-x^2/2}": "e^(−x²/2)",
    r"x \in \mathbb{R}^{n \times d}": "x ∈ ℝ^(n × d)",
    r"0.5\%": "0.5%",
    r"\text{softmax}(x)": "softmax(x)",
    r"f'(x)": "f′(x)",
    r"\binom{n}{k}": "(n choose k)",
}


@pytest.mark.parametrize(("latex", "line"), BY_HAND.items())
def test_by_hand(latex: str, line: str) -> None:
    assert linear(latex) == line


@pytest.mark.parametrize(
    "latex", [r"\begin{cases} a & b \end{cases}", r"\nosuchcommand", "{a", "a}", r"x^", r"\frac{a}", "a & b"]
)
def test_what_is_no_line_is_none(latex: str) -> None:
    assert linear(latex) is None


def test_each_of_the_commands_that_unicodeit_mistakes() -> None:
    """It reads `\\le` in `\\left`, `\\l` in `\\log`, `\\o` in `\\operatorname`."""
    line = linear(r"\left(\log x\right) \le \operatorname{Cov}(x)")
    assert line == "(log x) ≤ Cov(x)"


def test_formulas_of_sympy_leave_nothing_of_latex() -> None:
    latex = (
        r"\int\limits_{-\infty}^{\infty} \left(\frac{\left(\mu_{2} - x\right)^{2}}{2 \sigma_{2}^{2}}"
        r" + \log{\left(\frac{\sigma_{2}}{\sigma_{1}} \right)}\right) q{\left(x \right)}\, dx"
    )
    line = linear(latex)
    assert line == "∫_(−∞)^∞ ((μ₂ − x)²/(2 σ₂²) + log(σ₂/σ₁)) q(x) dx"
    assert not re.search(r"[\\{}]", line)
