r"""Two metrics that make bad guards of a compressed model: FID compares two moments, BLEU compares words.

    FID = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))        BLEU-4 = brevity * (p1 p2 p3 p4)^(1/4)

Sources: Heusel et al. 2017 (arXiv:1706.08500), equation 6; Chong and Forsyth 2020 (arXiv:1911.07023) for its bias;
Papineni et al. 2002 for BLEU.
Variant: FID on whatever features it is given (no Inception network here); BLEU of one sentence against one reference,
clipped counts, no smoothing, so one missing 4-gram length makes it 0.
Not handled: several references, tokenisers, KID, precision and recall.

On paper: the four points (+-1, +-1) have mean 0 and the identity for covariance, like a standard Gaussian: FID 0. Of
"the cat sat" against "the cat ran", one of two pairs of words matches.
"""

import math
from collections import Counter

import torch
from torch import Tensor

from snippets.evidence import Evidence


def covariance(x: Tensor) -> Tensor:
    """Covariance of the features.  x: (samples, features)   Returns (features, features), also for one feature."""
    centred = x - x.mean(0)
    return centred.mT @ centred / len(x)


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Fréchet distance of the Gaussians with the samples' means and covariances.  x, y: (samples, features)."""
    gap = (x.mean(0) - y.mean(0)).square().sum()
    c1, c2 = covariance(x), covariance(y)
    root = torch.linalg.eigvals(c1 @ c2).real.clamp(min=0).sqrt().sum()
    return float(gap + c1.trace() + c2.trace() - 2 * root)


def bleu4(candidate: str, reference: str) -> float:
    """BLEU-4 of one sentence, words split at spaces, 0 where no n-gram of some length matches."""
    said, wanted = candidate.split(), reference.split()
    logs = 0.0
    for n in range(1, 5):
        mine, theirs = (Counter(tuple(w[i : i + n]) for i in range(len(w) - n + 1)) for w in (said, wanted))
        matched = sum(min(count, theirs[gram]) for gram, count in mine.items())
        if not matched:
            return 0.0
        logs += math.log(matched / sum(mine.values())) / 4
    brevity = min(1.0, math.exp(1 - len(wanted) / len(said)))
    return brevity * math.exp(logs)


def four_points_look_like_a_gaussian() -> Evidence:
    """FID (the metric of Inception features) of four point masses against a Gaussian with the same two moments: zero.

    And two samples of one Gaussian in 64 dimensions are at a distance that shrinks with their size: at 100 samples each
    it is over 10, though the truth is 0. Fix the sample size before comparing models.
    """
    x = torch.randn(4096, 2).double()
    centred = x - x.mean(0)
    white = centred @ torch.linalg.inv(torch.linalg.cholesky(covariance(x))).mT
    points = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]).double().repeat(1024, 1)
    blind = abs(frechet_distance(white, points)) < 1e-6
    small, large = (frechet_distance(torch.randn(n, 64).double(), torch.randn(n, 64).double()) for n in (100, 2000))
    moved = frechet_distance(white + 3, points)
    return Evidence(
        holds=blind and small > 10 > 3 > large > 0 and abs(moved - 18) < 1e-6,
        measured={"four points: below 1e-6": blind, "same Gaussian, 100 samples": small, "2000 samples": large},
    )


def bleu_prefers_the_negation() -> Evidence:
    """BLEU of a sentence with a "not" put in is high; that of a correct paraphrase in other words is nothing."""
    reference = "the committee approved the new budget for the next fiscal year on monday morning"
    negated = reference.replace("committee approved", "committee not approved")
    paraphrase = "early this week the panel passed spending plans covering the coming twelve months"
    wrong, right, itself = (bleu4(text, reference) for text in (negated, paraphrase, reference))
    return Evidence(
        holds=wrong > 0.7 and right == 0 and abs(itself - 1) < 1e-12,
        measured={"BLEU with the opposite meaning": wrong, "BLEU of the paraphrase": right},
    )
