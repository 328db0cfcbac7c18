"""wsidicom (0.36) opens a slide: it searches, reads metadata, and asks for tiles."""

import pytest
import requests
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSNearLossless,
    MicroscopyBulkSimpleAnnotationsStorage,
    VLWholeSlideMicroscopyImageStorage,
    generate_uid,
)

from tests.blackbox.clients.pictures import opened
from tests.blackbox.clients.samples import store
from tests.blackbox.clients.slides import TILE, slide, tile
from tests.datasets import dataset

JPEG = ("image/jpeg", JPEGBaseline8Bit)
OCTETS = ("application/octet-stream", ExplicitVRLittleEndian)
COLUMNS, ROWS = 20, 12
TILES = COLUMNS * ROWS


@pytest.fixture(scope="module")
def level(server):
    """The largest level of a slide of two levels, beside an image that is none."""
    study = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    level = slide(COLUMNS, ROWS, **study)
    label = slide(1, 1, ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"], **study)
    other = dataset(StudyInstanceUID=level.StudyInstanceUID)
    store(f"{server.url}/v2", level, label, other)
    return level


@pytest.fixture(scope="module")
def raw(server):
    """A slide that is not compressed."""
    level = slide(3, 2, compressed=False)
    store(f"{server.url}/v2", level)
    return level


@pytest.fixture
def tiles(dicomweb):
    """Frames as the client asks for them."""

    def tiles(ds: Dataset, numbers: list[int], media_type: tuple[str, str]) -> list[bytes]:
        place = ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID
        found = dicomweb.iter_instance_frames(*place, numbers, media_types=(media_type,))
        return [bytes(frame) for frame in found]

    return tiles


def test_the_images_of_a_slide_are_found_with_their_transfer_syntaxes(dicomweb, level):
    found = dicomweb.search_for_instances(
        level.StudyInstanceUID,
        fields=["AvailableTransferSyntaxUID"],
        search_filters={
            "00080016": VLWholeSlideMicroscopyImageStorage,
            "0020000E": [level.SeriesInstanceUID],
            "00080060": "SM",
        },
    )
    assert len(found) == 2
    for match in found:
        assert match["0020000E"]["Value"] == [level.SeriesInstanceUID]
        assert match["00080018"]["Value"]
        assert JPEGBaseline8Bit in match["00083002"]["Value"]
    annotations = dicomweb.search_for_instances(
        level.StudyInstanceUID,
        fields=["AvailableTransferSyntaxUID"],
        search_filters={
            "00080016": MicroscopyBulkSimpleAnnotationsStorage,
            "0020000E": [level.SeriesInstanceUID],
            "00080060": "ANN",
        },
    )
    assert annotations == []


def test_the_metadata_of_a_slide_become_a_data_set_without_bulk_values(dicomweb, level):
    place = level.StudyInstanceUID, level.SeriesInstanceUID, level.SOPInstanceUID
    ds = Dataset.from_json(dicomweb.retrieve_instance_metadata(*place))
    assert ds.NumberOfFrames == TILES
    assert ds.ImageType == ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    assert (ds.TotalPixelMatrixColumns, ds.TotalPixelMatrixRows) == (COLUMNS * TILE, ROWS * TILE)
    assert ds.SharedFunctionalGroupsSequence == level.SharedFunctionalGroupsSequence
    assert ds.OpticalPathSequence[0].OpticalPathIdentifier == "1"
    assert "ICCProfile" not in ds.OpticalPathSequence[0]
    assert "PixelData" not in ds


def test_tiles_come_one_by_one(tiles, level):
    for number in range(1, TILES + 1, 3):
        (found,) = tiles(level, [number], JPEG)
        assert found.rstrip(b"\0") == tile(number)
    assert opened(found).size == (TILE, TILE)


@pytest.mark.parametrize(
    "numbers", [range(1, TILES + 1), [*range(1, TILES + 1)] * 7, range(TILES, 0, -7), [5, 5, 1]]
)
def test_tiles_come_in_long_lists_and_in_the_order_asked_for(tiles, level, numbers):
    found = tiles(level, list(numbers), JPEG)
    assert [frame.rstrip(b"\0") for frame in found] == [tile(number) for number in numbers]


def test_tiles_that_are_not_compressed_come_as_they_are(tiles, raw):
    found = tiles(raw, [6, 1, 3], OCTETS)
    assert found == [tile(number, compressed=False) for number in (6, 1, 3)]


def test_a_transfer_syntax_that_tiles_cannot_be_had_in_is_tried_in_vain(tiles, level):
    """Without AvailableTransferSyntaxUID it tries one after the other, and goes on after 406."""
    for media_type in (("image/jp2", JPEG2000), ("image/jls", JPEGLSNearLossless)):
        with pytest.raises(requests.HTTPError, match="406"):
            tiles(level, [1], media_type)
