"""Text in every character set: found, and answered as it was meant.

What pydicom makes of its own test files is what is expected.
"""

import unicodedata
import warnings
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from pydicom import dcmread
from pydicom.data import get_charset_files

from tests.datasets import dataset, encoded
from tests.dicomweb.qido.reading import all_of, value


def files() -> dict[str, tuple[bytes, str]]:
    """pydicom's files: content and PatientName of each, by SOP Instance UID.

    Some have the same UIDs: the last two characters of each are made its number.
    """
    found = {}
    names = sorted(name for name in get_charset_files("chr*.dcm") if "SQEncoding" not in name)
    for number, name in enumerate(names):
        content = Path(name).read_bytes()
        with warnings.catch_warnings(action="ignore"):  # about what it has to guess
            ds = dcmread(BytesIO(content))
            patient = str(ds.PatientName).rstrip("^=")
        uid = f"{ds.SOPInstanceUID[:-2]}{number + 10}"
        found[uid] = content.replace(ds.SOPInstanceUID.encode(), uid.encode()), patient
    return found


FILES = files()


@pytest.fixture
def expected() -> dict[str, str]:
    """Names of patients as pydicom reads them, by SOP Instance UID."""
    return {uid: name for uid, (_, name) in FILES.items()}


@pytest.fixture
def stored(client, version) -> None:
    """All files."""
    for content, _ in FILES.values():
        answer = client.post(f"/{version}/studies", data=content, content_type="application/dicom")
        assert answer.status_code in {200, 202}, answer.text


@pytest.fixture
def found(stored, search):
    """SOP Instance UIDs of the instances that a name finds."""

    def found(name: str, more: str = "") -> set[str]:
        return set(all_of(search(f"instances?PatientName={quote(name)}{more}"), "SOPInstanceUID"))

    return found


