"""Retrieving the value of one element."""

import re
from io import BytesIO
from struct import pack

import orjson
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import parts, path

OCTETS = "application/octet-stream"
PDF = b"%PDF-1.7 " + bytes(range(256)) * 8 + b"%%EOF"
NUMBERS = pack("<1000H", *range(1000))
LITTLE_ENDIAN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
PIXEL_DATA = "7FE00010"
DOCUMENT = "00420011"
NESTED = "54000100/2/54001010"


@pytest.fixture
def database_url(tmp_path) -> str:
    """The index matters little here: one database is enough."""
    return f"sqlite://{tmp_path}/index.sqlite"


def several(part_type: str) -> str:
    return f'multipart/related; type="{part_type}"'


def document(mime_type: str = "application/pdf", content: bytes = PDF) -> Dataset:
    ds = dataset(SOPClassUID=EncapsulatedPDFStorage, Modality="DOC")
    ds.EncapsulatedDocument, ds.MIMETypeOfEncapsulatedDocument = content, mime_type
    return ds


def with_bulk(transfer_syntax_uid: str = ExplicitVRLittleEndian) -> Dataset:
    """An instance with bulk values of all kinds."""
    ds = with_pixels(dataset(transfer_syntax_uid), frames=3)
    ds.EncapsulatedDocument = PDF
    waveforms = [Dataset(), Dataset()]
    for waveform in waveforms:
        waveform.WaveformBitsAllocated = 16
        waveform.add_new(0x54001010, "OW", NUMBERS)
    ds.WaveformSequence = Sequence(waveforms)
    ds.PixelPaddingRangeLimit = 7
    ds.add_new(0x00282000, "OB", b"a short profile!")
    return ds


def compressed(frames: list[bytes], transfer_syntax_uid: str, number: int | None = None) -> Dataset:
    ds = with_pixels(dataset(transfer_syntax_uid))
    ds.NumberOfFrames = number or len(frames)
    ds.PixelData = encapsulate(frames, has_bot=False)
    ds["PixelData"].is_undefined_length = True
    return ds


@pytest.fixture
def value_of(get):
    """Gets a bulk value of a data set's instance."""

    def value_of(ds: Dataset, at: str, accept: str | None = None, **headers: str):
        return get(f"{path(ds)}/bulkdata/{at}", accept, **headers)

    return value_of


@pytest.fixture
def bulk_uris(get):
    """Gets the metadata of an instance; gives the paths of all URLs in it that are its own."""

    def bulk_uris(ds: Dataset) -> list[str]:
        answer = get(f"{path(ds)}/metadata?bulkdata=uri")
        assert answer.status_code == 200, answer.text
        found = re.findall(r'"BulkDataURI":"([^"]+)"', answer.text)
        prefix = f"/{path(ds)}/bulkdata/"
        assert all(uri.startswith("http://localhost/v") and prefix in uri for uri in found)
        return [uri.partition(prefix)[2] for uri in found]

    return bulk_uris


@pytest.mark.parametrize("uid", LITTLE_ENDIAN)
def test_every_url_in_the_metadata_leads_to_the_value(store, value_of, bulk_uris, uid):
    ds = with_bulk(uid)
    store(ds)
    assert bulk_uris(ds) == [DOCUMENT, "54000100/1/54001010", NESTED, PIXEL_DATA]
    expected = {DOCUMENT: PDF, NESTED: NUMBERS, PIXEL_DATA: ds.PixelData}
    for at, content in expected.items():
        answer = value_of(ds, at)
        assert (answer.status_code, answer.data) == (200, content)
        assert answer.headers["Content-Type"] == OCTETS
        assert answer.headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize("uid", LITTLE_ENDIAN)
def test_short_values_can_be_retrieved_too(store, value_of, uid):
    ds = with_bulk(uid)
    store(ds)
    answer = value_of(ds, "00282000")
    assert (answer.status_code, answer.data) == (200, b"a short profile!")


def big_endian(ds: Dataset) -> bytes:
    """The data set as a file in Big Endian."""
    buffer = BytesIO()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.preamble = bytes(128)
    dcmwrite(buffer, ds, little_endian=False, implicit_vr=False)
    return buffer.getvalue()


@pytest.fixture
def small_chunks(monkeypatch) -> None:
    """Numbers straddle the chunks in which a blob is read."""
    monkeypatch.setattr("storage.filesystem.CHUNK_BYTES", 333)


