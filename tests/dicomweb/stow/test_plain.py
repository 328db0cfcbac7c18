"""What is taken for plainly valid is valid, and most of what is valid is taken for it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dicomweb.charset import encodings_of
from dicomweb.elements import SIMPLE_VRS
from dicomweb.stow.plain import fits
from dicomweb.stow.rules import MINIMUM, wrong_by
from dicomweb.stow.walk import wrong_value

TAGS = (
    0x00080060,  # one value
    0x00080008,  # 2-n
    0x00200020,  # 2
    0x00200037,  # 6
    0x30060050,  # 3-3n
    0x00280009,  # 1-n
    0x00181622,  # SH 1-3
    0x00091001,  # private
)
CHARACTER_SETS = (b"", b"ISO_IR 100", b"ISO_IR 192", b"ISO_IR 13", b"GB18030", b"GBK")
# What the rules are about, so that values near the border come up.
TOKENS = (
    *("\\", "^", "=", "-", ".", "+", " ", "\0", "\x1b", "\n", "\x7f", "\\\\", "|", ":", "e", "_"),
    *("0", "1", "9", "00", "20240131", "20240229", "20211301", "0000", "1011", "2359", "235960"),
    *("123456", "+0100", "-1200", "-1201", "045Y", "1.2.840", ".0", "2147483647", "CT", "a", "Z"),
    *("x" * 15, "x" * 16, "x" * 63, "x" * 64, "1" * 16, "1." + "2" * 60),
)
RAW = (
    st.sampled_from((*(token.encode() for token in TOKENS), b"\xe4", b"\x81\x5c", b"\xc3\xa4"))
    | st.binary(max_size=3)
)  # fmt: skip


@settings(derandomize=True, deadline=None, database=None, max_examples=1000)
@given(
    st.sampled_from(TAGS),
    st.sampled_from(sorted(SIMPLE_VRS)),
    st.lists(RAW, max_size=7).map(b"".join),
    st.sampled_from(CHARACTER_SETS),
)
@example(0x00080060, "LO", b"x" * 30 + b"\x81\x5c" + b"x" * 33, b"ISO_IR 13")
@example(0x00181622, "LO", b"\x81\x5c" * 70, b"GB18030")
def test_no_rule_is_broken_by_what_is_plainly_valid(tag, vr, raw, character_sets):
    before = b"\xff" * 8
    fit = fits(tag, vr, len(raw))
    if fit is None or fit(before + raw + before, 8, 8 + len(raw)):
        assert wrong_value(tag, vr, raw, encodings_of(character_sets)) is None
        if fit and vr in MINIMUM and b"\\" not in raw:
            value = raw.decode("latin-1").rstrip("\0 " if vr == "UI" else " ")
            assert wrong_by(MINIMUM, vr, value) is None or not value


@pytest.mark.parametrize(
    ("tag", "vr", "raw"),
    [
        (0x00080054, "AE", b"GANTRY"),
        (0x00101010, "AS", b"062Y"),
        (0x00080008, "CS", b"ORIGINAL\\PRIMARY\\AXIAL "),
        (0x00080020, "DA", b"20240131"),
        (0x00080020, "DA", b"20241231"),
        (0x00200032, "DS", b"-249.51171875\\-402.51171875\\1E+2 "),
        (0x0008002A, "DT", b"20240131101112.250000+0100"),
        (0x00200013, "IS", b"17"),
        (0x00080080, "LO", "Universitätsklinikum".encode()),
        (0x00080080, "LO", "Universitätsklinikum".encode("latin-1")),
        (0x00104000, "LT", b"\r\n\\" * 3000),
        (0x00100010, "PN", "Yamada^Tarou=山田^太郎=やまだ^たろう".encode()),
        (0x00081050, "PN", "Silva^João\\Weiß^Ada^^Dr.".encode()),
        (0x00080050, "SH", b"A1048576"),
        (0x00080081, "ST", b"x" * 1024),
        (0x00080030, "TM", b"081812.250000 "),
        (0x00080119, "UC", b"any"),
        (0x0020000D, "UI", b"1.2.840.0.10008\0"),
        (0x00280010, "US", b"\0\2"),
        (0x00091001, "LO", b"one\\two"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ordinary_values_are_plainly_valid(tag, vr, raw):
    fit = fits(tag, vr, len(raw))
    assert fit is None or fit(raw, 0, len(raw))


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "UT", "UR", "SQ"])
def test_there_is_nothing_to_be_seen_of_other_vrs(vr):
    assert fits(0x00080060, vr, 100) is None


def test_the_bytes_of_the_next_element_are_not_part_of_a_value():
    raw = b"CT" * 8 + b"X"
    assert fits(0x00080060, "CS", 16)(raw, 0, 16)
    assert not fits(0x00080060, "CS", 17)(raw, 0, 17)


def test_a_value_of_a_million_numbers_is_looked_at_in_one_pass():
    raw = b"\\".join([b"-123.25"] * 999_999)
    assert fits(0x30060050, "DS", len(raw))(raw, 0, len(raw))
    assert not fits(0x30060050, "DS", len(raw) + 2)(raw + b"\\1", 0, len(raw) + 2)
    assert not fits(0x30060050, "DS", len(raw) + 1)(raw + b"x", 0, len(raw) + 1)
