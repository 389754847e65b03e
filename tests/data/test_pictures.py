"""Pictures of all kinds become 32 x 32 pixels in RGB, and what is none is refused in one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifarmlp.data import read_picture
from cifarmlp.errors import DataError

RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 256, (32, 32, 3), np.uint8)
HALVES = (
    np.repeat([[[250, 0, 0]], [[0, 0, 250]]], 40, axis=1).repeat(20, axis=0).astype(np.uint8)
)  # red above blue
GREY = np.tile(np.arange(0, 256, 8, np.uint8), (32, 1))


def test_a_picture_of_the_right_form_is_taken_bit_by_bit(tmp_path: Path) -> None:
    for mode in ("RGB", "RGBA"):
        Image.fromarray(PIXELS).convert(mode).save(tmp_path / "exact.png")
        picture = read_picture(tmp_path / "exact.png")
        assert np.array_equal(picture.pixels, PIXELS)
        assert picture.changes == (() if mode == "RGB" else ("from RGBA to RGB",))


@pytest.mark.parametrize(
    ("size", "stretched"), [((96, 96), False), ((200, 60), True), ((4, 4), False), ((1, 300), True)]
)
def test_another_size_is_resized_as_a_whole_and_said(
    size: tuple[int, int], stretched: bool, tmp_path: Path
) -> None:
    Image.fromarray(HALVES).resize(size, Image.Resampling.NEAREST).save(tmp_path / "any.png")
    picture = read_picture(tmp_path / "any.png")
    assert picture.pixels.shape == (32, 32, 3)
    assert (picture.pixels[2, 5].argmax(), picture.pixels[-3, 5].argmax()) == (0, 2)
    (change,) = picture.changes
    assert change.startswith(f"{size[0]} x {size[1]} pixels, resized to 32 x 32")
    assert ("not in proportion" in change) is stretched


def test_greys_palettes_and_cmyk_become_rgb(tmp_path: Path) -> None:
    grey = Image.fromarray(GREY)
    grey.save(tmp_path / "grey.png")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    grey.convert("P").save(tmp_path / "palette.gif")
    grey.convert("CMYK").save(tmp_path / "cmyk.tif")
    for name, words in (
        ("grey.png", "from greyscale"),
        ("deep.png", "from greyscale"),
        ("palette.gif", "from "),
        ("cmyk.tif", "from CMYK"),
    ):
        picture = read_picture(tmp_path / name)
        assert np.abs(picture.pixels.astype(int) - GREY[..., None]).max() <= 1, name
        assert picture.changes[0].startswith(words), name


def test_of_an_animation_the_first_frame_is_taken_and_said(tmp_path: Path) -> None:
    first, second = (Image.fromarray(frame).convert("P") for frame in (GREY, 255 - GREY))
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    picture = read_picture(tmp_path / "moving.gif")
    assert picture.changes[0] == "the first of 2 frames"
    assert np.abs(picture.pixels.astype(int) - GREY[..., None]).max() <= 1


def test_a_folder_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: Is a directory; give the pictures in it"):
        read_picture(tmp_path)


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    alpha = np.full((32, 32, 1), 255, np.uint8)
    alpha[:, :16] = 0
    Image.fromarray(np.concatenate([PIXELS, alpha], axis=2)).save(tmp_path / "half.png")
    picture = read_picture(tmp_path / "half.png")
    assert (picture.pixels[:, :16] == 255).all()
    assert np.array_equal(picture.pixels[:, 16:], PIXELS[:, 16:])
    assert "transparent parts on white" in picture.changes


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(HALVES).rotate(180).save(tmp_path / "photo.jpg", exif=exif)
    picture = read_picture(tmp_path / "photo.jpg")
    assert (picture.pixels[2, 5].argmax(), picture.pixels[-3, 5].argmax()) == (0, 2)
    assert picture.changes[0] == "turned as its EXIF says"


# Refusals


def text(path: Path) -> None:
    path.write_text("a\x1b[2J picture")


def cut(path: Path) -> None:
    Image.fromarray(PIXELS).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:700])


def bomb(side: int) -> Callable[[Path], None]:
    return lambda path: Image.new("1", (side, side)).save(path, "PNG")


def postscript(path: Path) -> None:
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (text, "not a picture that Pillow reads"),
        (Path.touch, "not a picture that Pillow reads"),
        (postscript, "not a picture that Pillow reads"),  # for which another program would be started
        (cut, "a damaged picture: "),
        (bomb(9_500), "too large"),
        (bomb(14_000), "too large"),
        (Path.mkdir, "cannot be read: Is a directory"),
        (lambda path: path, "cannot be read: No such file"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read: not a regular file"),
    ],
    ids=["text", "empty", "eps", "cut", "bomb", "larger bomb", "folder", "missing", "device"],
)
def test_what_is_no_picture_is_refused_in_a_line(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / "a\x1b.png")
    with pytest.raises(DataError) as refused:
        read_picture(tmp_path / "a\x1b.png")
    assert str(refused.value).startswith(f"{tmp_path}/a\\x1b.png: {reason}")
    assert str(refused.value).isprintable()