@pytest.mark.parametrize(
    "form", [("OB", "B"), ("OW", "H"), ("OF", "I"), ("OL", "I"), ("OD", "Q"), ("OV", "Q")]
)
def test_numbers_stored_in_big_endian_come_in_little_endian(
    client, version, value_of, small_chunks, form
):
    vr, code = form
    numbers = [number * 7 % 256 for number in range(300 * 8)]
    ds = dataset(ExplicitVRBigEndian)
    ds.add_new(0x00091001, vr, pack(f">{len(numbers)}{code}", *numbers))
    ds.add_new(0x00091002, vr, pack(f">4{code}", 1, 2, 3, 4))
    stored = client.post(
        f"/{version}/studies", data=big_endian(ds), content_type="application/dicom"
    )
    assert stored.status_code == 200, stored.text
    expected = pack(f"<{len(numbers)}{code}", *numbers)
    assert value_of(ds, "00091001").data == expected
    assert value_of(ds, "00091002").data == pack(f"<4{code}", 1, 2, 3, 4)
    for asked in (slice(0, 1), slice(5, 6), slice(3, 1001), slice(7, len(expected))):
        answer = value_of(ds, "00091001", Range=f"bytes={asked.start}-{asked.stop - 1}")
        assert (answer.status_code, answer.data) == (206, expected[asked])


def test_a_value_comes_as_one_of_several_parts_to_who_asks_so(store, value_of):
    ds = with_bulk()
    store(ds)
    for accept in (several(OCTETS), several("*/*"), several("application/*")):
        answer = value_of(ds, NESTED, accept)
        assert parts(answer) == [(OCTETS, NUMBERS)]
        location = re.search(rb"\r\nContent-Location: (\S+)\r\n", answer.data)[1].decode()
        assert location.endswith(f"{path(ds)}/bulkdata/{NESTED}")
        assert answer.headers["ETag"].startswith("W/")


def test_a_document_comes_in_its_own_media_type_unless_octets_are_asked_for(store, value_of):
    ds = document()
    store(ds)
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
    for accept in (None, "*/*", "application/pdf", "application/*", browser):
        answer = value_of(ds, DOCUMENT, accept)
        assert (answer.status_code, answer.data) == (200, PDF + b"\0" * (len(PDF) % 2))
        assert answer.headers["Content-Type"] == "application/pdf"
    assert value_of(ds, f"{DOCUMENT}?accept=application/pdf", OCTETS).content_type == (
        "application/pdf"
    )
    assert value_of(ds, DOCUMENT, OCTETS).headers["Content-Type"] == OCTETS
    ((content_type, _),) = parts(value_of(ds, DOCUMENT, several("application/pdf")))
    assert content_type == "application/pdf"


@pytest.mark.parametrize("mime_type", ["text/html", "text/xml", "image/svg+xml", ""])
def test_a_document_that_a_browser_might_run_comes_as_octets(store, value_of, mime_type):
    ds = document(mime_type, b"<script>alert(1)</script>" * 100)
    store(ds)
    answer = value_of(ds, DOCUMENT)
    assert answer.headers["Content-Type"] == OCTETS
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert value_of(ds, DOCUMENT, "application/pdf").status_code == 406


def test_compressed_frames_come_as_one_part_each(store, value_of):
    frames = [b"first!", b"the second frame", b"3rd frame!"]
    ds = compressed(frames, JPEGBaseline8Bit)
    store(ds)
    for accept, media_type in (
        *((accept, OCTETS) for accept in (None, "*/*", several(OCTETS), several("*/*"))),
        (several("image/jpeg"), "image/jpeg"),
        (several("image/*"), "image/jpeg"),
        (f"{several(OCTETS)}; transfer-syntax={JPEGBaseline8Bit}", OCTETS),
    ):
        answer = value_of(ds, PIXEL_DATA, accept)
        content_type = f"{media_type}; transfer-syntax={JPEGBaseline8Bit}"
        assert parts(answer) == [(content_type, frame) for frame in frames]
        assert answer.data.count(b"Content-Location: ") == 3
    for accept in (OCTETS, "image/jpeg", several("image/jp2")):
        refused = value_of(ds, PIXEL_DATA, accept)
        assert refused.status_code == 406
        assert several("image/jpeg") in refused.text
    assert value_of(ds, PIXEL_DATA, Range="bytes=0-1").status_code == 200


def test_a_lone_compressed_frame_may_come_as_a_single_part(store, value_of):
    ds = compressed([b"the frame!"], JPEGBaseline8Bit)
    store(ds)
    answer = value_of(ds, PIXEL_DATA)
    assert answer.data == b"the frame!"
    assert answer.headers["Content-Type"] == f"image/jpeg; transfer-syntax={JPEGBaseline8Bit}"
    assert value_of(ds, PIXEL_DATA, OCTETS).data == b"the frame!"
    assert len(parts(value_of(ds, PIXEL_DATA, several("image/jpeg")))) == 1


