"""Text in every character set, right or wrong, is decoded as pydicom does and without a warning."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from dicomweb.charset import decode, encodings_of

EXAMPLES = {
    "ISO_IR 13": "ﾔﾏﾀﾞ",
    "ISO_IR 100": "Äneas",
    "ISO_IR 101": "Wałęsa",
    "ISO_IR 109": "antaŭnomo",
    "ISO_IR 110": "vārds",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 127": "قباني",
    "ISO_IR 138": "שרון",
    "ISO_IR 144": "Люди",
    "ISO_IR 148": "Çavuşoğlu",
    "ISO_IR 166": "นามสกุล",
    "ISO_IR 192": "王^小東=Ἀ",
    "GB18030": "王^小东",
    "GBK": "王^小东",
}
EXTENSIONS = {
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126": "Dionysios=Люди=Διονυσιος",
}


@pytest.mark.parametrize(("term", "text"), EXAMPLES.items())
def test_text_in_one_character_set(term, text):
    encodings = encodings_of(term.encode())
    assert encodings == tuple(convert_encodings(term))
    assert decode(text.encode(encodings[0]), encodings) == text


@pytest.mark.parametrize(("terms", "text"), EXTENSIONS.items())
def test_text_with_code_extensions(terms, text):
    encodings = encodings_of(terms.encode())
    assert encodings == tuple(convert_encodings(terms.split("\\")))
    groups = [encode_string(group, list(encodings)) for group in text.split("=")]
    assert decode(b"=".join(groups), encodings) == text


def test_code_extensions_that_pydicom_cannot_write():
    # pydicom leaves the escape sequences of ISO-IR 58 in the text.
    chinese = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="  # PS3.5 Annex K
    assert decode(chinese, encodings_of(b"\\ISO 2022 IR 58")) == "Zhang^XiaoDong=张^小东="
    supplementary = "丂".encode("iso2022_jp_2")
    assert decode(supplementary, encodings_of(b"\\ISO 2022 IR 159")) == "丂"


@pytest.mark.parametrize("term", [term for term in python_encoding if "\\" not in term])
def test_every_term_means_what_it_means_to_pydicom(term):
    assert encodings_of(term.encode()) == tuple(convert_encodings(term))


@pytest.mark.parametrize(
    ("value", "encodings"),
    [
        (b"", ("iso8859",)),
        (b"ISO_IR 192 ", ("UTF8",)),
        (b"ISO_IR 100\0", ("latin_1",)),
        (b"ISO IR 100", ("latin_1",)),  # misspelt
        (b"ISO-IR 144", ("iso_ir_144",)),
        (b"\\ISO-2022-IR-87", ("iso8859", "iso2022_jp")),
        (b"NO SUCH SET", ("iso8859",)),
        (b"ISO_IR 999", ("iso8859",)),
        (b"utf_16", ("iso8859",)),  # codecs of Python that are no character sets of DICOM
        (b"unicode_escape", ("iso8859",)),
        (b"zlib", ("iso8859",)),
        (b"idna", ("iso8859",)),
        (b"ISO_IR 192\\ISO 2022 IR 87", ("UTF8",)),  # allows no code extensions
        (b"ISO 2022 IR 6\\GB18030\\ISO 2022 IR 87", ("iso8859", "iso2022_jp")),  # is none
        (b"\xff\xfe", ("iso8859",)),
    ],
)
def test_wrong_terms_do_not_fail_and_do_not_warn(value, encodings):
    assert encodings_of(value) == encodings


def test_no_more_terms_than_there_are_character_sets():
    assert len(encodings_of(b"\\" * 60000)) < 300


def test_a_code_extension_ends_with_the_line_but_not_with_the_part_of_a_name():
    encodings = encodings_of(b"\\ISO 2022 IR 149")
    assert decode(b"\x1b$)C\xb1\xe8\r\n\xb1", encodings) == "김\r\n±"
    assert decode(b"\x1b$)C\xb1\xe8^\xb1\xe8\\\xb1\xe8", encodings) == "김^김\\김"


def test_a_backslash_within_a_character_of_two_bytes_is_no_backslash():
    assert decode("乗".encode("gb18030"), ("GB18030",)) == "乗"
    assert b"\\" in "乗".encode("gb18030")


@pytest.mark.parametrize(
    ("value", "encodings", "text"),
    [
        (b"\xff", ("UTF8",), "\ufffd"),
        (b"\x1b$)Cabc", ("latin_1",), "\x1b$)Cabc"),  # not among the encodings
        (b"\x1b%5abc\x1b", ("latin_1",), "\x1b%5abc\x1b"),  # no escape sequence of DICOM
        (b"\x1b$)C\xff\xff", ("latin_1", "euc_kr"), "\ufffd\ufffd"),
        (b"\x1b$B\xff", ("latin_1", "iso2022_jp"), "\ufffd"),
    ],
)
def test_bytes_that_mean_nothing_do_not_fail(value, encodings, text):
    assert decode(value, encodings) == text


def test_more_escapes_than_any_text_has_are_not_followed():
    value = b"\x1b$)C\xb1\xe8" * 10_001
    assert decode(value, ("latin_1", "euc_kr")) == value.decode("latin_1")


def test_all_bytes_in_all_encodings_become_text_that_json_can_have():
    everything = b"".join(bytes((high, low)) for high in range(256) for low in range(256))
    for encoding in set(python_encoding.values()):
        decode(everything, (encoding, "iso2022_jp", "euc_kr")).encode("utf-8")


@settings(derandomize=True, deadline=None, database=None)
@given(
    st.sampled_from(list(EXTENSIONS)),
    st.lists(
        st.sampled_from(
            b"abc^ \\ = \r\n \x1b(B \x1b(J \x1b)I\xd4\xcf \xb1\xe8 \x1b$)C\xb1\xe8 \x1b$B;3\x1b(B "
            b"\x1b-L\xbb \x1b-F\xc4 \x1b-A\xc4".split(b" ")
        )
    ),
)
def test_what_pydicom_decodes_without_a_warning_is_decoded_alike(terms, pieces):
    encodings = encodings_of(terms.encode())
    value = b"".join(pieces)
    try:
        expected = decode_bytes(value, encodings, TEXT_VR_DELIMS)
    except UserWarning:
        return
    assert decode(value, encodings) == expected
