import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)

from index.instances import Reference, find
from storage.keys import instance_key
from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import parts, path

SINGLE = "application/octet-stream"
MULTIPART = 'multipart/related; type="application/octet-stream"'
AS_STORED = "transfer-syntax=*"
NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
FRAMES = [b"first!", b"the second frame", b"3rd frame!"]


def described(transfer_syntax_uid: str, media_type: str = SINGLE) -> str:
    return f"{media_type}; transfer-syntax={transfer_syntax_uid}"


def native(frames: int = 5, transfer_syntax_uid: str = ExplicitVRLittleEndian):
    """An instance whose frame n consists of 48 bytes of value n."""
    return with_pixels(dataset(transfer_syntax_uid), frames=frames)


def native_frame(number: int) -> bytes:
    return bytes([number]) * 48


def compressed(
    transfer_syntax_uid: str = JPEGBaseline8Bit, fragments: int = 1, has_bot: bool = True
):
    """An instance with FRAMES, each in some fragments."""
    ds = with_pixels(dataset(transfer_syntax_uid), frames=3)
    ds.PixelData = encapsulate(FRAMES, fragments_per_frame=fragments, has_bot=has_bot)
    ds["PixelData"].is_undefined_length = True
    return ds


def frame_path(ds, frames: str) -> str:
    return f"{path(ds)}/frames/{frames}"


@pytest.mark.parametrize("uid", NATIVE)
def test_native_frames_come_in_the_order_asked_for(store, get, uid):
    ds = native(transfer_syntax_uid=uid)
    store(ds)
    for frames in ("1", "1,2,3", "3,1", "2,2", "5,4,3,2,1", "1%2C5", "02, 3"):
        numbers = [int(number) for number in frames.replace("%2C", ",").split(",")]
        answer = get(frame_path(ds, frames), f"{MULTIPART}; {AS_STORED}")
        assert parts(answer) == [(described(uid), native_frame(number)) for number in numbers]


@pytest.mark.parametrize("uid", NATIVE)
def test_native_frames_are_explicit_vr_little_endian(store, get, uid):
    ds = native(transfer_syntax_uid=uid)
    store(ds)
    for wanted in ("", f"; transfer-syntax={ExplicitVRLittleEndian}"):
        answer = get(frame_path(ds, "2"), SINGLE + wanted)
        assert answer.status_code == 200
        assert answer.data == native_frame(2)
        assert answer.headers["Content-Type"] == described(ExplicitVRLittleEndian)
        assert answer.headers["Content-Length"] == "48"
        assert parts(get(frame_path(ds, "2"), MULTIPART + wanted)) == [
            (described(ExplicitVRLittleEndian), native_frame(2))
        ]


def test_frames_come_as_stored_in_several_parts_when_anything_will_do(store, get):
    ds = compressed()
    store(ds)
    for accept in (None, "*/*", 'multipart/related; type="*/*"'):
        answer = get(frame_path(ds, "3"), accept)
        assert parts(answer) == [(described(JPEGBaseline8Bit), FRAMES[2])]


@pytest.mark.parametrize("fragments", [1, 2, 3])
def test_compressed_frames_come_without_the_headers_of_their_fragments(store, get, fragments):
    ds = compressed(fragments=fragments)
    store(ds)
    for frames in ("1,2,3", "2", "3,1", "1,1"):
        numbers = [int(number) for number in frames.split(",")]
        answer = get(frame_path(ds, frames), f"{MULTIPART}; {AS_STORED}")
        contents = [content.rstrip(b"\0") for _, content in parts(answer)]
        assert contents == [FRAMES[number - 1] for number in numbers]
    single = get(frame_path(ds, "2"), f"{SINGLE}; {AS_STORED}")
    assert single.data.rstrip(b"\0") == FRAMES[1]


@pytest.mark.parametrize(
    ("media_type", "uid"), [("image/jpeg", JPEGBaseline8Bit), ("image/jp2", JPEG2000Lossless)]
)
def test_compressed_frames_come_in_their_own_media_type(store, get, media_type, uid):
    ds = compressed(uid)
    store(ds)
    answer = get(frame_path(ds, "1,2"), f'multipart/related; type="{media_type}"')
    assert parts(answer) == [
        (described(uid, media_type), FRAMES[0]),
        (described(uid, media_type), FRAMES[1]),
    ]


def test_frames_that_are_not_what_their_transfer_syntax_says_are_not_transcoded(store, get):
    ds = compressed()
    store(ds)
    for accept in (MULTIPART, SINGLE, 'multipart/related; type="image/jp2"'):
        answer = get(frame_path(ds, "1"), accept)
        assert answer.status_code == 406
        assert "transfer-syntax=*" in answer.text


@pytest.mark.parametrize("fragments", [0, 1, 2])
def test_frames_that_lie_behind_each_other_are_read_as_one_range(store, get, ranges, fragments):
    ds = compressed(fragments=fragments) if fragments else native()
    store(ds)
    for frames, runs in (
        ("1", 1),
        ("1,2,3", 1),
        ("2,3,1", 2),
        ("3,2,1", 3),
        ("1,1", 2),
        ("1,3", 2),
    ):
        del ranges[:]
        parts(get(frame_path(ds, frames), f"{MULTIPART}; {AS_STORED}"))
        assert len(ranges) == runs
        assert all(0 < start < stop for start, stop in ranges)


