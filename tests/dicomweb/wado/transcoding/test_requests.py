"""Asking for another transfer syntax than what is stored."""

from io import BytesIO

import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import generate_uid

from dicomweb import media
from dicomweb.imaging.decode import DecodedFrame
from dicomweb.imaging.encode import encode_frame
from dicomweb.wado.recoding import NotTranscodable
from index.instances import Reference, find
from storage.keys import instance_key
from tests.datasets import dataset, encoded
from tests.dicomweb.imaging.images import color, mono, samples_of
from tests.dicomweb.imaging.made import native
from tests.dicomweb.imaging.made import stored as file_of
from tests.dicomweb.wado.exchange import parts, path
from tests.dicomweb.wado.transcoding.files import samples, transcoded

EXPLICIT, IMPLICIT = media.EXPLICIT_VR_LITTLE_ENDIAN, media.IMPLICIT_VR_LITTLE_ENDIAN
J2K, JLS, RLE = media.JPEG_2000_LOSSLESS, media.JPEG_LS_LOSSLESS, media.RLE_LOSSLESS
MPEG_2 = "1.2.840.10008.1.2.4.100"
SINGLE = "application/dicom"
MULTIPART = 'multipart/related; type="application/dicom"'
OCTETS = "application/octet-stream"
SEVERAL_OCTETS = f'multipart/related; type="{OCTETS}"'
AS_STORED = "transfer-syntax=*"
FRAMES = mono(16, 12, signed=True, number_of_frames=3)


def in_syntax(uid: str, pixels=FRAMES, **uids: str) -> pydicom.Dataset:
    """An instance in a transfer syntax."""
    seeds = range(1, pixels.number_of_frames + 1)
    value = b"".join(native(samples_of(pixels, seed), pixels) for seed in seeds)
    frames = {"NumberOfFrames": pixels.number_of_frames} if pixels.number_of_frames > 1 else {}
    file = file_of(samples_of(pixels), pixels, value, **frames, **uids)
    return pydicom.dcmread(BytesIO(file if uid == EXPLICIT else transcoded(file, uid)))


def series_of(*syntaxes: str) -> list[pydicom.Dataset]:
    study, series = generate_uid(), generate_uid()
    return [in_syntax(uid, StudyInstanceUID=study, SeriesInstanceUID=series) for uid in syntaxes]


def undecodable(ds: pydicom.Dataset) -> pydicom.Dataset:
    """The data set as video, which is not decoded."""
    ds.file_meta.TransferSyntaxUID = MPEG_2
    ds.PixelData = encapsulate([b"video!"])
    ds["PixelData"].is_undefined_length = True
    return ds


def damaged(ds: pydicom.Dataset, frame: int) -> pydicom.Dataset:
    """The data set with a frame that cannot be decoded."""
    frames = list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=3))
    frames[frame - 1] = b"no frame"
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].is_undefined_length = True
    return ds


def described(uid: str, media_type: str = SINGLE) -> str:
    return f"{media_type}; transfer-syntax={uid}"


def same_pixels(one: bytes, other: bytes) -> bool:
    return all((a == b).all() for a, b in zip(samples(one), samples(other), strict=True))


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("target", [EXPLICIT, J2K])
def test_instances_in_all_sorts_of_syntaxes_come_in_one(store, get, target, level):
    datasets = series_of(J2K, EXPLICIT, RLE, IMPLICIT, JLS, media.HTJ2K_LOSSLESS)
    files = store(*datasets)
    accept = MULTIPART if target == EXPLICIT else f"{MULTIPART}; transfer-syntax={target}"
    answer = get(path(datasets[0], level), accept)
    found = parts(answer)
    assert "Content-Length" not in answer.headers
    assert [content_type for content_type, _ in found] == [described(target)] * 6
    for file, (_, content) in zip(files, found, strict=True):
        assert same_pixels(content, file)
        assert (content == file) == (
            pydicom.dcmread(BytesIO(file)).file_meta.TransferSyntaxUID == target
        )


