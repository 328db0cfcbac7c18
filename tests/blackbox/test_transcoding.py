"""Other transfer syntaxes from the real server: by dicomweb-client, broken off, beside others."""

import threading
from collections.abc import Callable
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import requests
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)
from rle.utils import encode_pixel_data

from tests.blackbox.server import running
from tests.datasets import dataset, encoded, with_pixels

DICOM = "application/dicom"
ROWS, COLUMNS = 64, 48
BROKEN = (requests.exceptions.ChunkedEncodingError, requests.ConnectionError)


def image(number: int, rows: int = ROWS, columns: int = COLUMNS) -> np.ndarray:
    random = np.random.default_rng(number)
    return random.integers(0, 4096, (rows, columns), np.uint16)


def jpeg_2000(samples: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(samples, codecformat="J2K", bitspersample=12, reversible=True)


def rle(samples: np.ndarray) -> bytes:
    size = {"rows": samples.shape[0], "columns": samples.shape[1]}
    return encode_pixel_data(
        samples.tobytes(), byteorder="<", samples_per_pixel=1, bits_allocated=16, **size
    )


ENCODERS: dict[str, Callable[[np.ndarray], bytes]] = {
    JPEG2000Lossless: jpeg_2000,
    JPEGLSLossless: imagecodecs.jpegls_encode,
    HTJ2KLossless: imagecodecs.htj2k_encode,
    ExplicitVRLittleEndian: np.ndarray.tobytes,
}


def compressed(uid: str, frames: list[bytes], **uids: str) -> Dataset:
    ds = with_pixels(dataset(uid, **uids), rows=ROWS, columns=COLUMNS, frames=len(frames))
    if uid == ExplicitVRLittleEndian:
        ds.PixelData = b"".join(frames)
    else:
        ds.PixelData = encapsulate(frames)
        ds["PixelData"].is_undefined_length = True
    return ds


@pytest.fixture
def series(dicomweb) -> list[Dataset]:
    """Four instances of three frames, each in another transfer syntax."""
    study, uid = generate_uid(), generate_uid()
    stored = [
        dcmread(
            BytesIO(
                encoded(
                    compressed(
                        syntax,
                        [encode(image(number)) for number in (1, 2, 3)],
                        StudyInstanceUID=study,
                        SeriesInstanceUID=uid,
                    )
                )
            )
        )
        for syntax, encode in ENCODERS.items()
    ]
    dicomweb.store_instances(stored, study)
    return stored


def test_dicomweb_client_gets_a_series_or_study_uncompressed_by_default(dicomweb, series):
    study, uid = series[0].StudyInstanceUID, series[0].SeriesInstanceUID
    for found in (
        dicomweb.retrieve_series(study, uid),
        dicomweb.retrieve_study(study),
        list(dicomweb.iter_series(study, uid)),
    ):
        assert {ds.SOPInstanceUID for ds in found} == {ds.SOPInstanceUID for ds in series}
        for ds in found:
            assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            for number in (1, 2, 3):
                np.testing.assert_array_equal(ds.pixel_array[number - 1], image(number))


@pytest.mark.parametrize(
    "media_type",
    ["application/octet-stream", ("application/octet-stream", ExplicitVRLittleEndian)],
)
def test_dicomweb_client_gets_frames_uncompressed(dicomweb, series, media_type):
    for ds in series:
        frames = dicomweb.retrieve_instance_frames(
            ds.StudyInstanceUID,
            ds.SeriesInstanceUID,
            ds.SOPInstanceUID,
            [3, 1],
            media_types=(media_type,),
        )
        assert frames == [image(3).tobytes(), image(1).tobytes()]


def test_dicomweb_client_gets_frames_in_jpeg_2000(dicomweb, series):
    for ds in series:
        frames = dicomweb.retrieve_instance_frames(
            ds.StudyInstanceUID,
            ds.SeriesInstanceUID,
            ds.SOPInstanceUID,
            [2],
            media_types=(("image/jp2", JPEG2000Lossless),),
        )
        (found,) = map(imagecodecs.jpeg2k_decode, frames)
        np.testing.assert_array_equal(found, image(2))


def test_dicomweb_client_gets_an_instance_in_the_syntax_it_asks_for(dicomweb, series):
    for ds in series:
        found = dicomweb.retrieve_instance(
            ds.StudyInstanceUID,
            ds.SeriesInstanceUID,
            ds.SOPInstanceUID,
            media_types=((DICOM, JPEGLSLossless),),
        )
        assert found.file_meta.TransferSyntaxUID == JPEGLSLossless
        np.testing.assert_array_equal(found.pixel_array[1], image(2))


def path(ds: Dataset) -> str:
    return (
        f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    )


def store(url: str, *files: bytes) -> None:
    for file in files:
        answer = requests.post(
            f"{url}/studies", data=file, headers={"Content-Type": DICOM}, timeout=60
        )
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("target", [ExplicitVRLittleEndian, JPEGLSLossless])
@pytest.mark.parametrize("form", [DICOM, f'multipart/related; type="{DICOM}"'])
def test_an_answer_that_cannot_be_finished_does_not_pass_for_whole(server, target, form):
    good = rle(image(1, 512, 512))
    ds = with_pixels(dataset(RLELossless), rows=512, columns=512, frames=20)
    ds.PixelData = encapsulate([good] * 19 + [b"no frame"])
    ds["PixelData"].is_undefined_length = True
    url = f"{server.url}/v2"
    store(url, encoded(ds))
    answer = requests.get(
        f"{url}/{path(ds)}",
        headers={"Accept": f"{form}; transfer-syntax={target}"},
        stream=True,
        timeout=60,
    )
    with answer:
        assert answer.status_code == 200
        known = target == ExplicitVRLittleEndian
        assert ("Content-Length" in answer.headers, answer.raw.chunked) == (known, not known)
        with pytest.raises(BROKEN):
            sum(map(len, answer.iter_content(1 << 16)))


def test_others_are_answered_while_the_only_worker_transcodes(tmp_path):
    ds = with_pixels(dataset(JPEG2000Lossless), rows=512, columns=512, frames=80)
    rows, columns = np.mgrid[:512, :512]
    ds.PixelData = encapsulate([jpeg_2000((rows * 5 + columns * 3).astype(np.uint16))] * 80)
    ds["PixelData"].is_undefined_length = True
    begun, ended = threading.Event(), threading.Event()
    lengths = []

    with running(tmp_path / "data", workers="1") as server:
        url = f"{server.url}/v2"
        store(url, encoded(ds))

        def retrieve() -> None:
            accept = {"Accept": f"{DICOM}; transfer-syntax={ExplicitVRLittleEndian}"}
            with requests.get(f"{url}/{path(ds)}", headers=accept, stream=True, timeout=60) as got:
                for chunk in got.iter_content(1 << 16):
                    lengths.append(len(chunk))
                    begun.set()
            ended.set()

        client = threading.Thread(target=retrieve)
        client.start()
        assert begun.wait(60)
        found = requests.get(f"{url}/studies", timeout=60)
        assert not ended.is_set()
        assert [study["0020000D"]["Value"] for study in found.json()] == [[ds.StudyInstanceUID]]
        client.join(60)
    assert ended.is_set()
    assert sum(lengths) > 80 * 512 * 512 * 2