@pytest.mark.parametrize("fragments", [1, 3])
def test_a_video_is_one_stream_of_which_players_take_ranges(store, value_of, ranges, fragments):
    stream = bytes(range(250)) * 12
    size = len(stream) // fragments
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    ds = compressed(pieces, MPEG4HP41, number=300)
    store(ds)
    player = "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,*/*;q=0.5"
    for accept in (None, "video/mp4", player):
        answer = value_of(ds, PIXEL_DATA, accept, Range="bytes=0-")
        assert (answer.status_code, answer.data) == (206, stream)
        assert answer.headers["Content-Type"] == f"video/mp4; transfer-syntax={MPEG4HP41}"
        assert answer.headers["Content-Range"] == f"bytes 0-{len(stream) - 1}/{len(stream)}"
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert not answer.headers["ETag"].startswith("W/")
    assert value_of(ds, PIXEL_DATA, OCTETS).data == stream
    assert value_of(ds, f"{PIXEL_DATA}?accept=video/mp4", several(OCTETS)).data == stream
    for asked in (slice(0, 10), slice(990, 1010), slice(999, 2001), slice(2999, 3000)):
        del ranges[:]
        answer = value_of(ds, PIXEL_DATA, Range=f"bytes={asked.start}-{asked.stop - 1}")
        assert (answer.status_code, answer.data) == (206, stream[asked])
        ((start, stop),) = ranges
        assert stop - start <= asked.stop - asked.start + 8 * (fragments - 1)


def test_an_icon_comes_without_the_headers_of_its_fragments(store, value_of, bulk_uris):
    ds = compressed([b"the frame!"], JPEGBaseline8Bit)
    icons = [with_pixels(Dataset()), with_pixels(Dataset(), 40, 40)]
    icons[0].PixelData = encapsulate([b"an icon!", b"its end!"], has_bot=False)
    icons[0]["PixelData"].is_undefined_length = True
    icons[0]["PixelData"].VR = icons[1]["PixelData"].VR = "OB"
    ds.IconImageSequence = Sequence(icons)
    store(ds)
    first, second = "00880200/1/7FE00010", "00880200/2/7FE00010"
    assert bulk_uris(ds) == [first, second, PIXEL_DATA]
    assert value_of(ds, first).data == b"an icon!its end!"
    assert value_of(ds, first, Range="bytes=6-9").data == b"n!it"
    assert value_of(ds, second).data == icons[1].PixelData


def test_what_only_looks_like_fragments_comes_as_it_is(archive, store, value_of):
    item = bytes.fromhex("feff00e0")
    ds = compressed([b"the frame!"], JPEGBaseline8Bit)
    ds.add_new(0x00091001, "OB", item + b"no fragment!" * 200)
    ds.add_new(0x00091002, "OB", item)
    store(ds)
    for tag in (0x00091001, 0x00091002):
        assert value_of(ds, f"{tag:08X}").data == ds[tag].value
    small = archive.settings.model_copy(update={"max_buffered_bytes": 1000})
    object.__setattr__(archive, "settings", small)
    refused = value_of(ds, "00091001")
    assert refused.status_code == 404
    assert "00091001" in refused.text


def test_frames_that_cannot_be_told_apart_come_as_one_part(store, value_of):
    ds = compressed([b"some", b"more", b"last"], JPEGBaseline8Bit, number=2)
    store(ds)
    answer = value_of(ds, PIXEL_DATA)
    assert (answer.status_code, answer.data) == (200, b"somemorelast")


@pytest.mark.parametrize("uid", [*LITTLE_ENDIAN, JPEGBaseline8Bit])
def test_a_range_of_a_value_is_sent_alone(store, value_of, uid):
    ds = compressed([bytes(range(200))], uid) if uid == JPEGBaseline8Bit else with_bulk(uid)
    store(ds)
    for at in [PIXEL_DATA] if uid == JPEGBaseline8Bit else [DOCUMENT, NESTED, "00282000"]:
        whole = value_of(ds, at)
        assert whole.headers["Accept-Ranges"] == "bytes"
        for asked in ("0-9", "10-", "-5", "3-3"):
            first, _, last = asked.partition("-")
            piece = slice(int(first), int(last) + 1 if last else None) if first else slice(-5, None)
            answer = value_of(ds, at, Range=f"bytes={asked}", If_Range=whole.headers["ETag"])
            assert (answer.status_code, answer.data) == (206, whole.data[piece])
            start, stop, _ = piece.indices(len(whole.data))
            said = f"bytes {start}-{stop - 1}/{len(whole.data)}"
            assert answer.headers["Content-Range"] == said
        refused = value_of(ds, at, Range=f"bytes={len(whole.data)}-")
        assert refused.status_code == 416
        assert refused.headers["Content-Range"] == f"bytes */{len(whole.data)}"


