"""The mathematics font: STIX Two Math (OFL) out of the ziamath wheel, with only the characters that the site shows."""

import io
import string
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

URI = "assets/fonts/stix-two-math.woff2"

_LATIN, _GREEK = (
    string.ascii_uppercase + string.ascii_lowercase,
    "".join(map(chr, [*range(0x391, 0x3AA), *range(0x3B1, 0x3CA)])),
)
_ITALIC = dict(zip(_LATIN, map(chr, range(0x1D434, 0x1D468)), strict=True)) | {"h": "ℎ"}
_ITALIC |= dict(zip(_GREEK, map(chr, [*range(0x1D6E2, 0x1D6FB), *range(0x1D6FC, 0x1D715)]), strict=True))
"""What a browser shows for a letter that stands alone in a formula."""


def subset(characters: Iterable[str]) -> bytes:
    """Return the font as WOFF2 with these characters, their italics, and what they stretch to."""
    wanted = set(characters) | set(string.digits + "()+−=√")
    return _subset(frozenset(wanted | {_ITALIC[c] for c in wanted if c in _ITALIC}))


@lru_cache(maxsize=1)
def _subset(characters: frozenset[str]) -> bytes:
    from fontTools import subset as tool

    ziamath = find_spec("ziamath")  # found, not imported: only its font is wanted
    if ziamath is None or ziamath.origin is None:
        raise ModuleNotFoundError(
            "the site needs the font in the package ziamath: pip install executable-answers[site]"
        )

    options = tool.Options(flavor="woff2", hinting=False, layout_features=["ssty", "math", "dtls", "flac"])
    path = Path(ziamath.origin).with_name("fonts") / "STIXTwoMath-Regular.ttf"
    with tool.load_font(str(path), options) as font:
        subsetter = tool.Subsetter(options)
        subsetter.populate(unicodes=map(ord, characters))
        subsetter.subset(font)
        written = io.BytesIO()
        tool.save_font(font, written, options)
        return written.getvalue()