def bare(text: str) -> str:
    """Text without case, accents and widths of characters."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def groups(name: str) -> list[str]:
    """The component groups of a name."""
    return [group for group in name.split("=") if group]


def words(name: str) -> list[str]:
    """The words of a name."""
    return name.replace("=", " ").replace("^", " ").split()


def test_the_files_are_in_many_scripts(expected):
    scripts = {
        unicodedata.name(char).split()[0]
        for name in expected.values()
        for char in name
        if char.isalpha()
    }
    assert len(expected) == 15
    assert scripts == {
        "ARABIC",
        "CJK",
        "CYRILLIC",
        "GREEK",
        "HALFWIDTH",
        "HANGUL",
        "HEBREW",
        "HIRAGANA",
        "LATIN",
    }


def test_names_are_answered_as_pydicom_reads_them(stored, search, get, expected):
    for match in search("instances?includefield=PatientName,StudyInstanceUID,SeriesInstanceUID"):
        uid = value(match, "SOPInstanceUID")
        study, series = value(match, "StudyInstanceUID"), value(match, "SeriesInstanceUID")
        path = f"studies/{study}/series/{series}/instances/{uid}/metadata"
        (metadata,) = get(path).get_json(force=True)
        kinds = ("Alphabetic", "Ideographic", "Phonetic")
        pieces = zip(kinds, expected[uid].split("="), strict=False)
        name = {kind: text for kind, text in pieces if text}
        assert value(match, "PatientName") == name
        assert value(metadata, "PatientName") == name


def test_a_name_is_found_whole_and_by_each_component_group(found, expected):
    for name in {name for whole in expected.values() for name in (whole, *groups(whole))}:
        matching = {uid for uid, whole in expected.items() if name in (whole, *groups(whole))}
        assert found(name) == matching, name


def test_a_name_is_found_in_any_case_with_any_accents_composed_or_not(found, expected):
    for name in set(expected.values()):
        alike = {
            uid
            for uid, whole in expected.items()
            if bare(name) in map(bare, (whole, *groups(whole)))
        }
        for written in (
            name.upper(),
            name.lower(),
            bare(name),
            unicodedata.normalize("NFD", name),
            unicodedata.normalize("NFC", name),
        ):
            assert found(written) == alike, written


def test_a_name_is_found_by_the_start_and_end_of_a_group(found, expected):
    for group in {group for name in expected.values() for group in groups(name)}:
        for pattern, matches in (
            (f"{group[:2]}*", str.startswith),
            (f"*{group[-1]}", str.endswith),
            (f"*{group[1:-1]}*", str.__contains__),
        ):
            part = bare(pattern.replace("*", ""))
            matching = {
                uid
                for uid, name in expected.items()
                if any(matches(bare(text), part) for text in (*groups(name), name))
            }
            assert found(pattern) == matching, pattern


def test_a_name_is_found_by_the_beginnings_of_its_words(found, expected):
    for word in {word for name in expected.values() for word in words(name)}:
        for start in (word, word[:2], word.upper()):
            matching = {
                uid
                for uid, name in expected.items()
                if any(bare(other).startswith(bare(start)) for other in words(name))
            }
            assert found(start, "&fuzzymatching=true") == matching, start


def test_a_name_is_found_by_all_its_words_in_another_order(found, expected):
    for name in set(expected.values()):
        backwards = " ".join(reversed(words(name)))
        assert found(backwards, "&fuzzymatching=true") >= {
            uid for uid, other in expected.items() if other == name
        }


# Text other than names


TEXTS = {
    "ISO_IR 100": "Schädel & Größe",
    "ISO_IR 101": "Páteř łokieć",
    "ISO_IR 109": "Ĉiuj ĝibaj",
    "ISO_IR 110": "Krūšu šūna",
    "ISO_IR 144": "Грудная клетка",
    "ISO_IR 127": "فحص الصدر",
    "ISO_IR 126": "Θώρακας",
    "ISO_IR 138": "בית החזה",
    "ISO_IR 148": "Göğüs röntgeni Ş",
    "ISO_IR 166": "ทรวงอก",
    "ISO_IR 13": "ﾑﾈﾉ",
    "ISO_IR 192": "Ærø 胸部 Грудь",
    "GB18030": "胸部乗㐀",
    "GBK": "胸部乗坁",
    "\\ISO 2022 IR 87": "CT 胸部 X",
    "\\ISO 2022 IR 159": "CT 丂 X",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "ﾑﾈ 胸部",
    "\\ISO 2022 IR 149": "CT 흉부 X",
    "\\ISO 2022 IR 58": "CT 胸部 Y",
}
"""In GBK and GB 18030 some of these characters have a byte that is a backslash in ASCII."""
ESCAPE_TO_GB_2312 = b"\x1b$)A"  # pydicom writes none


@pytest.fixture
def described(client, version) -> dict[str, str]:
    """An instance with text of LO, SH, ST and LT in each character set; its UID by the text."""
    uids = {}
    for character_set, text in TEXTS.items():
        written = f"####{text}" if character_set.endswith("58") else text
        ds = dataset(
            SpecificCharacterSet=character_set.split("\\"),
            StudyDescription=written,
            AccessionNumber=written[:8],
            ManufacturerModelName=written,
            InstitutionAddress=written,
            AdditionalPatientHistory=written,
        )
        content = encoded(ds).replace(b"####", ESCAPE_TO_GB_2312)
        answer = client.post(f"/{version}/studies", data=content, content_type="application/dicom")
        assert answer.status_code == 200, answer.text
        uids[text] = ds.SOPInstanceUID
    return uids


FIELDS = (
    "StudyDescription",
    "ManufacturerModelName",
    "InstitutionAddress",
    "AdditionalPatientHistory",
)


def test_text_is_answered_as_it_was_meant(described, search):
    matches = search(f"instances?includefield={','.join(FIELDS)},AccessionNumber")
    for match, text in zip(reversed(matches), described, strict=True):
        assert [value(match, keyword) for keyword in FIELDS] == [text] * len(FIELDS)
        assert text.startswith(value(match, "AccessionNumber"))


def test_text_is_found_in_any_case_and_by_its_parts(described, search):
    def found(keyword: str, asked: str) -> list[str]:
        matches = search(f"instances?{keyword}={quote(asked)}")
        return all_of(matches, "SOPInstanceUID")

    for text, uid in described.items():
        for keyword in ("StudyDescription", "ManufacturerModelName"):
            for asked in (text, text.upper(), text.casefold(), f"{text[:3]}*", f"*{text[1:-1]}*"):
                assert uid in found(keyword, asked), (keyword, asked)
        assert uid in found("AccessionNumber", f"{text[:4]}*")
        assert found("StudyDescription", f"{text}x") == []


def test_text_respects_accents(described, search):
    assert len(search(f"studies?StudyDescription={quote('SCHÄDEL & GRÖSSE', safe='')}")) == 1
    assert search(f"studies?StudyDescription={quote('Schadel & Grosse', safe='')}") == []