def test_only_the_range_is_read_from_the_blob(store, value_of, ranges):
    ds = with_bulk()
    (file,) = store(ds)
    value_of(ds, NESTED, Range="bytes=10-19")
    ((start, stop),) = ranges
    assert stop - start == 10
    assert file[start:stop] == NUMBERS[10:20]


def test_a_range_of_one_of_several_parts_counts_in_the_value(store, value_of):
    ds = with_bulk()
    store(ds)
    answer = value_of(ds, NESTED, several("*/*"), Range="bytes=10-19")
    assert answer.status_code == 206
    assert b"\r\nContent-Range: bytes 10-19/2000\r\n" in answer.data
    assert NUMBERS[10:20] + b"\r\n--" in answer.data
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert value_of(ds, NESTED, several("*/*"), Range="bytes=2000-").status_code == 416


def test_who_has_a_value_is_told_so_before_the_blob_is_opened(store, value_of, ranges):
    ds = with_bulk(DeflatedExplicitVRLittleEndian)
    store(ds)
    for at, accept in ((NESTED, OCTETS), (PIXEL_DATA, several(OCTETS)), (DOCUMENT, None)):
        etag = value_of(ds, at, accept).headers["ETag"]
        del ranges[:]
        for known in (etag, "*", f'"1", {etag}'):
            answer = value_of(ds, at, accept, If_None_Match=known)
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == etag
        assert ranges == []


def test_what_is_wrong_is_told_in_the_order_of_the_layers(get, store, value_of):
    ds = with_bulk()
    store(ds)
    absent = path(dataset())
    assert get("studies/x/series/1/instances/2/bulkdata/y", "text/html").status_code == 400
    malformed = get(f"{absent}/bulkdata/7FE0", "text/html")
    assert (malformed.status_code, "7FE0" in malformed.text) == (400, True)
    assert get(f"{absent}/bulkdata/7FE00010", "text/html").status_code == 406
    assert get(f"{absent}/bulkdata/7FE00010", OCTETS).status_code == 404
    unknown = value_of(ds, "00091001", OCTETS)
    assert (unknown.status_code, "00091001" in unknown.text) == (404, True)
    for at in ("00100010", "54000100", "54000100/3/54001010", "54000100/2/54001004", "00020010"):
        assert value_of(ds, at).status_code == 404
    refused = value_of(ds, PIXEL_DATA, "video/mp4")
    assert (refused.status_code, OCTETS in refused.text) == (406, True)
    other = f"{OCTETS}; transfer-syntax={JPEGBaseline8Bit}"
    assert value_of(ds, PIXEL_DATA, other).status_code == 406


def test_head_answers_the_headers_of_a_value(client, version, store):
    ds = with_bulk()
    store(ds)
    answer = client.head(f"/{version}/{path(ds)}/bulkdata/{NESTED}", headers={"Accept": OCTETS})
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "2000"
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_metadata_of_all_levels_have_the_urls_of_each_instance(store, get, version):
    first = document()
    second = document()
    second.StudyInstanceUID = first.StudyInstanceUID
    store(first, second)
    study = path(first, 1)
    found = orjson.loads(get(f"{study}/metadata?bulkdata=uri").data)
    uris = {instance["00420011"]["BulkDataURI"] for instance in found}
    assert uris == {
        f"http://localhost/{version}/{path(ds)}/bulkdata/00420011" for ds in (first, second)
    }
    for uri in uris:
        assert get(uri.removeprefix(f"http://localhost/{version}/")).status_code == 200


def test_a_whole_file_put_together_from_its_metadata_is_the_stored_one(store, get, version):
    ds = with_bulk(ImplicitVRLittleEndian)
    (file,) = store(ds)
    (metadata,) = orjson.loads(get(f"{path(ds)}/metadata?bulkdata=uri").data)

    def fetch(_tag: str, _vr: str, uri: str) -> bytes:
        return get(uri.removeprefix(f"http://localhost/{version}/")).data

    assert Dataset.from_json(metadata, fetch) == dcmread(BytesIO(file))
