"""Images brought for prediction: formats, names, and refusals."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from largebatch.data import pictures
from largebatch.data.dataset import Images, Reading
from largebatch.data.idx import write_idx
from largebatch.data.pictures import read_images
from largebatch.errors import UserError

H, W = 3, 4
GREY, COLOUR = Images(H, W, classes=10), Images(H, W, classes=10, channels=3)
FLOATS = Images(H, W, classes=10, channels=3, pixel_scale=1)
PIXELS = np.arange(2 * H * W, dtype=np.uint8).reshape(2, H, W) * 10


def save_png(path: Path, pixels: np.ndarray, mode: str = "L") -> None:
    """Save grey pixels (height, width) as a PNG file of this mode."""
    Image.fromarray(pixels).convert(mode).save(path, format="PNG")


@pytest.mark.parametrize("name", ["some images", "some images.gz"])
def test_idx(tmp_path: Path, name: str) -> None:
    write_idx(tmp_path / name, PIXELS)
    names, images = read_images(tmp_path / name, GREY)
    assert names == [f"{name}[0]", f"{name}[1]"]
    np.testing.assert_array_equal(images, PIXELS[:, None])


@pytest.mark.parametrize("dtype", ["uint8", "int64", ">i2", "uint16"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(2, H, W), (2, H * W), (2, 1, H, W), (2, H, W, 1)])
def test_npy(tmp_path: Path, dtype: str, order: str, shape: tuple[int, ...]) -> None:
    array = PIXELS.reshape(shape).astype(dtype)
    np.save(tmp_path / "x.npy", np.asfortranarray(array) if order == "F" else array)
    names, images = read_images(tmp_path / "x.npy", GREY)
    assert names == ["x.npy[0]", "x.npy[1]"]
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, PIXELS[:, None])


def test_npy_of_one_image(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", PIXELS[0])
    names, images = read_images(tmp_path / "x.npy", GREY)
    assert names == ["x.npy[0]"]
    np.testing.assert_array_equal(images, PIXELS[:1, None])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_png(tmp_path: Path, mode: str) -> None:
    save_png(tmp_path / "a seven.PNG", PIXELS[1], mode)
    names, images = read_images(tmp_path / "a seven.PNG", GREY)
    assert names == ["a seven.PNG"]
    np.testing.assert_array_equal(images, PIXELS[1:, None])


def test_folder_of_png_files_is_sorted(tmp_path: Path) -> None:
    for letter in "hcafgbed":
        save_png(tmp_path / f"{letter}.png", np.full((H, W), ord(letter), np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    names, images = read_images(tmp_path, GREY)
    assert names == [f"{letter}.png" for letter in "abcdefgh"]
    assert images[:, 0, 0, 0].tolist() == list(b"abcdefgh")


def test_a_folder_of_more_pixels_than_are_read_is_refused_before_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 2 * H * W)
    for letter in "abc":
        (tmp_path / f"{letter}.png").write_bytes(b"never looked at")
    with pytest.raises(UserError, match="holds too many images: 36 bytes of pixels, more than the 24"):
        read_images(tmp_path, GREY)


# ---- colours, floats ----

RGB = np.arange(2 * 3 * H * W, dtype=np.uint8).reshape(2, 3, H, W) * 3  # N, C, H, W
LAST = RGB.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (RGB, RGB), (LAST, RGB), (RGB.reshape(2, -1), RGB), (RGB[1], RGB[1:]), (LAST[1], RGB[1:]),
    ],
    ids=["channels first", "channels last", "rows", "one image", "one image, channels last"],
)  # fmt: skip
def test_npy_in_colour(tmp_path: Path, array: np.ndarray, expected: np.ndarray, order: str) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(array) if order == "F" else array)
    names, images = read_images(tmp_path / "x.npy", COLOUR)
    assert names == [f"x.npy[{i}]" for i in range(len(expected))]
    np.testing.assert_array_equal(images, expected)


def test_channels_come_first_where_both_fit(tmp_path: Path) -> None:
    cubes = np.arange(54, dtype=np.uint8).reshape(2, 3, 3, 3)
    np.save(tmp_path / "x.npy", cubes)
    _, images = read_images(tmp_path / "x.npy", Images(3, 3, classes=10, channels=3))
    np.testing.assert_array_equal(images, cubes)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_png_in_colour(tmp_path: Path, mode: str) -> None:
    palette = Image.Palette.ADAPTIVE
    Image.fromarray(np.ascontiguousarray(LAST[1])).convert(mode, palette=palette).save(tmp_path / "x.png")
    names, images = read_images(tmp_path / "x.png", COLOUR)
    assert names == ["x.png"]
    np.testing.assert_array_equal(images, RGB[1:])


def test_grey_png_for_a_model_of_colours_has_three_equal_channels(tmp_path: Path) -> None:
    save_png(tmp_path / "x.png", PIXELS[1])
    _, images = read_images(tmp_path, COLOUR)
    np.testing.assert_array_equal(images, np.broadcast_to(PIXELS[1], (1, 3, H, W)))


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", ">f4", "int32"])
def test_npy_of_numbers_for_a_model_of_floats(tmp_path: Path, kind: str) -> None:
    numbers = (RGB / 4 - 9).astype(kind)
    np.save(tmp_path / "x.npy", numbers)
    _, images = read_images(tmp_path / "x.npy", FLOATS)
    assert images.dtype == np.float64
    np.testing.assert_array_equal(images, numbers.astype(np.float64))


def test_npy_of_features(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0.5, -1], [2, 1e300]]))
    _, images = read_images(tmp_path / "x.npy", Images(1, 2, classes=10, pixel_scale=1))
    assert images.tolist() == [[[[0.5, -1]]], [[[2, 1e300]]]]


@pytest.mark.parametrize("name", ["x.png", "x.gz", "a folder"])
def test_pictures_are_nothing_for_a_model_of_floats(tmp_path: Path, name: str) -> None:
    (tmp_path / "a folder").mkdir()
    with pytest.raises(UserError, match=rf"trained on floats: .*{name} must be a \.npy file"):
        read_images(tmp_path / name, FLOATS)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, number: float) -> None:
    np.save(tmp_path / "x.npy", np.full((1, 3, H, W), number))
    with pytest.raises(UserError, match=r"x\.npy holds values that are not finite"):
        read_images(tmp_path / "x.npy", FLOATS)


def test_two_channels_are_no_png(tmp_path: Path) -> None:
    save_png(tmp_path / "x.png", PIXELS[1])
    with pytest.raises(UserError, match=r"x\.png cannot be an image of 2 channels: give a \.npy file"):
        read_images(tmp_path / "x.png", Images(H, W, classes=10, channels=2))


def test_grey_images_are_nothing_for_a_model_of_colours(tmp_path: Path) -> None:
    write_idx(tmp_path / "x.gz", PIXELS)
    np.save(tmp_path / "x.npy", PIXELS)
    for name in ("x.gz", "x.npy"):
        with pytest.raises(
            UserError, match=r"has the shape \(2, 3, 4\); images of 3 channels of 3 x 4 pixels"
        ):
            read_images(tmp_path / name, COLOUR)


# ---- refusals ----


@pytest.mark.parametrize("name", ["x.npy", "x.gz", "x.png"])
def test_other_sizes_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, PIXELS)
    elif name == "x.gz":
        write_idx(path, PIXELS)
    else:
        save_png(path, PIXELS[0])
    with pytest.raises(UserError, match=r"5 x 4 pixels are wanted|4 wide and 5 high is wanted") as caught:
        read_images(path, Images(5, W, 10))
    assert str(path) in str(caught.value)


def test_idx_labels_are_no_images(tmp_path: Path) -> None:
    write_idx(tmp_path / "labels", np.arange(H * W, dtype=np.uint8))
    with pytest.raises(UserError, match=r"has the shape \(12,\)"):
        read_images(tmp_path / "labels", GREY)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (PIXELS / 255.0, "type float64; whole numbers 0..255"),
        (PIXELS > 3, "type bool"),
        (PIXELS.astype(np.int16) * 2, "values 0..460; pixels are 0..255"),
        (PIXELS.astype(np.int16) - 1, "values -1..229"),
        (PIXELS[:0], "has the shape"),
        (PIXELS.ravel(), "has the shape"),
        (PIXELS[None], "has the shape"),
        (np.array([{}], dtype=object), "type object"),
        (np.zeros((2, 3, 4), [("a", "u1")]), "type "),
    ],
    ids=["float", "bool", "large", "negative", "empty", "1-D", "4-D", "object", "record"],
)
def test_npy_of_other_values(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        read_images(tmp_path / "x.npy", GREY)


def npy(header: str, body: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy file with any header."""
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(header)) + header.encode() + body


