"""Whatever a header says and a query asks, there is a picture or a refusal."""

from io import BytesIO
from struct import pack
from zlib import compress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from dicomweb.errors import BadRequest
from dicomweb.imaging.decode import NotDecodable, decode_frame
from dicomweb.imaging.icc import NoProfile
from dicomweb.imaging.pixels import NotAnImage
from dicomweb.imaging.rendering import NotRenderable
from dicomweb.media import GIF, IMAGES
from tests.dicomweb.part10.encoded import DEFLATED, explicit, item, part10, sequence
from tests.dicomweb.wado.rendered.images import drawn

REFUSALS = (BadRequest, NotAnImage, NotDecodable, NotRenderable, NoProfile)

NUMBERS = ["", "0", "1", "-1", "2", "1e308", "-1e308", "1e-308", "nan", "inf", "-inf", "0.5", "x",
           "40\\80", "\\", "1" * 400, "65536", "1_0"]  # fmt: skip
WORDS = st.integers(0, 65535) | st.sampled_from([0, 1, 2, 8, 12, 15, 16, 255, 256, 32768, 65535])
DATA = st.binary(max_size=40) | st.binary(min_size=1026, max_size=1100)


def us(tag: int, *words: int) -> bytes:
    return explicit(tag, "US", pack(f"<{len(words)}H", *words))


def decimals(tag: int) -> st.SearchStrategy[bytes]:
    return st.sampled_from(NUMBERS).map(
        lambda text: explicit(tag, "DS", text.encode() + b" " * (len(text) % 2))
    )


def texts(tag: int, *values: str) -> st.SearchStrategy[bytes]:
    return st.sampled_from([*values, "", "X"]).map(
        lambda text: explicit(tag, "CS", text.encode() + b" " * (len(text) % 2))
    )


def descriptors(tag: int) -> st.SearchStrategy[bytes]:
    plain = st.lists(WORDS, max_size=4).map(lambda words: us(tag, *words))
    proper = st.tuples(WORDS, WORDS, st.sampled_from([8, 16])).map(lambda words: us(tag, *words))
    return plain | proper


def bulk(tag: int, *vrs: str) -> st.SearchStrategy[bytes]:
    values = DATA.map(lambda data: data + b"\0" * (len(data) % 2))
    return st.builds(lambda vr, value: explicit(tag, vr, value), st.sampled_from(vrs), values)


