"""Files in other transfer syntaxes: their pixels, as other programs decode them, and the rest."""

import json
import subprocess
import warnings
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import (
    encapsulate,
    encapsulate_extended,
    generate_frames,
    parse_basic_offsets,
)

from dicomweb import media
from dicomweb.dicomjson import metadata_json
from dicomweb.imaging.decode import DECODABLE
from dicomweb.imaging.pixels import ImagePixels, NotAnImage, image_pixels
from dicomweb.part10 import NotReadable, read_part10
from dicomweb.wado import transcoding as module
from dicomweb.wado.recoding import NotTranscodable
from tests.datasets import dataset, encoded
from tests.dicomweb.imaging.images import color, mono, samples_of
from tests.dicomweb.imaging.made import NATIVE, dcmtk, native, stored
from tests.dicomweb.part10.encoded import pydicom_files
from tests.dicomweb.wado.transcoding.files import (
    samples,
    samples_by_others,
    transcoded,
    transcoding,
)

EXPLICIT, IMPLICIT = media.EXPLICIT_VR_LITTLE_ENDIAN, media.IMPLICIT_VR_LITTLE_ENDIAN
BIG_ENDIAN = media.EXPLICIT_VR_BIG_ENDIAN
NATIVE_TARGETS = [EXPLICIT, IMPLICIT]
TARGETS = sorted(media.MADE)
TO_NATIVE_BY_DCMTK = {
    EXPLICIT: ["dcmconv", "+te"],
    IMPLICIT: ["dcmconv", "+te"],
    media.RLE_LOSSLESS: ["dcmdrle"],
    media.JPEG_LS_LOSSLESS: ["dcmdjpls"],
}
KINDS = NATIVE | {"several frames": mono(16, 12, signed=True, number_of_frames=3)}
EVEN = "02468ACE"
CHANGED = {  # the attributes that transcoding may change
    "00280004", "00280006", "00280102", "00282110", "00282112", "00282114", "00880200",
}  # fmt: skip


def made_of(pixels: ImagePixels, uid: str = EXPLICIT, **attributes) -> bytes:
    """A native file with such pixels, that differ from frame to frame."""
    seeds = range(1, pixels.number_of_frames + 1)
    order = ">" if uid == BIG_ENDIAN else "<"
    value = b"".join(native(samples_of(pixels, seed), pixels, order) for seed in seeds)
    if pixels.number_of_frames > 1:
        attributes["NumberOfFrames"] = pixels.number_of_frames
    value += b"\0" * (len(value) % 2)
    return stored(samples_of(pixels), pixels, value, uid=uid, **attributes)


def fitting(uid: str, table=KINDS) -> dict[str, ImagePixels]:
    found = {}
    for name, pixels in table.items():
        try:
            transcoding(made_of(pixels), uid)
        except NotTranscodable:
            continue
        found[name] = pixels
    return found


CASES = {f"{name} in {uid}": (px, uid) for uid in TARGETS for name, px in fitting(uid).items()}


def assert_equal(found, expected) -> None:
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.reshape(other.shape), other)