def npy_header(shape: str, descr: str = "|u1") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a .npy file"),
        (b"PK\x03\x04 an archive", "not a .npy file"),
        (npy(npy_header("(2, 3, 4)"), version=(3, 0)), "not a .npy file"),
        (npy("{'descr': '|u1'}"), "not a .npy file"),
        (npy("(" * 5000), "not a .npy file"),
        (npy(npy_header("(2, 3, 4)"), bytes(23)), "announces 24 bytes of values, 23 follow"),
        (npy(npy_header("(2, 3, 4)"), bytes(25)), "announces 24 bytes of values, 25 follow"),
        (npy(npy_header(f"({2**40}, 3, 4)"), bytes(24)), "damaged: its header announces"),
        (npy(npy_header("(-1, 3, 4)"), bytes(24)), "has the shape"),
        (npy(npy_header("(-2, -12)"), bytes(24)), "has the shape"),
    ],
)
def test_damaged_npy(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_images(tmp_path / "x.npy", GREY)
    assert str(tmp_path / "x.npy") in str(caught.value)


def _like_npy() -> st.SearchStrategy[bytes]:
    """Files near to sound ones: sizes, types and bodies that mostly disagree."""
    shapes = st.lists(st.integers(-3, 5) | st.sampled_from([H, W, 2**40, True]), max_size=4).map(
        lambda dims: str(tuple(dims))
    )
    descrs = st.sampled_from(["|u1", "<i8", ">i2", "<f4", "|O", "|S3", "<M8[s]", "q", ""])
    headers = st.builds(npy_header, shapes, descrs) | st.text(max_size=40)
    return st.builds(npy, headers, st.binary(max_size=100), st.sampled_from([(1, 0), (1, 0), (2, 0), (9, 9)]))


@settings(max_examples=200)
@given(content=st.binary(max_size=100) | st.binary(max_size=100).map(b"\x93NUMPY".__add__) | _like_npy())
@pytest.mark.filterwarnings("ignore")  # NumPy and Python warn of odd headers
def test_fuzz_npy(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.npy"
    path.write_bytes(content)
    try:
        _, images = read_images(path, GREY)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert images.shape[1:] == (1, H, W)


def png_of_size(height: int, width: int) -> bytes:
    """A PNG file that announces a size and ends where its pixels should begin."""
    chunk = b"IHDR" + struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I", 1000) + b"IDAT"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_png_that_announces_a_huge_image(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for side, message in (
        (12000, "12000 pixels wide and 12000 high"),
        (60000, "more than the 67108864 pixels"),
    ):
        path.write_bytes(png_of_size(side, side))
        with pytest.raises(UserError, match=message):
            read_images(path, GREY)


def test_damaged_png(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    whole = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(whole, format="PNG")
    for content in (b"", b"text", png_of_size(H, W), whole.getvalue()[:-24]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"x\.png is not a readable PNG or JPEG file"):
            read_images(path, GREY)


def test_npy_that_announces_more_than_can_be_written_down(tmp_path: Path) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': (0x{'f' * 4000}, 3)}}\n".encode()
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header)
    with pytest.raises(UserError, match="announces more values than there can be"):
        read_images(tmp_path / "x.npy", GREY)


def test_other_format_named_png(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[0]).save(tmp_path / "x.png", format="BMP")
    with pytest.raises(UserError, match="not a readable PNG or JPEG file"):
        read_images(tmp_path / "x.png", GREY)


def test_png_with_transparent_pixels(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS[0]).convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / "x.png")
    with pytest.raises(UserError, match="transparent pixels"):
        read_images(tmp_path / "x.png", GREY)


