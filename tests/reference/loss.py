"""Softmax with cross-entropy."""

from __future__ import annotations

import numpy as np

from tests.reference import Floats, Ints


def softmax_cross_entropy(scores: Floats, y: Ints, smoothing: float = 0.0) -> tuple[float, int, Floats]:
    """Loss summed over the rows, rows predicted right, and the gradient of that sum.

    loss_n = - sum_k q_nk log softmax(s_n)_k        d loss_n / d s_nk = softmax(s_n)_k - q_nk

    q_nk = (1-e) [k = y(n)] + e/K with smoothing e (Szegedy et al. 2016, section 7).

    The row's maximum is taken off first (log-sum-exp), so that exp can't overflow and the logarithm is of at
    least 1. Of equal highest scores the first class is the prediction.

    scores (N, K); y (N,) of 1..K; the gradient is (N, K).
    """
    rows = np.arange(len(y))
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    q = np.full(scores.shape, smoothing / scores.shape[1])
    q[rows, y - 1] += 1 - smoothing
    correct = np.count_nonzero(scores.argmax(axis=1) + 1 == y)
    return float(-(q * log_softmax).sum()), int(correct), np.exp(log_softmax) - q
