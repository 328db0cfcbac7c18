"""dicomweb-client retrieves instances and frames, whatever they are stored in."""

from copy import deepcopy

import numpy as np
import openjpeg
import pytest
import requests
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from tests.blackbox.clients.ohif import MP4, video
from tests.blackbox.clients.samples import IMAGES, as_file, sample, store

EXPLICIT = ("application/dicom", ExplicitVRLittleEndian)
OCTETS = ("application/octet-stream", ExplicitVRLittleEndian)
JP2 = ("image/jp2", JPEG2000Lossless)


@pytest.fixture(scope="module")
def images(server) -> dict[str, Dataset]:
    """An image of each transfer syntax, all in one series, by what the syntax is called."""
    first = sample("MR_small.dcm")
    series = {
        "StudyInstanceUID": first.StudyInstanceUID,
        "SeriesInstanceUID": first.SeriesInstanceUID,
    }
    names = {"explicit": "MR_small.dcm", **IMAGES}
    del names["JPEG Lossless"]  # pydicom has no decoder for it
    found = {name: sample(file, **series) for name, file in names.items()}
    store(f"{server.url}/v2", *found.values())
    return found


def place(ds: Dataset) -> tuple[str, str, str]:
    return ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID


def pixels(ds: Dataset) -> np.ndarray:
    """What pydicom decodes, frame by frame, without a change of colors."""
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    return np.stack([frame for frame, _ in decoder.iter_array(ds, raw=True)])


def assert_same_images(found: list[Dataset], images: dict[str, Dataset]) -> None:
    assert len(found) == len(images)
    stored = {ds.SOPInstanceUID: ds for ds in images.values()}
    for ds in found:
        assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        expected = stored.pop(ds.SOPInstanceUID)
        np.testing.assert_array_equal(pixels(ds), pixels(expected))
        assert ds.StudyInstanceUID == expected.StudyInstanceUID


def test_a_study_of_many_transfer_syntaxes_comes_in_explicit_little_endian(dicomweb, images):
    study, series, _ = place(images["RLE"])
    assert_same_images(dicomweb.retrieve_series(study, series), images)
    assert_same_images(list(dicomweb.iter_series(study, series)), images)
    assert_same_images(dicomweb.retrieve_study(study), images)
    assert_same_images(list(dicomweb.iter_study(study)), images)
    explicit = dicomweb.retrieve_study(study, media_types=(EXPLICIT,))
    assert_same_images(explicit, images)


def test_any_number_of_instances_comes_in_explicit_little_endian(dicomweb):
    first = sample("MR_small_implicit.dcm")
    count = 150
    copies = []
    for _ in range(count):
        copies.append(deepcopy(first))
        copies[-1].SOPInstanceUID = generate_uid()
    answer = dicomweb.store_instances(map(as_file, copies), first.StudyInstanceUID)
    assert len(answer.ReferencedSOPSequence) == count
    found = list(dicomweb.iter_study(first.StudyInstanceUID))
    assert {ds.file_meta.TransferSyntaxUID for ds in found} == {ExplicitVRLittleEndian}
    assert {ds.SOPInstanceUID for ds in found} == {ds.SOPInstanceUID for ds in copies}
    assert {ds.PixelData for ds in found} == {first.PixelData}


def test_an_instance_comes_as_it_is_stored_or_as_asked_for(dicomweb, images):
    for ds in images.values():
        stored = dicomweb.retrieve_instance(*place(ds))
        assert stored.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
        assert stored.PixelData == ds.PixelData
        explicit = dicomweb.retrieve_instance(*place(ds), media_types=(EXPLICIT,))
        assert_same_images([explicit], {"": ds})


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_a_series_comes_compressed_when_it_is_asked_to(dicomweb, images, syntax):
    study, series, _ = place(images["RLE"])
    found = dicomweb.retrieve_series(study, series, media_types=(("application/dicom", syntax),))
    stored = {ds.SOPInstanceUID: ds for ds in images.values()}
    assert len(found) == len(stored)
    for ds in found:
        assert ds.file_meta.TransferSyntaxUID == syntax
        np.testing.assert_array_equal(pixels(ds), pixels(stored[ds.SOPInstanceUID]))


