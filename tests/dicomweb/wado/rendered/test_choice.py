"""Which instance stands for a series, and which series for a study."""

import numpy as np
import pytest
from pydicom.uid import EncapsulatedPDFStorage

from tests.datasets import dataset
from tests.dicomweb.wado.exchange import path
from tests.dicomweb.wado.rendered.images import IDENTITY, image, shades

STUDY, SERIES = "1.2.3", "1.2.3.4"


def plain(shade: int, number: int | str | None = 1, **attributes):
    """An image of one shade."""
    values = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "InstanceNumber": number}
    return image(np.full((2, 2), shade, np.uint8), **IDENTITY, **(values | attributes))


@pytest.fixture
def shade(get):
    """The shade of what stands for a path."""

    def shade(url: str) -> int:
        found = {int(shades(get(f"{url}/{form}", "image/png"))[0, 0])
                 for form in ("rendered", "thumbnail")}  # fmt: skip
        assert len(found) == 1
        return found.pop()

    return shade


@pytest.mark.parametrize(
    ("numbers", "middle"),
    [([5], 5), ([3, 1, 2], 2), ([30, 9, 100, 20, 1], 20), ([2, 1], 2), ([None, 7, 5], 7),
     ([-5, 0, 5], 0), ([1, 2, 3, 4], 3)],
)  # fmt: skip
def test_a_series_shows_its_middle_instance_by_number(store, shade, numbers, middle):
    store(*(plain(199 if number is None else 100 + number, number) for number in numbers))
    assert shade(f"studies/{STUDY}/series/{SERIES}") == 100 + middle
    assert shade(f"studies/{STUDY}") == 100 + middle


def test_instances_without_pixels_do_not_count(store, shade):
    others = [dataset(StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, InstanceNumber=number)
              for number in (3, 4, 5, 6)]  # fmt: skip
    store(plain(10, 1), plain(20, 2), *others)
    assert shade(f"studies/{STUDY}/series/{SERIES}") == 20


def test_a_study_shows_the_first_of_its_series_that_has_images(store, shade):
    store(
        plain(10, SeriesInstanceUID="1.1", SeriesNumber=10),
        plain(20, SeriesInstanceUID="1.2", SeriesNumber=9),
        plain(30, SeriesInstanceUID="1.3", SeriesNumber=None),
        dataset(StudyInstanceUID=STUDY, SeriesInstanceUID="1.4", SeriesNumber=1),
        dataset(
            StudyInstanceUID=STUDY,
            SeriesInstanceUID="1.5",
            SeriesNumber=2,
            SOPClassUID=EncapsulatedPDFStorage,
            MIMETypeOfEncapsulatedDocument="application/pdf",
            EncapsulatedDocument=b"%PDF-1.7",
        ),
    )
    assert shade(f"studies/{STUDY}") == 20
    assert shade(f"studies/{STUDY}/series/1.3") == 30


def test_series_without_numbers_come_last_in_the_order_they_were_stored(store, shade):
    store(
        plain(10, SeriesInstanceUID="9.9", SeriesNumber=None),
        plain(20, SeriesInstanceUID="1.1", SeriesNumber=None),
    )
    assert shade(f"studies/{STUDY}") == 10


@pytest.fixture
def fetched(archive, monkeypatch) -> list:
    """The statements that are run."""
    statements = []
    fetch = type(archive.index).fetch

    def fetch_and_note(index, statement, *values, **options):
        statements.append(statement)
        return fetch(index, statement, *values, **options)

    monkeypatch.setattr(type(archive.index), "fetch", fetch_and_note)
    return statements


@pytest.mark.parametrize(("level", "statements"), [(1, 3), (2, 2), (3, 1)])
def test_choosing_takes_few_statements(store, get, fetched, level, statements):
    instances = [plain(number, number, SeriesInstanceUID=f"1.{number % 3 + 1}")
                 for number in range(1, 10)]  # fmt: skip
    store(*instances)
    fetched.clear()
    assert get(f"{path(instances[0], level)}/rendered").status_code == 200
    assert len(fetched) == statements
