"""dicomweb-client asks for pictures."""

import numpy as np
import pytest
import requests

from tests.blackbox.clients.pictures import opened
from tests.blackbox.clients.samples import sample, store


@pytest.fixture(scope="module")
def mr(server):
    """An MR image of 64 x 64 pixels with a window of its own."""
    ds = sample("MR_small.dcm", WindowCenter=600, WindowWidth=1600)
    store(f"{server.url}/v2", ds)
    return ds


@pytest.fixture
def renderings(dicomweb, mr):
    """The client's calls for a series, an instance and a frame."""
    study, series = mr.StudyInstanceUID, mr.SeriesInstanceUID
    instance = mr.SOPInstanceUID
    return [
        lambda **kw: dicomweb.retrieve_series_rendered(study, series, **kw),
        lambda **kw: dicomweb.retrieve_instance_rendered(study, series, instance, **kw),
        lambda **kw: dicomweb.retrieve_instance_frames_rendered(study, series, instance, [1], **kw),
    ]


def windowed(ds, center: float, width: float) -> np.ndarray:
    """The function of PS3.3 C.11.2.1.2.1, as the brightness of a screen."""
    shade = ((ds.pixel_array - (center - 0.5)) / (width - 1) + 0.5) * 255
    return np.clip(shade, 0, 255)


@pytest.mark.parametrize(
    ("media_types", "format_"),
    [
        (None, "JPEG"),
        (("image/jpeg",), "JPEG"),
        (("image/png",), "PNG"),
        (("image/gif",), "GIF"),
        (("image/jp2",), "JPEG2000"),
        (("image/*",), "JPEG"),
        (("image/png", "image/jpeg"), "JPEG"),
    ],
)
def test_a_picture_comes_in_the_format_asked_for(renderings, media_types, format_):
    """Of several media types, and of none, the client makes ``*/*``."""
    for rendering in renderings:
        picture = opened(rendering(media_types=media_types))
        assert (picture.format, picture.size) == (format_, (64, 64))


def test_a_picture_has_the_window_of_the_image_or_the_one_asked_for(renderings, mr):
    asked = {"params": {"window": "400,500,LINEAR"}, "media_types": ("image/png",)}
    for rendering in renderings:
        own = opened(rendering(media_types=("image/png",)))
        assert np.abs(np.asarray(own) - windowed(mr, 600, 1600)).max() <= 1
        other = opened(rendering(**asked))
        assert np.abs(np.asarray(other) - windowed(mr, 400, 500)).max() <= 1


def test_a_picture_fits_into_the_viewport_asked_for(renderings):
    for rendering in renderings:
        assert opened(rendering(params={"viewport": "32,48"})).size == (32, 32)
        part = rendering(params={"viewport": "20,10,8,8,20,10"}, media_types=("image/png",))
        whole = rendering(media_types=("image/png",))
        assert np.array_equal(np.asarray(opened(part)), np.asarray(opened(whole))[8:18, 8:28])


def test_a_picture_has_the_quality_asked_for(renderings):
    for rendering in renderings:
        coarse, fine = (
            rendering(media_types=("image/jpeg",), params={"quality": quality})
            for quality in (10, 95)
        )
        assert len(coarse) < len(fine)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"annotation": "patient,technique"}, "annotation"),
        ({"annotation": "patient"}, "annotation"),
        ({"quality": 0}, "quality"),
        ({"viewport": "wide"}, "viewport"),
        ({"window": "1,2,cubic"}, "window"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_not_another_picture(renderings, params, told):
    for rendering in renderings:
        with pytest.raises(requests.HTTPError, match="400") as raised:
            rendering(params=params)
        assert told in raised.value.response.text.lower()


def test_a_study_is_rendered_too(url, mr):
    """The client has no call of its own for it."""
    study = f"{url}/studies/{mr.StudyInstanceUID}/rendered"
    for accept in ("*/*", "image/jpeg"):
        answer = requests.get(study, headers={"Accept": accept}, timeout=60)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        assert opened(answer.content).size == (64, 64)
