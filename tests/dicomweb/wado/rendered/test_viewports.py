import numpy as np
import pytest

from tests.datasets import dataset
from tests.dicomweb.wado.exchange import path
from tests.dicomweb.wado.rendered.images import IDENTITY, image, opened, ramp, shades


@pytest.fixture
def shown(store, get):
    """Stores an instance and returns what is shown of it."""

    def shown(ds, query: str = "", form: str = "rendered"):
        store(ds)
        return opened(get(f"{path(ds)}/{form}?{query}", "image/png"))

    return shown


@pytest.mark.parametrize(
    ("viewport", "size"),
    [
        ("64,4", (64, 4)),
        ("32,32", (32, 2)),
        ("640,640", (640, 40)),
        ("1000,8", (128, 8)),
        ("1,1", (1, 1)),
        ("100,100,0,0,4,4", (100, 100)),
        ("100,100,60,0", (100, 100)),
        ("100,100,,,8,4", (100, 50)),
        ("100,100,,,-8,-4", (100, 50)),
    ],
)
def test_the_region_fills_the_viewport_undistorted(shown, viewport, size):
    assert shown(image(ramp(), **IDENTITY), f"viewport={viewport}").size == size


def test_a_region_in_its_own_size_is_what_is_stored_there(store, get):
    ds = image(ramp(), **IDENTITY)
    store(ds)

    def region(viewport: str):
        return shades(get(f"{path(ds)}/rendered?viewport={viewport}", "image/png"))

    assert (region("16,3,8,1,16,3") == ramp()[1:4, 8:24]).all()
    assert (region("16,3,8,1,-16,3") == ramp()[1:4, 23:7:-1]).all()
    assert (region("16,3,8,1,16,-3") == ramp()[3:0:-1, 8:24]).all()
    assert (region("64,4,,,-64,-4") == ramp()[::-1, ::-1]).all()


@pytest.mark.parametrize("region", ["65,0", "0,4", "0,0,65,4", "0,0,64,5", "63,0,2,1", ",,64.5"])
def test_a_region_outside_the_image_is_refused(store, get, region):
    ds = image(ramp(), **IDENTITY)
    store(ds)
    answer = get(f"{path(ds)}/rendered?viewport=9,9,{region}")
    assert (answer.status_code, "64 columns and 4 rows" in answer.text) == (400, True)
    missing = get(f"{path(dataset())}/rendered?viewport=9,9,{region}")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("size", "query", "expected"),
    [
        ((2048, 1024), "", (256, 512)),
        ((1024, 2048), "", (512, 256)),
        ((100, 50), "", (50, 100)),
        ((513, 513), "", (512, 512)),
        ((1000, 1), "", (1, 512)),
        ((2048, 1024), "viewport=64,64", (32, 64)),
        ((2048, 1024), "viewport=4000,4000", (256, 512)),
        ((100, 50), "viewport=4000,4000", (50, 100)),
        ((100, 50), "viewport=20,4000", (20, 40)),
    ],
)
def test_a_thumbnail_has_at_most_512_pixels_on_its_longer_side_and_is_never_enlarged(
    shown, size, query, expected
):
    pixels = np.zeros(size, np.uint8)
    assert shown(image(pixels), query, "thumbnail").size == expected


@pytest.mark.parametrize(
    "attributes",
    [{"PixelAspectRatio": [2, 1]}, {"PixelSpacing": [0.5, 0.25]},
     {"ImagerPixelSpacing": [3, 1.5]}, {"PixelSpacing": [2, 1], "PixelAspectRatio": [1, 9]}],
)  # fmt: skip
def test_pixels_that_are_not_square_become_so_where_an_image_is_scaled(store, get, attributes):
    """Twice as high as wide; but an image that is not scaled is as it is stored."""
    ds = image(np.zeros((20, 20), np.uint8), **attributes)
    store(ds)

    def size(rest: str) -> tuple[int, int]:
        return opened(get(f"{path(ds)}/{rest}", "image/png")).size

    assert size("rendered") == (20, 20)
    assert size("rendered?viewport=100,100") == (50, 100)
    assert size("rendered?viewport=100,100,0,0,10,5") == (100, 100)
    assert size("thumbnail") == (10, 20)
    assert size("thumbnail?viewport=5,5") == (2, 5)


@pytest.mark.parametrize("ratio", [[0, 1], [1, 0], [-2, 1], ["1000", "1"], [1]])
def test_a_malformed_aspect_ratio_does_not_count(shown, ratio):
    ds = image(np.zeros((20, 20), np.uint8), PixelAspectRatio=ratio)
    assert shown(ds, form="thumbnail").size == (20, 20)
