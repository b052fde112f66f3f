"""MNIST: 60000 training and 10000 test images of 28 x 28 pixels, ten classes."""

from __future__ import annotations

from largebatch.data.idx_published import PublishedIdx

# The shape of each file's array, and the SHA-256 of its content.
_FILES = {
    "train_images": (
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train_labels": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "test_images": (
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "test_labels": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
SET = PublishedIdx(
    name="mnist",
    title="MNIST",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files=_FILES,
    max_download=16 * 2**20,  # the largest has 9.9e6 bytes
    size="12 MB",
)
SOURCE = SET.source()
