from index import instances
from index.instances import Reference, Version
from index.store import store_instances
from tests.index.rows import new_instance

STUDY = Reference(1, "1.1")
SERIES = Reference(1, "1.1", "1.1.1")


def stored(index, *watermarks: int) -> None:
    """One series of instances with these watermarks."""
    news = [
        new_instance("1.1", "1.1.1", f"1.1.1.{watermark}", watermark=watermark)
        for watermark in watermarks
    ]
    store_instances(index, news)


def test_a_version_is_the_same_from_the_index_and_from_its_watermarks(index):
    watermarks = [2**62 + 1, 5, 2**62 + 2**39]
    stored(index, *watermarks)
    for reference in (STUDY, SERIES):
        assert instances.version(index, reference) == Version.of(watermarks)


def test_an_instance_is_found_with_its_header_and_frame_table(index):
    image = new_instance("1.1", "1.1.1", "1.1.1.1", header=b"header", frame_table=b"table")
    other = new_instance("1.1", "1.1.1", "1.1.1.2", header=b"no image")
    store_instances(index, [image, other])
    for stored_now in instances.find(index, STUDY):
        reference = Reference(1, "1.1", "1.1.1", stored_now.sop_instance_uid)
        new = image if stored_now.watermark == image.watermark else other
        expected = stored_now, new.header, new.frame_table
        assert instances.with_header(index, reference) == expected
    assert instances.with_header(index, Reference(1, "1.1", "1.1.1", "1.1.1.3")) is None


def image(series: str, watermark: int, *, is_image: bool = True, **changes):
    frame_table = b"frames" if is_image else None
    return new_instance(
        "1.1", series, f"{series}.{watermark}", watermark=watermark, frame_table=frame_table,
        **changes,
    )  # fmt: skip


def test_images_and_documents_of_a_series_are_shown_and_nothing_else(index):
    pdf = "1.2.840.10008.5.1.4.1.1.104.1"
    store_instances(
        index,
        [
            image("1.1.1", 20, attributes=b"two"),
            image("1.1.1", 10, attributes=b"one"),
            image("1.1.1", 30, is_image=False),
            image("1.1.1", 40, is_image=False, sop_class_uid=pdf),
            image("1.1.2", 50),
        ],
    )
    assert instances.shown(index, SERIES) == [
        ("1.1.1.10", b"one", True),
        ("1.1.1.20", b"two", True),
        ("1.1.1.40", b"", False),
    ]
    assert instances.shown(index, Reference(1, "1.1", "9.9")) == []


def test_every_series_is_shown_by_its_first_image_and_its_first_document(index):
    pdf = "1.2.840.10008.5.1.4.1.1.104.1"
    store_instances(
        index,
        [
            image("1.1.2", 20),
            image("1.1.2", 10),
            image("1.1.1", 30),
            image("1.1.1", 40, is_image=False, sop_class_uid=pdf),
            image("1.1.3", 50, is_image=False),
            new_instance("2.2", "2.2.1", "2.2.1.1", frame_table=b"frames"),
        ],
    )
    assert set(instances.shown_series(index, STUDY)) == {
        ("1.1.2", b"header of 1.1.2.10", True),
        ("1.1.1", b"header of 1.1.1.30", True),
        ("1.1.1", b"header of 1.1.1.40", False),
    }