def test_one_frame_of_many_reads_no_more_than_its_bytes(store, get, ranges):
    ds = native(frames=9)
    store(ds)
    del ranges[:]
    get(frame_path(ds, "4"), SINGLE)
    ((start, stop),) = ranges
    assert stop - start == 48


def test_frames_larger_than_a_chunk_are_cut_in_the_right_places(store, get):
    ds = with_pixels(dataset(), rows=700, columns=900, frames=3)
    store(ds)
    answer = get(frame_path(ds, "1,2,3"), MULTIPART)
    expected = [bytes([number]) * 1_260_000 for number in (1, 2, 3)]
    assert [content for _, content in parts(answer)] == expected


@pytest.mark.parametrize("columns", [3, 8, 5])
def test_one_bit_frames_start_at_the_first_bit_of_a_byte(store, get, columns):
    rows, frames = 3, 5
    ds = with_pixels(dataset(), rows, columns, frames)
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit = 0
    pixels = [
        [(number * 7 + pixel) % 3 == 0 for pixel in range(rows * columns)]
        for number in range(frames)
    ]
    ds.PixelData = packed([bit for frame in pixels for bit in frame])
    ds.PixelData += b"\0" * (len(ds.PixelData) % 2)
    store(ds)
    answer = get(frame_path(ds, "1,2,3,4,5,2"), MULTIPART)
    expected = [packed(pixels[number - 1]) for number in (1, 2, 3, 4, 5, 2)]
    assert [content for _, content in parts(answer)] == expected
    assert get(frame_path(ds, "3"), SINGLE).data == expected[2]


def packed(bits: list[bool]) -> bytes:
    """Bits from the lowest of the first byte up, as PS3.5 8.1.1 has it."""
    number = sum(1 << position for position, bit in enumerate(bits) if bit)
    return number.to_bytes(-(-len(bits) // 8), "little")


def test_what_is_no_list_of_frame_numbers_is_refused_before_accept(get):
    for frames in ("", "0", "-1", "x", "1,", ",1", "1,,2", "1.5", "+1", "1_0", "²", "%20"):
        answer = get(frame_path(dataset(), frames), "image/png")
        assert answer.status_code == 400
        assert "The specified frames value is not valid" in answer.text


def test_malformed_identifiers_come_before_accept(get):
    answer = get(frame_path(dataset(), "1")[:-10] + "x/frames/1", "image/png")
    assert answer.status_code == 400
    assert "'SOPInstanceUID'" in answer.text


def test_accept_comes_before_what_is_stored(get):
    for accept in ("image/png", 'multipart/related; type="image/png"', "application/dicom"):
        answer = get(frame_path(dataset(), "1"), accept)
        assert answer.status_code == 406
        assert "On offer: " in answer.text


def test_several_frames_as_a_single_part_are_refused_before_what_is_stored(get):
    answer = get(frame_path(dataset(), "1,2"), SINGLE)
    assert answer.status_code == 400
    assert "multipart/related" in answer.text


def test_several_frames_come_as_several_parts_when_those_are_welcome_too(store, get):
    ds = native()
    store(ds)
    answer = get(frame_path(ds, "1,2"), f"{SINGLE}, {MULTIPART};q=0.1")
    assert [content for _, content in parts(answer)] == [native_frame(1), native_frame(2)]


def test_frames_of_an_instance_that_is_not_stored_are_not_found(get):
    answer = get(frame_path(dataset(), "1"), MULTIPART)
    assert (answer.status_code, answer.text) == (404, "The specified instance cannot be found.")


def test_a_frame_above_the_count_is_not_found_even_among_others(store, get):
    ds = native()
    store(ds)
    for frames in ("6", "1,6", "99999999999999999999", "9" * 3000):
        answer = get(frame_path(ds, frames), MULTIPART)
        assert answer.status_code == 404
        assert "the instance has 5 frames" in answer.text


def test_an_instance_without_pixels_has_no_frames(store, get):
    ds = dataset()
    store(ds)
    answer = get(frame_path(ds, "1"), f"{MULTIPART}; {AS_STORED}")
    assert answer.status_code == 404
    assert "The specified frame cannot be found" in answer.text


def test_a_missing_frame_comes_before_a_transfer_syntax_that_is_not_on_offer(store, get):
    ds = compressed()
    store(ds)
    assert get(frame_path(ds, "4"), MULTIPART).status_code == 404


def test_a_blob_that_is_too_short_for_a_frame_is_an_internal_error(archive, store, get):
    ds = native()
    (file,) = store(ds)
    (found,) = find(archive.index, Reference(1, ds.StudyInstanceUID))
    key = instance_key("Microsoft.Default", *found[1:4], found.watermark)
    archive.blobs.delete([key])
    assert get(frame_path(ds, "1"), MULTIPART).status_code == 500
    archive.blobs.put(key, [file[:-1]])
    assert get(frame_path(ds, "5"), MULTIPART).status_code == 500
    assert get(frame_path(ds, "1"), SINGLE).data == native_frame(1)


def test_head_answers_the_headers_of_get_without_a_body(client, version, store):
    ds = native()
    store(ds)
    head = client.head(f"/{version}/{frame_path(ds, '1')}", headers={"Accept": SINGLE})
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "48")
