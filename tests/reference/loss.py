"""Softmax with cross-entropy."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints


def softmax_cross_entropy(scores: Floats, y: Ints) -> tuple[float, int, Floats]:
    """Loss summed over the rows, rows predicted right, and the gradient of that sum.

    loss_n = log(sum_k exp(s_nk)) - s_n,y(n)        d loss_n / d s_nk = softmax(s_n)_k - [k = y(n)]

    The row's maximum is taken off first (log-sum-exp), so that exp can't overflow and the logarithm is of at
    least 1. Of equal highest scores the first class is the prediction.

    scores (N, K); y (N,) of 1..K; the gradient is (N, K).
    """
    rows = np.arange(len(y))
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dscores = np.exp(log_softmax)
    dscores[rows, y - 1] -= 1
    correct = np.count_nonzero(scores.argmax(axis=1) + 1 == y)
    return float(-log_softmax[rows, y - 1].sum()), int(correct), dscores
