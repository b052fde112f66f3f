"""Fashion-MNIST (Xiao et al. 2017): clothes in MNIST's format, and harder than its digits."""

from __future__ import annotations

from largebatch.data.idx_published import PublishedIdx

# The shape of each file's array, and the SHA-256 of its content.
_FILES = {
    "train_images": (
        (60000, 28, 28),
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "train_labels": ((60000,), "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    "test_images": (
        (10000, 28, 28),
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "test_labels": ((10000,), "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
}
SET = PublishedIdx(
    name="fashion-mnist",
    title="Fashion-MNIST",
    # The authors' own address has no https.
    mirrors=("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",),
    files=_FILES,
    max_download=32 * 2**20,  # the largest has 26.4e6 bytes
    size="31 MB",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)
SOURCE = SET.source()
