"""Views of images that a trained network sees one after another, to take the mean of its answers."""

from dataclasses import dataclass

from cifarmlp.data import Images, Pixels, mirror, move


@dataclass(frozen=True)
class View:
    """A change of images before a network sees them: moved by so many pixels, left and right exchanged.

    >>> str(View(-1, 2, mirrored=True))
    'up 1, right 2, mirrored'
    """

    down: int = 0
    right: int = 0
    mirrored: bool = False

    def __str__(self) -> str:
        """Return the change in words, empty if there is none."""
        moves = (("down", "up", self.down), ("right", "left", self.right))
        words = [f"{there if by > 0 else back} {abs(by)}" for there, back, by in moves if by]
        return ", ".join([*words, *["mirrored"] * self.mirrored])

    def of(self, images: Images, blank: Pixels) -> Images:
        """Return the images as they are seen; blank (3072,): the pixels moved in."""
        pixels = images.pixels
        if self.down or self.right:
            pixels = move(pixels, self.down, self.right, blank)
        return Images(mirror(pixels) if self.mirrored else pixels, images.labels)


AS_IT_IS = View()


def views(mirror: bool, shift: int) -> list[View]:
    """Return the view without a change and, if asked, those mirrored and those moved.

    shift: up to so many pixels, horizontal and vertical ones added.

    >>> [str(view) for view in views(mirror=False, shift=1)]
    ['', 'up 1', 'left 1', 'right 1', 'down 1']
    """
    far = range(-shift, shift + 1)
    moves = [(down, right) for down in far for right in far if abs(down) + abs(right) <= shift]
    every = [View(*by, mirrored) for by in moves for mirrored in (False, True)[: 1 + mirror]]
    return sorted(every, key=lambda view: abs(view.down) + abs(view.right))
