r"""LaTeX as one line of Unicode: $\frac{\partial L}{\partial x_t}$ becomes ∂L/∂xₜ.

What stands inside what is read here; each sign and each script is looked up in `unicodeit`, which on whole formulas
takes the `\le` out of `\left`. Not handled: environments (cases, matrices); they give None.
"""

import re
from functools import cache

TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    "arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max min Pr sec sin sinh sup"
    " tan tanh arccos arcsin arctan argmax argmin"
)
DROPPED = _words("left right big Big bigg Bigg bigl bigr Bigl Bigr displaystyle textstyle limits nolimits ! nonumber")
AS_IS = _words("text textrm textbf textit texttt mathrm mathit mathbf mathsf mathtt boldsymbol bm operatorname")
ALPHABETS = _words("mathbb mathcal mathfrak mathscr")
ACCENTS = {"hat": "̂", "widehat": "̂", "bar": "̅", "overline": "̅", "tilde": "̃", "widetilde": "̃", "vec": "⃗", "dot": "̇"}
SIGNS = {
    "{": "{", "}": "}", "%": "%", "$": "$", "&": "&", "#": "#", "_": "_", "|": "‖", "\\": " ", ",": " ", ";": " ",
    ":": " ", " ": " ", "quad": " ", "qquad": " ", "mid": "|", "vert": "|", "lvert": "|", "rvert": "\b|", "Vert": "‖",
    "lVert": "‖", "rVert": "\b‖", "to": "→", "cdot": "·", "dots": "…", "ldots": "…", "cdots": "⋯", "colon": ":",
    "lbrack": "[", "rbrack": "]", "middle": "", "circ": "∘", "top": "⊤", "intercal": "ᵀ", "prime": "′", "epsilon": "ε",
    "varepsilon": "ε", "phi": "φ", "varphi": "φ", "land": "∧", "lor": "∨", "lnot": "¬", "implies": "⇒", "iff": "⇔",
    "le": "≤", "ge": "≥", "ne": "≠", "sum": "∑", "prod": "∏", "int": "∫", "ell": "ℓ",
}  # fmt: skip
BINARY = frozenset("=<>≤≥≠≈≡∼≪≫∝∈∉⊂⊆→⇒⇔←↔±×∘∣")
SMALL = "²³¹⁰-₟ᵃ-ᵿₐ-ₜʰ-˸"
ALONE = re.compile(rf"(?:[\w′̀-ͯ⃗.]+|√\w+|[-−]?\d+|\w*\((?:[^()]|\([^()]*\))*\)|\w*\[[^\[\]]*\])[{SMALL}]*")
"""What holds together beside the stroke of a fraction."""


class NotLinear(ValueError):
    """This LaTeX has no single line of text."""


@cache
def linear(latex: str) -> str | None:
    """Return LaTeX as one line of Unicode, None where it cannot be one."""
    reader = _Reader(latex)
    try:
        text = reader.sequence()
    except NotLinear:
        return None
    text = re.sub(r"\s+", " ", re.sub(r"\s*\x08", "", text)).strip()
    return re.sub(r"(?<=[(\[]) | (?=[)\],;])|(?<=\(−) ", "", text)


