"""Elements at any depth of a header: the same as pydicom finds."""

import warnings
from struct import pack

import pytest
from pydicom.dataset import Dataset

from dicomweb.elements import NotReadable
from dicomweb.items import Item
from dicomweb.part10 import read_part10
from tests.dicomweb.part10.encoded import explicit, implicit, item, part10, pydicom_files, sequence
from tests.dicomweb.part10.oracle import dataset_of
from tests.dicomweb.part10.test_pydicom_files import NOT_FOR_PYDICOM

OUTER, INNER, TEXT = 0x00081115, 0x00081199, 0x00080060


def top_of(data_set: bytes, **options) -> Item:
    return Item.top(read_part10(part10(data_set), **options))


def text(value: bytes) -> bytes:
    return explicit(TEXT, "CS", value)


@pytest.mark.parametrize("inner", [True, False])
@pytest.mark.parametrize("outer", [True, False])
def test_items_are_found_by_number_whether_or_not_they_have_a_length(outer, inner):
    nested = [item(sequence(INNER, item(text(b"A%d" % n)), defined=inner), defined=inner)
              for n in range(3)]  # fmt: skip
    top = top_of(sequence(OUTER, *nested, defined=outer) + text(b"CT"))
    for number in range(1, 4):
        found = top.item(OUTER, number)
        assert found.item(INNER).text(TEXT) == f"A{number - 1}"
        assert found.item(INNER, 2) is None
    assert top.item(OUTER, 4) is None
    assert top.text(TEXT) == "CT"


def test_an_empty_sequence_has_no_items_and_an_empty_item_no_elements():
    top = top_of(sequence(OUTER) + sequence(INNER, item(b"", defined=False), defined=False))
    assert top.item(OUTER) is None
    assert top.item(INNER).element(TEXT) is None
    assert top.item(INNER, 2) is None


def test_an_element_is_no_sequence_and_a_sequence_no_element():
    top = top_of(sequence(OUTER, item(text(b"CT"))) + text(b"CT"))
    assert top.item(TEXT) is None
    assert top.element(OUTER) is None
    assert (OUTER in top, INNER in top) == (True, False)
    assert (top.text(INNER), top.numbers(INNER, 1)) == ("", [])


def test_items_in_implicit_vr_are_read_within_explicit_vr():
    top = top_of(sequence(OUTER, item(implicit(TEXT, b"CT")), vr="UN"))
    assert top.item(OUTER).text(TEXT) == "CT"


@pytest.mark.parametrize(
    ("vr", "value", "most", "expected"),
    [
        ("DS", b"1.5\\-2 ", 2, [1.5, -2]),
        ("DS", b"1.5\\-2 ", 1, [1.5]),
        ("DS", b"1\\x\\3", 3, [1]),
        ("DS", b"", 3, []),
        ("IS", b" 7", 1, [7]),
        ("US", pack("<3H", 1, 2, 65535), 2, [1, 2]),
        ("SS", pack("<h", -3), 5, [-3]),
        ("FL", pack("<f", 0.5), 1, [0.5]),
        ("US", b"\1", 1, []),
        ("LO", b"none", 1, []),
    ],
)
def test_numbers_are_binary_or_text(vr, value, most, expected):
    assert top_of(explicit(TEXT, vr, value)).numbers(TEXT, most) == expected


def test_a_value_that_is_not_in_the_header_is_told_where_it_is():
    value = bytes(range(256)) * 8
    file = part10(sequence(OUTER, item(explicit(0x00283006, "OW", value) + text(b"CT"))))
    element = Item.top(read_part10(file)).item(OUTER).element(0x00283006)
    assert element.value == b""
    assert file[element.cut.offset : element.cut.offset + element.cut.length] == value


def compare(found: Item, expected: Dataset) -> int:
    """Assert that an item has the elements of a data set; how many items there are in it."""
    items = 0
    for element in expected:
        assert element.tag in found
        if element.VR != "SQ":
            assert found.item(element.tag) is None
            continue
        for number, inner in enumerate(element.value, start=1):
            items += 1 + compare(found.item(element.tag, number), inner)
        assert found.item(element.tag, len(element.value) + 1) is None
    return items


def test_the_items_of_all_files_are_those_of_pydicom():
    items = 0
    for path in pydicom_files():
        content = memoryview(path.read_bytes())
        try:
            file = read_part10(content)
        except NotReadable:
            continue
        if path.name != NOT_FOR_PYDICOM:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                items += compare(Item.top(file), dataset_of(content))
    assert items > 800