def elements(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Some of the elements, in their order."""
    return st.tuples(*(st.just(b"") | part for part in parts)).map(b"".join)


def items(tag: int, content: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    contents = st.lists(st.tuples(content, st.booleans()), max_size=2)
    return st.builds(
        lambda found, defined: sequence(
            tag, *(item(one, defined=whole) for one, whole in found), defined=defined
        ),
        contents,
        st.booleans(),
    )


LUT = elements(descriptors(0x00283002), bulk(0x00283006, "OW", "US"))
VOI = elements(
    decimals(0x00281050),
    decimals(0x00281051),
    texts(0x00281056, "LINEAR", "LINEAR_EXACT", "SIGMOID"),
    items(0x00283010, LUT),
)
MODALITY = elements(decimals(0x00281052), decimals(0x00281053), items(0x00283000, LUT))
GROUPS = elements(
    items(0x00289110, decimals(0x00280030)), items(0x00289132, VOI), items(0x00289145, MODALITY)
)
PALETTE = elements(
    *(descriptors(tag) for tag in (0x00281101, 0x00281102, 0x00281103)),
    *(bulk(tag, "OW") for tag in (0x00281201, 0x00281202, 0x00281203)),
    *(bulk(tag, "OW") for tag in (0x00281221, 0x00281222, 0x00281223)),
)
BITS = st.sampled_from([(1, 1), (8, 8), (8, 7), (16, 16), (16, 12), (32, 32), (64, 64), (8, 0)])
INTERPRETATIONS = ["MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL",
                   "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_RCT", "HSV", "", "\u00ff"]  # fmt: skip


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """What is before the pixels."""
    allocated, stored = draw(BITS)
    interpretation = draw(st.sampled_from(INTERPRETATIONS)).encode("latin-1")
    size = st.sampled_from([*range(1, 13), *range(1, 13), 0, 65535])
    samples = 3 if interpretation[:3] in {b"RGB", b"YBR", b"HSV"} else 1
    samples = draw(st.sampled_from([samples] * 4 + [0, 1, 2, 3, 4]))
    high_bit = draw(st.sampled_from([max(stored - 1, 0)] * 4 + [0, 7, 15]))
    return b"".join(
        (
            draw(elements(decimals(0x00181063), decimals(0x00180040))),
            us(0x00280002, samples),
            explicit(0x00280004, "CS", interpretation + b" " * (len(interpretation) % 2)),
            us(0x00280006, draw(st.integers(0, 2))),
            explicit(0x00280008, "IS", draw(st.sampled_from([b"1 ", b"2 ", b"3 "]))),
            us(0x00280010, draw(size)),
            us(0x00280011, draw(size)),
            draw(elements(decimals(0x00280030), decimals(0x00280034))),
            us(0x00280100, allocated),
            us(0x00280101, stored),
            us(0x00280102, high_bit),
            us(0x00280103, draw(st.integers(0, 1))),
            draw(elements(WORDS.map(lambda word: us(0x00280120, word)))),
            draw(MODALITY),
            draw(VOI),
            draw(PALETTE),
            draw(elements(bulk(0x00282000, "OB"))),
            draw(elements(texts(0x20500020, "INVERSE", "IDENTITY"))),
            draw(elements(items(0x52009229, GROUPS), items(0x52009230, GROUPS))),
        )
    )


PIXEL_DATA = st.tuples(
    st.sampled_from([(0x7FE00010, "OW")] * 4 + [(0x7FE00008, "OF"), (0x7FE00009, "OD")]),
    st.binary(min_size=1, max_size=40),
)
"""Tag and VR, and bytes that come again and again."""
PIXEL_BYTES = 12_000


QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "quality": st.integers(1, 100).map(str),
        "viewport": st.sampled_from(
            ["1,1", "9,9", "200,3", "9,9,0,0,2,2", "9,9,1,1", "9,9,,,-3,-3", "9,9,0.3,0.3,1.1,1.1"]
        ),
        "window": st.sampled_from(
            ["0,1,linear", "1e30,1e30,linear", "-1e30,1e-30,sigmoid", "0,1e-30,linear-exact"]
        ),
        "iccprofile": st.sampled_from(["no", "yes", "srgb", "displayp3"]),
    },
)

RAMP = us(0x00280002, 1) + us(0x00280010, 2) + us(0x00280011, 2) + us(0x00280100, 8)


REQUESTS = st.tuples(st.sampled_from(IMAGES), st.sampled_from([None, 1, 2]), QUERIES)


@given(headers(), PIXEL_DATA, st.booleans(), REQUESTS)
@example(RAMP, ((0x7FE00010, "OB"), b"\0\1\2\3"), False, (GIF, None, {}))
def test_there_is_a_picture_or_a_refusal(header, pixels, deflated, request):
    (tag, vr), some = pixels
    data_set = header + explicit(tag, vr, (some * PIXEL_BYTES)[:PIXEL_BYTES])
    file = part10(compress(data_set, wbits=-15), DEFLATED) if deflated else part10(data_set)
    media_type, frame, query = request
    try:
        content = drawn(file, media_type, frame, **query)
    except REFUSALS as refused:
        assert str(refused)  # noqa: PT017 - there may also be a picture
        return
    if content is not None:
        with Image.open(BytesIO(content)) as picture:
            picture.load()
            assert picture.width * picture.height <= 10**6


@pytest.mark.parametrize("media_type", IMAGES)
def test_the_picture_of_a_bare_header_is_a_picture(media_type):
    file = part10(RAMP + explicit(0x7FE00010, "OB", b"\0\1\2\3"))
    content = drawn(file, media_type)
    with Image.open(BytesIO(content)) as picture:
        assert picture.size == (2, 2)


def test_a_cine_of_more_bits_than_there_can_be_is_refused():
    frames = explicit(0x00280008, "IS", b"2 ")
    header = (
        us(0x00280002, 1) + explicit(0x00280004, "CS", b"MONOCHROME2 ") + frames
        + us(0x00280010, 2) + us(0x00280011, 2) + us(0x00280100, 8) + us(0x00280101, 60000)
        + explicit(0x00281052, "DS", b"1 ") + explicit(0x00281053, "DS", b"2 ")
    )  # fmt: skip
    with pytest.raises(NotDecodable, match="60000 bits stored"):
        drawn(part10(header + explicit(0x7FE00010, "OB", bytes(8))), GIF, None)


def test_a_frame_may_be_as_large_as_the_setting_says(monkeypatch):
    monkeypatch.setattr(decode_frame, "__defaults__", (1,))
    assert drawn(part10(RAMP + explicit(0x7FE00010, "OB", b"\0\1\2\3")))
