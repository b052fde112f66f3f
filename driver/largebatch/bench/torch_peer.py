"""A network by PyTorch: `python -m largebatch.bench.torch_peer`, a process of its own.

For each line on standard input it trains an epoch and prints the seconds. Network, loss, optimizer, threads
and images are those of largebatch. It needs the package torch.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from largebatch.bench.torch_networks import NETWORKS


def main() -> None:
    """Train an epoch per line of input, and print the seconds of each."""
    import torch

    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help=".npz with images (N, C, H, W) and labels (N,), uint8")
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--dtype", choices=("float32", "float64"), required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    dtype = getattr(torch, options.dtype)
    with np.load(options.data, allow_pickle=False) as data:
        images = torch.tensor(data["images"]).to(dtype).div(255)
        labels = torch.tensor(data["labels"]).long()
    model = NETWORKS[options.network](tuple(images.shape[1:]), options.classes).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.0001)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in sys.stdin:
        started = time.perf_counter()
        order = torch.randperm(len(images))
        for first in range(0, len(images), options.batch_size):
            rows = order[first : first + options.batch_size]
            optimizer.zero_grad()
            loss_of(model(images[rows]), labels[rows]).backward()
            optimizer.step()
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