def test_the_client_takes_what_is_stored_if_it_says_so(dicomweb, images):
    study, series, _ = place(images["RLE"])
    found = dicomweb.retrieve_series(study, series, media_types=(("application/dicom", "*"),))
    stored = {ds.SOPInstanceUID: ds for ds in images.values()}
    for ds in found:
        assert ds.file_meta == stored[ds.SOPInstanceUID].file_meta


def test_a_transfer_syntax_that_is_never_made_is_an_error(dicomweb, images):
    study, series, _ = place(images["RLE"])
    lossy = (("application/dicom", JPEGBaseline8Bit),)
    with pytest.raises(requests.HTTPError, match="406") as raised:
        dicomweb.retrieve_series(study, series, media_types=lossy)
    assert "On offer" in raised.value.response.text
    assert dicomweb.retrieve_instance(*place(images["JPEG Baseline"]), media_types=lossy)


def test_frames_come_as_they_are_stored_by_default(dicomweb, images):
    for ds in images.values():
        found = dicomweb.retrieve_instance_frames(*place(ds), [1])
        assert found == list(dicomweb.iter_instance_frames(*place(ds), [1]))
        if ds.file_meta.TransferSyntaxUID.is_encapsulated:
            count = ds.get("NumberOfFrames", 1)
            assert bytes(found[0]) == get_frame(ds.PixelData, 0, number_of_frames=count)
        else:
            assert bytes(found[0]) == ds.PixelData


def test_frames_come_decoded_as_octets(dicomweb, images):
    for ds in images.values():
        numbers = list(range(ds.get("NumberOfFrames", 1), 0, -1))
        for media_types in (("application/octet-stream",), (OCTETS,)):
            found = dicomweb.retrieve_instance_frames(*place(ds), numbers, media_types=media_types)
            expected = pixels(ds)[::-1].astype(f"<{pixels(ds).dtype.str[1:]}")
            for frame, samples in zip(found, expected, strict=True):
                assert bytes(frame) == samples.tobytes()


def test_frames_come_in_jpeg_2000_when_they_are_asked_to(dicomweb, images):
    for media_types in ((JP2,), ("image/jp2",)):
        for ds in images.values():
            found = dicomweb.retrieve_instance_frames(*place(ds), [1], media_types=media_types)
            samples = openjpeg.decode(bytes(found[0]))
            np.testing.assert_array_equal(samples, pixels(ds)[0])
            streamed = dicomweb.iter_instance_frames(*place(ds), [1], media_types=media_types)
            assert list(streamed) == found


@pytest.mark.parametrize(
    ("media_type", "name"),
    [
        ("image/dicom-rle", "RLE"),
        ("image/x-dicom-rle", "RLE"),
        ("image/jls", "JPEG-LS"),
        ("image/x-jls", "JPEG-LS"),
        ("image/jp2", "JPEG 2000"),
        ("image/jpeg", "JPEG Baseline"),
        ("image/*", "RLE"),
        ("image/*", "JPEG-LS"),
        ("image/*", "JPEG Baseline"),
    ],
)
def test_compressed_frames_have_new_and_old_names(dicomweb, images, media_type, name):
    ds = images[name]
    syntax = ds.file_meta.TransferSyntaxUID
    stored = dicomweb.retrieve_instance_frames(*place(ds), [1])
    asked = [media_type] if "*" in media_type else [media_type, (media_type, syntax)]
    for one in asked:
        assert dicomweb.retrieve_instance_frames(*place(ds), [1], media_types=(one,)) == stored


def test_of_several_media_types_that_is_sent_which_is_stored(dicomweb, images):
    several = (JP2, ("image/x-jls", JPEGLSLossless), OCTETS, ("image/jpeg", JPEGBaseline8Bit))
    for name in ("JPEG 2000", "JPEG-LS", "JPEG Baseline", "explicit"):
        stored = dicomweb.retrieve_instance_frames(*place(images[name]), [1])
        found = dicomweb.retrieve_instance_frames(*place(images[name]), [1], media_types=several)
        assert found == stored


def test_a_video_is_retrieved_as_its_one_frame(server, dicomweb):
    ds = video()
    store(f"{server.url}/v2", ds)
    mp4 = ("video/mp4", ds.file_meta.TransferSyntaxUID)
    for media_types in (None, ("video/mp4",), ("video/*",), (mp4,)):
        assert dicomweb.retrieve_instance_frames(*place(ds), [1], media_types=media_types) == [MP4]