def rest(file: bytes) -> dict:
    """What a file holds beside its pixels, but for what transcoding may change.

    Private elements have no VR in Implicit VR, so not all can be shown.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        members = json.loads(metadata_json(read_part10(memoryview(file))))
    return {tag: member for tag, member in members.items() if tag not in CHANGED and tag[3] in EVEN}


def images() -> dict[str, bytes]:
    found = {}
    for path in pydicom_files():
        file = path.read_bytes()
        try:
            image_pixels(read_part10(memoryview(file)))
        except (NotReadable, NotAnImage):
            continue
        found[path.name] = file
    return found


IMAGES = images()
NOT_DECODABLE = {"JPEG2000-embedded-sequence-delimiter.dcm"}  # its size was written over
NOT_BY_PYDICOM = {"badVR.dcm"}  # Number of Frames is 1A
OF_32_BITS = [name for name in IMAGES if name.startswith(("rtdose", "SC_rgb_rle_32bit", "badVR"))]
EXPECTED_REFUSALS = {
    "liver_1frame.dcm": "1 bits stored in 1 do not fit",
    "liver_expb_1frame.dcm": "1 bits stored in 1 do not fit",
    **dict.fromkeys(OF_32_BITS, "32 bits stored in 32 do not fit"),
}
FITS = dict.fromkeys(OF_32_BITS, (*NATIVE_TARGETS, media.RLE_LOSSLESS))


@pytest.mark.parametrize("uid", TARGETS)
@pytest.mark.parametrize("name", sorted(IMAGES.keys() - NOT_DECODABLE))
def test_pydicoms_files_keep_their_pixels_and_the_rest(name, uid):
    file = IMAGES[name]
    if read_part10(memoryview(file)).transfer_syntax_uid == uid:
        return
    if name in EXPECTED_REFUSALS and uid not in FITS.get(name, NATIVE_TARGETS):
        with pytest.raises(NotTranscodable, match=EXPECTED_REFUSALS[name]):
            transcoded(file, uid)
        return
    made = transcoded(file, uid)
    assert read_part10(memoryview(made)).transfer_syntax_uid == uid
    assert_equal(samples(made), samples(file))
    assert rest(made) == rest(file)
    if name not in NOT_BY_PYDICOM:
        assert_equal(samples_by_others(made), samples(file))


@pytest.mark.parametrize(("pixels", "uid"), CASES.values(), ids=CASES)
def test_every_kind_of_pixels_is_read_back_by_dcmtk(pixels, uid, tmp_path):
    file = made_of(pixels)
    made = transcoded(file, uid) if uid != EXPLICIT else transcoded(made_of(pixels, IMPLICIT), uid)
    path = tmp_path / "made.dcm"
    path.write_bytes(made)
    checked = subprocess.run(["dcmftest", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout[:4]) == (0, "yes:")
    dumped = subprocess.run(["dcmdump", "-q", path], capture_output=True, check=False)
    assert dumped.returncode == 0
    if uid in TO_NATIVE_BY_DCMTK:
        made = dcmtk(tmp_path, *TO_NATIVE_BY_DCMTK[uid], file=made)
    assert_equal(samples(made), samples(file))


@pytest.mark.parametrize("uid", TARGETS)
@pytest.mark.parametrize("source", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize("kind", ["RGB by plane", "12 of 16 bits above 4", "several frames"])
def test_native_files_of_every_encoding_are_transcoded(kind, source, uid):
    if source == uid:
        return
    file = made_of(KINDS[kind], source)
    made = transcoded(file, uid)
    assert_equal(samples(made), samples(file))
    if kind != "12 of 16 bits above 4" or uid not in NATIVE_TARGETS:  # pydicom ignores High Bit
        assert_equal(samples_by_others(made), samples(file))
    assert rest(made) == rest(file)


@pytest.mark.parametrize(("pixels", "uid"), CASES.values(), ids=CASES)
def test_there_and_back_again_is_the_same_file(pixels, uid):
    """Native pixels come back bit by bit, from a compressed file as well."""
    file = transcoded(made_of(pixels, IMPLICIT), EXPLICIT)
    there = transcoded(file, uid) if uid != EXPLICIT else transcoded(file, IMPLICIT)
    back = transcoded(there, EXPLICIT)
    if uid in NATIVE_TARGETS:
        assert back == file
    assert_equal(samples(back), samples(file))


@pytest.mark.parametrize("uid", NATIVE_TARGETS)
@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
@pytest.mark.parametrize("source", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_floating_point_pixels_are_sent_natively_alone(keyword, source, uid):
    size, kind, vr = (4, "f4", "OF") if keyword == "FloatPixelData" else (8, "f8", "OD")
    values = np.linspace(-1, 1, 6 * 5, dtype=kind)
    order = ">" if source == BIG_ENDIAN else "<"
    ds = dataset(source, Rows=6, Columns=5, SamplesPerPixel=1, BitsAllocated=8 * size)
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.add_new(keyword_tag(keyword), vr, values.astype(f"{order}{kind}").tobytes())
    file = encoded(ds)
    if source != uid:
        made = pydicom.dcmread(BytesIO(transcoded(file, uid)))
        assert vr == made[keyword].VR
        np.testing.assert_array_equal(np.frombuffer(made[keyword].value, f"<{kind}"), values)
    with pytest.raises(NotTranscodable, match="Floating point"):
        transcoding(file, media.RLE_LOSSLESS)


def keyword_tag(keyword: str) -> int:
    return {"FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009}[keyword]


@pytest.mark.parametrize("uid", TARGETS)
@pytest.mark.parametrize("source", [IMPLICIT, EXPLICIT, BIG_ENDIAN, media.JPEG_BASELINE])
def test_files_without_pixels_are_only_written_anew(source, uid):
    if source == uid:
        return
    document = bytes(range(256)) * 20
    ds = dataset(source, Modality="DOC", EncapsulatedDocument=document, DocumentTitle="Title")
    file = encoded(ds)
    made = transcoded(file, uid)
    assert read_part10(memoryview(made)).implicit == (uid == IMPLICIT)
    assert rest(made) == rest(file)
    assert pydicom.dcmread(BytesIO(made)).EncapsulatedDocument == document


def test_bulk_values_of_big_endian_files_are_turned_round():
    ds = dataset(BIG_ENDIAN)
    table = np.arange(2000, dtype=">u2").tobytes()
    item = Dataset()
    item.add_new(0x00280103, "US", 0)
    item.add_new(0x60003000, "OW", table)
    ds.add_new(0x00281201, "OW", table)
    ds.add_new(0x00660016, "OF", np.arange(600, dtype=">f4").tobytes())
    ds.ReferencedImageSequence = [item]
    made = pydicom.dcmread(BytesIO(transcoded(encoded(ds), IMPLICIT)))
    expected = np.arange(2000, dtype="<u2").tobytes()
    assert made.RedPaletteColorLookupTableData == expected
    assert made.ReferencedImageSequence[0][0x60003000].value == expected
    assert made[0x00660016].value == np.arange(600, dtype="<f4").tobytes()


def test_bulk_values_of_deflated_files_are_found():
    file = deflated(made_of(KINDS["several frames"], RedPaletteColorLookupTableData=bytes(3000)))
    made = transcoded(file, IMPLICIT)
    assert pydicom.dcmread(BytesIO(made)).RedPaletteColorLookupTableData == bytes(3000)
    assert_equal(samples_by_others(made), samples(file))
    assert_equal(samples_by_others(transcoded(file, media.RLE_LOSSLESS)), samples(file))


def deflated(file: bytes) -> bytes:
    ds = pydicom.dcmread(BytesIO(file))
    ds.file_meta.TransferSyntaxUID = media.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    return encoded(ds)


@pytest.mark.parametrize("uid", sorted(media.MADE - set(NATIVE_TARGETS)))
def test_frames_are_found_by_the_basic_offset_table(uid):
    made = pydicom.dcmread(BytesIO(transcoded(made_of(KINDS["several frames"]), uid)))
    offsets = parse_basic_offsets(made.PixelData)
    lengths = [len(frame) for frame in generate_frames(made.PixelData, number_of_frames=3)]
    assert offsets == [0, 8 + lengths[0], 16 + lengths[0] + lengths[1]]
    assert made["PixelData"].VR == "OB"


def test_the_offset_table_is_empty_where_frames_are_not_awaited(monkeypatch):
    monkeypatch.setattr(module, "AHEAD_BYTES", 1)
    file = made_of(KINDS["several frames"])
    made = transcoded(file, media.JPEG_LS_LOSSLESS)
    ds = pydicom.dcmread(BytesIO(made))
    assert parse_basic_offsets(ds.PixelData) == []
    assert len(list(generate_frames(ds.PixelData, number_of_frames=3))) == 3
    assert_equal(samples_by_others(made), samples(file))


def test_an_extended_offset_table_does_not_outlive_its_frames():
    ds = pydicom.dcmread(BytesIO(transcoded(made_of(KINDS["several frames"]), media.RLE_LOSSLESS)))
    frames = list(generate_frames(ds.PixelData, number_of_frames=3))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(
        frames
    )
    ds["PixelData"].is_undefined_length = True
    made = pydicom.dcmread(BytesIO(transcoded(encoded(ds), media.JPEG_LS_LOSSLESS)))
    assert "ExtendedOffsetTable" not in made
    assert "ExtendedOffsetTableLengths" not in made


def described(file: bytes) -> dict[str, object]:
    ds = pydicom.dcmread(BytesIO(file))
    keywords = (
        "PhotometricInterpretation", "PlanarConfiguration", "HighBit", "BitsStored",
        "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    )  # fmt: skip
    return {keyword: ds[keyword].value for keyword in keywords if keyword in ds}


@pytest.mark.parametrize(
    ("kind", "uid", "changes"),
    [
        ("RGB by plane", IMPLICIT, {}),
        ("RGB by plane", media.RLE_LOSSLESS, {"PlanarConfiguration": 0}),
        (
            "RGB by plane",
            media.JPEG_2000_LOSSLESS,
            {"PlanarConfiguration": 0, "PhotometricInterpretation": "YBR_RCT"},
        ),
        ("RGB", media.HTJ2K_LOSSLESS, {"PhotometricInterpretation": "YBR_RCT"}),
        ("YBR_FULL", media.JPEG_2000_LOSSLESS, {}),
        ("12 of 16 bits above 4", IMPLICIT, {}),
        ("12 of 16 bits above 4", media.JPEG_2000_LOSSLESS, {"HighBit": 11}),
        ("inverted", media.JPEG_LS_LOSSLESS, {}),
        ("palette", media.HTJ2K_LOSSLESS, {}),
    ],
)
def test_the_image_pixel_module_describes_what_was_made(kind, uid, changes):
    file = made_of(KINDS[kind])
    assert described(transcoded(file, uid)) == described(file) | changes


def test_chrominance_of_pairs_of_pixels_is_compressed_in_full():
    pixels = color("YBR_FULL_422", rows=2, columns=4)
    file = stored(samples_of(pixels), pixels, bytes(range(16)))
    made = transcoded(file, media.RLE_LOSSLESS)
    assert described(made)["PhotometricInterpretation"] == "YBR_FULL"
    assert_equal(samples_by_others(made), samples(file))
    again = transcoded(file, IMPLICIT)
    assert described(again)["PhotometricInterpretation"] == "YBR_FULL_422"
    assert pydicom.dcmread(BytesIO(again)).PixelData == bytes(range(16))


@pytest.mark.parametrize("uid", [EXPLICIT, media.JPEG_2000_LOSSLESS])
def test_what_was_decoded_of_lossy_jpeg_says_so(uid):
    file = IMAGES["SC_rgb_dcmtk_+eb+cy+n1.dcm"]
    ds = pydicom.dcmread(BytesIO(file))
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio"):
        if keyword in ds:
            del ds[keyword]
    told = described(transcoded(encoded(ds), uid))
    stored_bytes = sum(map(len, generate_frames(ds.PixelData, number_of_frames=1)))
    assert told["LossyImageCompression"] == "01"
    assert told["LossyImageCompressionMethod"] == "ISO_10918_1"
    assert told["LossyImageCompressionRatio"] == pytest.approx(30000 / stored_bytes, abs=0.01)
    assert told["PhotometricInterpretation"] == ("RGB" if uid == EXPLICIT else "YBR_RCT")


def test_what_a_file_says_of_its_loss_stays():
    ds = pydicom.dcmread(BytesIO(IMAGES["SC_rgb_jpeg_dcmtk.dcm"]))
    ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", 12.5
    ds.LossyImageCompressionMethod = "ISO_10918_1"
    told = described(transcoded(encoded(ds), EXPLICIT))
    assert (told["LossyImageCompression"], told["LossyImageCompressionRatio"]) == ("01", 12.5)


def test_an_icon_of_a_compressed_file_is_left_out_that_of_a_native_one_is_kept():
    ds = pydicom.dcmread(BytesIO(made_of(KINDS["RGB"])))
    icon = pydicom.dcmread(BytesIO(made_of(KINDS["8 bits"])))
    ds.IconImageSequence = [Dataset()]
    for keyword in ("Rows", "Columns", "BitsAllocated", "PixelData"):
        ds.IconImageSequence[0][keyword] = icon[keyword]
    compressed = transcoded(encoded(ds), media.RLE_LOSSLESS)
    kept = pydicom.dcmread(BytesIO(compressed)).IconImageSequence[0]
    assert kept.PixelData == icon.PixelData
    assert "IconImageSequence" not in pydicom.dcmread(BytesIO(transcoded(compressed, EXPLICIT)))


def test_overlays_in_the_words_of_pixels_are_not_lost_unseen():
    attributes = {"OverlayRows": 35, "OverlayColumns": 34}
    ds = pydicom.dcmread(BytesIO(made_of(KINDS["12 of 16 bits"])))
    ds.add_new(0x60000010, "US", attributes["OverlayRows"])
    ds.add_new(0x60000102, "US", 12)
    file = encoded(ds)
    with pytest.raises(NotTranscodable, match="Overlays"):
        transcoding(file, media.JPEG_2000_LOSSLESS)
    assert pydicom.dcmread(BytesIO(transcoded(file, IMPLICIT))).PixelData == ds.PixelData


@pytest.mark.parametrize("count", [2, 4])
def test_a_file_with_other_frames_than_announced_is_not_transcoded(count):
    ds = pydicom.dcmread(BytesIO(transcoded(made_of(KINDS["several frames"]), media.RLE_LOSSLESS)))
    ds.NumberOfFrames = count
    with pytest.raises(NotTranscodable, match=f"instead of {count}|cannot be told apart"):
        transcoding(encoded(ds), EXPLICIT)


def test_fragments_under_a_native_transfer_syntax_are_not_transcoded():
    ds = pydicom.dcmread(BytesIO(transcoded(made_of(KINDS["several frames"]), media.RLE_LOSSLESS)))
    file = encoded(ds).replace(media.RLE_LOSSLESS.encode() + b"\0", b"1.2.840.10008.1.2.1\0")
    assert read_part10(memoryview(file)).transfer_syntax_uid == EXPLICIT
    with pytest.raises(NotTranscodable, match="not what its transfer syntax says"):
        transcoding(file, IMPLICIT)


def test_a_file_over_the_limit_is_not_transcoded():
    file = made_of(KINDS["8 bits"])
    transcoding(file, IMPLICIT, len(file))
    with pytest.raises(NotTranscodable, match=f"{len(file)} bytes; the limit is {len(file) - 1}"):
        transcoding(file, IMPLICIT, len(file) - 1)


def test_pixels_that_would_not_fit_one_value_are_not_decoded():
    pixels = mono(8, 8, rows=4096, columns=4096)
    ds = pydicom.dcmread(
        BytesIO(transcoded(made_of(mono(8, 8, rows=8, columns=8)), media.RLE_LOSSLESS))
    )
    ds.Rows = ds.Columns = 4096
    ds.NumberOfFrames = 256
    ds.PixelData = encapsulate([b"frame!"] * 256)
    ds["PixelData"].is_undefined_length = True
    with pytest.raises(NotTranscodable, match="longer than 4 GiB"):
        transcoding(encoded(ds), EXPLICIT)
    transcoding(encoded(ds), media.JPEG_LS_LOSSLESS)
    assert pixels.decoded_bytes * 256 == 1 << 32


@pytest.mark.parametrize(
    "uid", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"]
)
def test_transfer_syntaxes_that_cannot_be_decoded_are_named(uid):
    assert uid not in DECODABLE
    with pytest.raises(NotTranscodable, match=f"{uid} cannot be decoded"):
        transcoding(encoded(dataset(uid)), IMPLICIT)
