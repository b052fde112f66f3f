"""The networks of largebatch in PyTorch, which it needs only where one is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

STAGES = 3
Image = tuple[int, int, int]  # channels, height, width


def lenet(image: Image, classes: int) -> nn.Module:
    """LeNet whose maps keep their size."""
    from torch import nn

    channels, height, width = image
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * (height // 4) * (width // 4), 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, classes),
    )  # fmt: skip


def residual(image: Image, classes: int, blocks: int, filters: int = 16) -> nn.Module:
    """A residual network with so many blocks in a stage, whose parameters have the names of our arrays."""
    from torch import nn

    def unit(before: int, after: int, side: int = 3, stride: int = 1) -> list[nn.Module]:
        convolution = nn.Conv2d(before, after, side, stride, padding=side // 2, bias=False)
        return [convolution, nn.BatchNorm2d(after)]

    class Block(nn.Module):  # type: ignore[misc, unused-ignore]  # unknown where PyTorch is not installed
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = unit(before, after, 3, stride)
            self.conv2, self.bn2 = unit(after, after)
            self.downsample = nn.Sequential(*(unit(before, after, 1, stride) if stride > 1 else []))

        def forward(self, x: Any) -> Any:
            y = self.bn1(self.conv1(x)).relu_()
            return (self.bn2(self.conv2(y)) + self.downsample(x)).relu_()

    def stage(number: int) -> nn.Module:
        after, stride = filters * 2**number, 2 if number else 1
        first = Block(after // stride, after, stride)
        return nn.Sequential(first, *(Block(after, after, 1) for _ in range(blocks - 1)))

    class Residual(nn.Module):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = unit(image[0], filters)
            self.layer1, self.layer2, self.layer3 = (stage(number) for number in range(STAGES))
            self.fc = nn.Linear(filters * 2 ** (STAGES - 1), classes)

        def forward(self, x: Any) -> Any:
            x = self.bn1(self.conv1(x)).relu_()
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.fc(x.mean((2, 3)))

    return Residual()


NETWORKS: dict[str, Callable[[Image, int], nn.Module]] = {
    "lenet": lenet,
    "resnet8": partial(residual, blocks=1),
    "resnet20": partial(residual, blocks=3),
}