class _Reader:
    def __init__(self, latex: str) -> None:
        self.tokens: list[str] = TOKEN.findall(latex)
        self.at = 0

    def sequence(self, until: str | None = None) -> str:
        """Read up to the token given, or to the end."""
        parts: list[str] = []
        while True:
            if self.at == len(self.tokens):
                if until:
                    raise NotLinear
                return "".join(parts)
            token = self.tokens[self.at]
            self.at += 1
            if token == until:
                return "".join(parts)
            parts.append(self.one(token, "".join(parts)))

    def argument(self) -> str:
        """Read what a command or a script applies to: a group, or one sign."""
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        if self.at == len(self.tokens):
            raise NotLinear
        token = self.tokens[self.at]
        self.at += 1
        return self.sequence("}").strip() if token == "{" else self.one(token, "")

    def raw(self) -> str:
        """Read a group of plain text."""
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        if self.at < len(self.tokens) and self.tokens[self.at] == "{":
            end = self.tokens.index("}", self.at) if "}" in self.tokens[self.at :] else -1
            words = self.tokens[self.at + 1 : end]
            if end > 0 and not any(w.startswith("\\") or w in "{^_$" for w in words):
                self.at = end + 1
                return "".join(words)
        return self.argument()

    def one(self, token: str, before: str) -> str:
        """Read one thing that starts with this token."""
        if token == "{":
            return self.sequence("}")
        if token == "}" or token == "&":
            raise NotLinear
        if token in "^_":
            return script(token, self.argument())
        if not token.startswith("\\"):
            return {"-": "−", "*": "*", "~": " ", "'": "′"}.get(token, token)
        return self.command(token[1:].removesuffix("*"), before)

    def command(self, name: str, before: str) -> str:
        if name in SIGNS:
            return " | " if name == "mid" else self.spaced(SIGNS[name])
        if name in DROPPED:
            if self.at < len(self.tokens) and self.tokens[self.at] == "." and name in ("left", "right"):
                self.at += 1
            return ""
        if name in ("frac", "dfrac", "tfrac"):
            return self.fraction(before)
        if name == "sqrt":
            return self.root()
        if name == "binom":
            return f"({self.argument()} choose {self.argument()})"
        if name in AS_IS:
            text = self.raw()
            return self.function(text, before) if name == "operatorname" else text
        if name in ALPHABETS:
            letter = self.argument()
            return sign(f"{name}{{{letter}}}") or letter
        if name in ACCENTS:
            inner = self.argument()
            return inner + ACCENTS[name] if len(inner) == 1 else f"{name.removeprefix('wide')}({inner})"
        if name in FUNCTIONS:
            return self.function(name, before)
        if found := sign(name):
            return self.spaced(found)
        raise NotLinear

    def function(self, name: str, before: str) -> str:
        """Set a function's name apart from what it would run into."""
        following = "".join(self.tokens[self.at : self.at + 2]).lstrip()
        after = "" if not following or following[0] in "(_^{[|),=" or following.startswith(("\\left", "\\big")) else " "
        return (" " if before[-1:].isalnum() else "") + name + after

    def spaced(self, found: str) -> str:
        """LaTeX eats the space after a command; a sign that stands between two things gets its own."""
        if len(self.tokens[self.at - 1]) > 2:
            following = "".join(self.tokens[self.at : self.at + 2]).lstrip()
            while following[:1] not in "+-=<>/" and self.at < len(self.tokens) and self.tokens[self.at].isspace():
                self.at += 1
        return f" {found} " if found in BINARY else found

    def fraction(self, before: str) -> str:
        above, below = bracketed(self.argument()), bracketed(self.argument())
        rest = "".join(self.tokens[self.at :]).lstrip()
        alone = (not before.strip() or before.rstrip()[-1] in "=+-−(,[≤≥<>≈∼→|") and (
            not rest or rest[0] in "=+-),]}.;:<>" or rest.startswith((r"\right", r"\le", r"\ge", r"\approx", r"\,d"))
        )
        return f"{above}/{below}" if alone else f"({above}/{below})"

    def root(self) -> str:
        degree = ""
        if self.at < len(self.tokens) and self.tokens[self.at] == "[":
            self.at += 1
            degree = script("^", self.sequence("]"))
        inner = self.argument()
        return f"{degree}√{inner}" if re.fullmatch(r"\d+|\w[ₐ-ₜ₀-₉]*", inner) else f"{degree}√({inner})"


def bracketed(text: str) -> str:
    """Put brackets around what would not hold together beside a stroke."""
    text = text.strip()
    return text if ALONE.fullmatch(text) or re.fullmatch(r"[∂d] ?\w+", text) else f"({text})"


@cache
def sign(name: str) -> str | None:
    """Look up the sign of a command, exactly."""
    from unicodeit.data import REPLACEMENTS

    return _table(tuple(REPLACEMENTS)).get("\\" + name)


@cache
def _table(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {latex.strip(): text for latex, text in pairs}


def script(mark: str, text: str) -> str:
    """Return a super- or subscript: in Unicode where every sign has one, else after ^ or _."""
    import unicodeit

    text = text.strip()
    if text and set(text) <= {"′"}:
        return text
    if text == "⊤":
        return "ᵀ"
    if text in ("*", "∘"):
        return "*" if text == "*" else "°"
    plain = text.replace("−", "-").replace(" ", "")
    if plain and not re.search(r"[\\{}^_]", plain):
        small = str(unicodeit.replace(f"{mark}{{{plain}}}"))
        if not re.search(r"[\\{}^_]", small):
            return small
    return f"{mark}{text}" if re.fullmatch(r"[A-Za-z0-9Ͱ-Ͽ∞]+", text) else f"{mark}({text})"