@pytest.mark.parametrize("source", [J2K, RLE, IMPLICIT])
def test_an_instance_in_a_native_syntax_has_a_known_length(store, get, source):
    ds = in_syntax(source)
    (file,) = store(ds)
    answer = get(path(ds), f"{SINGLE}; transfer-syntax={EXPLICIT}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == described(EXPLICIT)
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert same_pixels(answer.data, file)
    message = get(path(ds), MULTIPART)
    assert message.headers["Content-Length"] == str(len(message.data))
    assert parts(message) == [(described(EXPLICIT), answer.data)]


def test_an_instance_is_compressed(store, get):
    ds = in_syntax(EXPLICIT)
    (file,) = store(ds)
    for uid in sorted(media.MADE - {EXPLICIT, IMPLICIT}):
        answer = get(path(ds), f"{SINGLE}; transfer-syntax={uid}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, described(uid))
        assert "Content-Length" not in answer.headers
        assert same_pixels(answer.data, file)


def test_what_cannot_be_decoded_is_named_before_the_first_byte(store, get):
    datasets = series_of(J2K, EXPLICIT, J2K)
    store(datasets[0], undecodable(datasets[1]), datasets[2])
    answer = get(path(datasets[0], 1), MULTIPART)
    assert answer.status_code == 406
    assert "The specified transcoding is not supported." in answer.text
    assert f"{datasets[1].SOPInstanceUID}: Transfer syntax {MPEG_2}" in answer.text
    assert datasets[0].SOPInstanceUID not in answer.text
    assert "transfer-syntax=*" in answer.text
    assert len(parts(get(path(datasets[0], 1), f"{MULTIPART}; {AS_STORED}"))) == 3


def test_only_some_of_many_that_cannot_be_decoded_are_named(store, get):
    datasets = [undecodable(ds) for ds in series_of(*[EXPLICIT] * 13)]
    store(*datasets)
    answer = get(path(datasets[0], 2), MULTIPART)
    assert answer.status_code == 406
    assert sum(ds.SOPInstanceUID in answer.text for ds in datasets) == 10
    assert "And 3 more." in answer.text


def test_pixels_that_do_not_fit_are_refused_with_the_reason(store, get):
    ds = in_syntax(EXPLICIT, mono(1, 1))
    store(ds)
    answer = get(path(ds), f"{SINGLE}; transfer-syntax={J2K}")
    assert answer.status_code == 406
    assert "1 bits stored in 1 do not fit" in answer.text
    answer = get(f"{path(ds)}/frames/1", 'multipart/related; type="image/jp2"')
    assert answer.status_code == 406
    assert "1 bits stored in 1 do not fit" in answer.text


def test_what_is_less_welcome_but_possible_is_answered(store, get):
    ds = in_syntax(EXPLICIT, mono(1, 1))
    (file,) = store(ds)
    accept = f"{SINGLE}; transfer-syntax={J2K}, {SINGLE}; transfer-syntax={IMPLICIT}; q=0.5"
    answer = get(path(ds), accept)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, described(IMPLICIT))
    assert same_pixels(answer.data, file)


def test_a_file_over_the_limit_is_refused_with_the_limit_and_a_way_out(archive, store, get):
    ds = in_syntax(EXPLICIT)
    (file,) = store(ds)
    lowered = archive.settings.model_copy(update={"max_transcode_bytes": len(file) - 1})
    object.__setattr__(archive, "settings", lowered)
    answer = get(path(ds), f"{SINGLE}; transfer-syntax={IMPLICIT}")
    assert answer.status_code == 406
    assert f"the limit is {len(file) - 1}" in answer.text
    assert "transfer-syntax=*" in answer.text
    assert get(path(ds), f"{SINGLE}; {AS_STORED}").data == file
    assert get(f"{path(ds)}/frames/2", 'multipart/related; type="image/jls"').status_code == 200


def test_a_frame_that_cannot_be_decoded_is_noticed_before_the_first_byte(store, get):
    ds = damaged(in_syntax(RLE), 1)
    store(ds)
    for accept in (SINGLE, f"{MULTIPART}; transfer-syntax={J2K}"):
        answer = get(path(ds), accept)
        assert answer.status_code == 406
        assert "A frame cannot be decoded" in answer.text
    answer = get(f"{path(ds)}/frames/1", OCTETS)
    assert answer.status_code == 406
    assert "A frame cannot be decoded" in answer.text
    assert get(f"{path(ds)}/frames/2", OCTETS).status_code == 200


@pytest.mark.parametrize("accept", [SINGLE, MULTIPART, f"{MULTIPART}; transfer-syntax={JLS}"])
def test_a_later_frame_that_cannot_be_decoded_breaks_the_answer(
    store, client, version, accept, monkeypatch
):
    monkeypatch.setattr("dicomweb.wado.transcoding.AHEAD_BYTES", 1)
    monkeypatch.setattr("dicomweb.multipart.SENT_ALONE_BYTES", 1)
    ds = damaged(in_syntax(RLE), 3)
    store(ds)
    with pytest.raises(NotTranscodable):
        _ = client.get(f"/{version}/{path(ds)}", headers={"Accept": accept}).data


@pytest.mark.parametrize("accept", [SINGLE, MULTIPART, f"{SINGLE}; transfer-syntax={JLS}"])
def test_all_frames_of_a_small_instance_are_made_before_the_first_byte(store, get, accept):
    ds = damaged(in_syntax(RLE), 3)
    store(ds)
    answer = get(path(ds), accept)
    assert answer.status_code == 406
    assert "A frame cannot be decoded" in answer.text
    assert "transfer-syntax=*" in answer.text


def test_small_frames_are_all_made_before_the_first_byte(store, get):
    ds = damaged(in_syntax(RLE), 3)
    store(ds)
    answer = get(f"{path(ds)}/frames/1,2,3", SEVERAL_OCTETS)
    assert answer.status_code == 406
    assert "A frame cannot be decoded" in answer.text


def test_an_instance_that_is_gone_is_noticed_before_the_first_byte(archive, store, get):
    for uid in (IMPLICIT, J2K):
        ds = in_syntax(uid)
        store(ds)
        (found,) = find(archive.index, Reference(1, ds.StudyInstanceUID))
        archive.blobs.delete([instance_key("Microsoft.Default", *found[1:4], found.watermark)])
        assert get(path(ds), SINGLE).status_code == 500


@pytest.mark.parametrize("source", [J2K, JLS, RLE, media.HTJ2K_LOSSLESS])
def test_compressed_frames_are_decoded(store, get, source):
    ds = in_syntax(source)
    store(ds)
    expected = [native(samples_of(FRAMES, seed), FRAMES) for seed in (1, 2, 3)]
    for frames in ("1", "3,1", "2,2,2"):
        answer = get(f"{path(ds)}/frames/{frames}", SEVERAL_OCTETS)
        numbers = [int(number) for number in frames.split(",")]
        assert parts(answer) == [(described(EXPLICIT, OCTETS), expected[n - 1]) for n in numbers]
        assert answer.headers["Content-Length"] == str(len(answer.data))
    answer = get(f"{path(ds)}/frames/2", f"{OCTETS}; transfer-syntax={EXPLICIT}")
    assert (answer.status_code, answer.data) == (200, expected[1])
    assert answer.headers["Content-Type"] == described(EXPLICIT, OCTETS)
    assert get(f"{path(ds)}/frames/4", OCTETS).status_code == 404


@pytest.mark.parametrize(
    ("media_type", "uid"),
    [
        ("image/jp2", J2K),
        ("image/jls", JLS),
        ("image/jphc", media.HTJ2K_LOSSLESS),
        ("image/dicom-rle", RLE),
    ],
)
def test_frames_are_compressed_without_loss(store, get, media_type, uid):
    ds = in_syntax(EXPLICIT)
    store(ds)
    for wanted in ("", f"; transfer-syntax={uid}"):
        accept = f'multipart/related; type="{media_type}"{wanted}'
        found = parts(get(f"{path(ds)}/frames/3,1", accept))
        assert [content_type for content_type, _ in found] == [described(uid, media_type)] * 2
        for (_, frame), seed in zip(found, (3, 1), strict=True):
            assert frame == encode_frame(decoded(seed), uid, FRAMES)


def decoded(seed: int) -> DecodedFrame:
    return DecodedFrame(samples_of(FRAMES, seed), FRAMES.photometric_interpretation)


@pytest.mark.parametrize("pixels", [FRAMES, color(rows=3, columns=3, planar_configuration=1)])
def test_frames_of_big_endian_files_are_turned_round(store, get, pixels):
    seeds = range(1, pixels.number_of_frames + 1)
    value = b"".join(native(samples_of(pixels, seed), pixels, ">") for seed in seeds)
    vr = "OB" if pixels.bits_allocated == 8 else "OW"
    attributes = {"NumberOfFrames": pixels.number_of_frames}
    value += b"\0" * (len(value) % 2)
    uid = media.EXPLICIT_VR_BIG_ENDIAN
    ds = pydicom.dcmread(BytesIO(file_of(samples_of(pixels), pixels, value, vr, uid, **attributes)))
    store(ds)
    answer = get(f"{path(ds)}/frames/{pixels.number_of_frames}", OCTETS)
    last = native(samples_of(pixels, pixels.number_of_frames), pixels)
    assert (answer.status_code, answer.data) == (200, last)
    assert answer.headers["Content-Length"] == str(len(last))


@pytest.mark.parametrize("bits", [12, 20, 24])
def test_frames_of_big_endian_files_whose_samples_are_no_words_are_refused(store, get, bits):
    pixels = mono(bits, 8, rows=1, columns=2)
    ds = dataset(
        media.EXPLICIT_VR_BIG_ENDIAN, Rows=1, Columns=2, SamplesPerPixel=1, BitsAllocated=bits,
        BitsStored=8, HighBit=7, PixelRepresentation=0, PhotometricInterpretation="MONOCHROME2",
    )  # fmt: skip
    ds.PixelData = bytes(-(-pixels.frame_bits // 16) * 2)
    ds["PixelData"].VR = "OB"
    store(ds)
    answer = get(f"{path(ds)}/frames/1", OCTETS)
    assert answer.status_code == 406
    assert f"{bits} bits allocated" in answer.text


def test_frames_of_pixels_by_plane_stay_so_as_metadata_say(store, get):
    pixels = color(planar_configuration=1)
    ds = in_syntax(RLE, pixels)
    ds.PlanarConfiguration = 1
    store(ds)
    answer = get(f"{path(ds)}/frames/1", OCTETS)
    assert answer.data == native(samples_of(pixels), pixels)


def test_each_representation_has_its_own_tag_which_the_client_may_know(store, get):
    ds = in_syntax(J2K)
    store(ds)
    tags = set()
    for resource, accept in (
        (path(ds), SINGLE),
        (path(ds), MULTIPART),
        (path(ds), f"{SINGLE}; transfer-syntax={JLS}"),
        (path(ds), f"{SINGLE}; {AS_STORED}"),
        (f"{path(ds)}/frames/1", OCTETS),
        (f"{path(ds)}/frames/1", 'multipart/related; type="image/jls"'),
    ):
        tag = get(resource, accept).headers["ETag"]
        tags.add(tag)
        known = get(resource, accept, If_None_Match=tag)
        assert (known.status_code, known.data) == (304, b"")
        if AS_STORED not in accept:
            assert tag.startswith("W/")
    assert len(tags) == 6


def test_head_answers_the_headers_of_get(client, version, store, get):
    ds = in_syntax(J2K)
    store(ds)
    got = get(path(ds), SINGLE)
    head = client.head(f"/{version}/{path(ds)}", headers={"Accept": SINGLE})
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


def test_ranges_are_not_of_what_is_transcoded(store, get):
    ds = in_syntax(J2K)
    store(ds)
    whole = get(path(ds), SINGLE)
    ranged = get(path(ds), SINGLE, Range="bytes=0-9")
    assert (ranged.status_code, ranged.data) == (200, whole.data)


def test_the_accept_query_parameter_asks_for_a_syntax(store, get):
    ds = in_syntax(EXPLICIT)
    store(ds)
    answer = get(f"{path(ds)}?accept={SINGLE};transfer-syntax={JLS}", "text/html")
    assert answer.headers["Content-Type"] == described(JLS)


@pytest.mark.parametrize("count", [1, 5])
def test_transcoding_takes_two_statements_however_many_instances_there_are(
    archive, store, get, monkeypatch, count
):
    datasets = series_of(*[RLE] * count)
    store(*datasets)
    statements = []
    execute = archive.index.execute
    monkeypatch.setattr(
        archive.index, "execute", lambda *given: statements.append(given) or execute(*given)
    )
    assert len(parts(get(path(datasets[0], 1), MULTIPART))) == count
    assert len(statements) == 2


def test_a_client_that_goes_away_leaves_nothing_open(archive, store, client, version, monkeypatch):
    opened = []
    open_blob = archive.blobs.open

    def noted(*given):
        opened.append(open_blob(*given))
        return opened[-1]

    datasets = series_of(*[RLE] * 4)
    store(*datasets)
    monkeypatch.setattr(archive.blobs, "open", noted)
    answer = client.get(f"/{version}/{path(datasets[0], 1)}", headers={"Accept": MULTIPART})
    assert next(answer.iter_encoded())
    answer.close()
    assert opened
    assert all(reader.file.closed for reader in opened)


def test_documents_among_images_come_along(store, get):
    (image,) = series_of(J2K)
    document = dataset(
        IMPLICIT,
        StudyInstanceUID=image.StudyInstanceUID,
        Modality="DOC",
        EncapsulatedDocument=bytes(range(256)) * 8,
    )
    store(image, document)
    for uid in (EXPLICIT, JLS):
        found = parts(get(path(image, 1), f"{MULTIPART}; transfer-syntax={uid}"))
        contents = [pydicom.dcmread(BytesIO(content)) for _, content in found]
        assert contents[1].EncapsulatedDocument == document.EncapsulatedDocument
        assert {ds.file_meta.TransferSyntaxUID for ds in contents} == {uid}


def test_encoded_files_are_what_is_stored_again(store, get):
    """What was transcoded is a valid instance to the service itself."""
    ds = in_syntax(EXPLICIT)
    store(ds)
    again = pydicom.dcmread(BytesIO(get(path(ds), f"{SINGLE}; transfer-syntax={J2K}").data))
    again.SOPInstanceUID = generate_uid()
    store(again)
    assert same_pixels(get(path(again), SINGLE).data, encoded(ds))