def test_png_of_16_bits(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[0].astype(np.uint16) * 257).save(tmp_path / "x.png")
    with pytest.raises(UserError, match="16 bits per pixel"):
        read_images(tmp_path / "x.png", GREY)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no PNG or JPEG files"):
        read_images(tmp_path, GREY)
    with pytest.raises(UserError, match="absent is neither a file nor a folder"):
        read_images(tmp_path / "absent", GREY)


def test_jpeg_is_read_as_the_training_pictures_were(tmp_path: Path) -> None:
    colours = np.zeros((20, 10, 3), np.uint8)
    colours[:10] = (250, 0, 0)
    for name in ("a.jpg", "b.JPEG"):
        Image.fromarray(colours).save(tmp_path / name, format="JPEG", quality=95)
    size = Images(10, 5, 2, 3)
    names, images = read_images(tmp_path, size, reading=Reading(resize=(10, 5)))
    assert names == ["a.jpg", "b.JPEG"]
    assert images.shape == (2, 3, 10, 5)
    assert images[0, 0, :4].min() > 200 and images[0, 1:].max() < 50
    grey = read_images(tmp_path / "a.jpg", Images(20, 10, 2))[1]
    assert grey.shape == (1, 1, 20, 10)
    with pytest.raises(UserError, match=r"a.jpg is 10 pixels wide and 20 high; 5 wide and 10 high is wanted"):
        read_images(tmp_path, size)
