import pytest
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    generate_uid,
)

from dicomweb.wado.blobs import BlobDamaged
from index.instances import Reference, find
from storage.base import BlobNotFound
from storage.keys import instance_key
from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import parts, path

SINGLE = "application/dicom"
MULTIPART = 'multipart/related; type="application/dicom"'
AS_STORED = "transfer-syntax=*"
LEVELS = {1: "study", 2: "series", 3: "instance"}
ABSENT = dataset(StudyInstanceUID="1.2", SeriesInstanceUID="1.3", SOPInstanceUID="1.4")


def described(transfer_syntax_uid: str) -> str:
    return f"application/dicom; transfer-syntax={transfer_syntax_uid}"


def series_of(*transfer_syntaxes: str) -> list:
    study, series = generate_uid(), generate_uid()
    return [
        dataset(uid, StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number)
        for number, uid in enumerate(transfer_syntaxes, 1)
    ]


def keys(archive, study: str) -> list[str]:
    """Keys of the blobs of a study, in the order in which its instances are sent."""
    return [
        instance_key("Microsoft.Default", *found[1:4], found.watermark)
        for found in find(archive.index, Reference(1, study))
    ]


def test_a_single_part_instance_is_the_stored_file(store, get):
    ds = with_pixels(dataset())
    (file,) = store(ds)
    answer = get(path(ds), f"{SINGLE}; {AS_STORED}")
    assert answer.status_code == 200
    assert answer.data == file
    assert answer.headers["Content-Type"] == described(ExplicitVRLittleEndian)
    assert answer.headers["Content-Length"] == str(len(file))


@pytest.mark.parametrize("level", LEVELS)
def test_several_parts_as_stored_answer_a_request_for_anything(store, get, level):
    datasets = series_of(JPEGBaseline8Bit, ImplicitVRLittleEndian)
    files = store(*datasets)
    expected = [
        (described(JPEGBaseline8Bit), files[0]),
        (described(ImplicitVRLittleEndian), files[1]),
    ]
    for accept in (None, "*/*", 'multipart/related; type="*/*"', f"{MULTIPART}; {AS_STORED}"):
        answer = get(path(datasets[0], level), accept)
        assert parts(answer) == expected[: 1 if level == 3 else 2]


def test_a_study_has_all_its_series_and_a_series_only_its_own(store, get):
    study = generate_uid()
    first, second = dataset(StudyInstanceUID=study), dataset(StudyInstanceUID=study)
    other = dataset()
    files = store(first, second, other)
    assert [content for _, content in parts(get(path(first, 1)))] == files[:2]
    assert [content for _, content in parts(get(path(second, 2)))] == [files[1]]
    assert [content for _, content in parts(get(path(other, 1)))] == [files[2]]


def test_instances_stored_in_explicit_vr_little_endian_need_no_transfer_syntax(store, get):
    datasets = series_of(ExplicitVRLittleEndian, ExplicitVRLittleEndian)
    files = store(*datasets)
    for level in LEVELS:
        answer = get(path(datasets[0], level), MULTIPART)
        assert [content for _, content in parts(answer)] == files[: 1 if level == 3 else 2]


def test_an_instance_comes_in_the_stored_transfer_syntax_when_that_is_asked_for(store, get):
    (ds,) = series_of(JPEG2000Lossless)
    (file,) = store(ds)
    accept = f"transfer-syntax={JPEG2000Lossless}"
    assert get(path(ds), f"{SINGLE}; {accept}").data == file
    assert parts(get(path(ds, 1), f"{MULTIPART}; {accept}")) == [
        (described(JPEG2000Lossless), file)
    ]


def test_a_transfer_syntax_that_is_never_made_is_refused_with_what_is_on_offer(store, get):
    datasets = series_of(JPEGBaseline8Bit, JPEG2000Lossless)
    store(*datasets)
    for uid in (JPEGBaseline8Bit, "1.2.840.10008.1.2.4.100"):
        answer = get(path(datasets[0], 2), f"{MULTIPART}; transfer-syntax={uid}")
        assert answer.status_code == 406
        assert f"Stored is {JPEGBaseline8Bit}, {JPEG2000Lossless}. " in answer.text
        assert "On offer is transfer-syntax=*" in answer.text


def test_the_accept_query_parameter_overrides_the_header(store, get):
    ds = dataset()
    (file,) = store(ds)
    answer = get(f"{path(ds)}?accept=application/dicom;transfer-syntax=*", MULTIPART)
    assert answer.headers["Content-Type"] == described(ExplicitVRLittleEndian)
    assert answer.data == file


def test_what_is_not_stored_is_not_found(store, get):
    store(dataset())
    for level, name in LEVELS.items():
        answer = get(path(ABSENT, level))
        assert (answer.status_code, answer.text) == (404, f"The specified {name} cannot be found.")


def test_a_series_or_instance_of_another_study_is_not_found(store, get):
    first, second = dataset(), dataset()
    store(first, second)
    first.SeriesInstanceUID = second.SeriesInstanceUID
    assert get(path(first, 2)).status_code == 404
    first.SOPInstanceUID = second.SOPInstanceUID
    assert get(path(first)).status_code == 404


def test_a_study_of_another_partition_is_not_found(archive, store, get):
    ds = dataset()
    store(ds)
    object.__setattr__(
        archive, "settings", archive.settings.model_copy(update={"partitions": True})
    )
    archive.partitions.ensure("other")
    assert get(f"partitions/other/{path(ds, 1)}").status_code == 404
    assert get(f"partitions/Microsoft.Default/{path(ds, 1)}").status_code == 200


def test_malformed_identifiers_come_before_accept(get):
    ds = dataset()
    for level, keyword in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"), 1):
        answer = get(path(ds, level)[:-1] + "x", "image/png")
        assert answer.status_code == 400
        assert f"Dicom element '{keyword}' failed validation" in answer.text


def test_accept_comes_before_what_is_stored(get):
    never_made = f"{MULTIPART}; transfer-syntax=1.2.840.10008.1.2.4.100"
    for level in LEVELS:
        for accept in ("image/png", "application/octet-stream", never_made):
            answer = get(path(ABSENT, level), accept)
            assert answer.status_code == 406
            assert "on offer" in answer.text


def test_a_study_or_series_is_never_a_single_part(store, get):
    ds = dataset()
    store(ds)
    for level in (1, 2):
        answer = get(path(ds, level), f"{SINGLE}; {AS_STORED}")
        assert answer.status_code == 406
        assert MULTIPART in answer.text


def test_head_answers_the_headers_of_get_without_a_body(client, version, store, get):
    ds = dataset()
    store(ds)
    for accept in ("*/*", f"{SINGLE}; {AS_STORED}"):
        got = get(path(ds), accept)
        head = client.head(f"/{version}/{path(ds)}", headers={"Accept": accept})
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


def test_an_instance_whose_blob_is_gone_is_an_internal_error(archive, store, get):
    ds = dataset()
    store(ds)
    archive.blobs.delete(keys(archive, ds.StudyInstanceUID))
    for accept in (None, f"{SINGLE}; {AS_STORED}"):
        answer = get(path(ds), accept)
        assert answer.status_code == 500
        assert ds.StudyInstanceUID not in answer.text


def test_one_of_the_first_two_blobs_missing_is_noticed_before_the_first_byte(archive, store, get):
    datasets = series_of(*[ExplicitVRLittleEndian] * 3)
    store(*datasets)
    archive.blobs.delete([keys(archive, datasets[0].StudyInstanceUID)[1]])
    assert get(path(datasets[0], 1)).status_code == 500


def test_a_later_blob_missing_breaks_the_answer_in_the_middle(archive, store, client, version):
    datasets = series_of(*[ExplicitVRLittleEndian] * 4)
    store(*(with_pixels(ds, rows=200, columns=200) for ds in datasets))
    archive.blobs.delete([keys(archive, datasets[0].StudyInstanceUID)[2]])
    answer = client.get(f"/{version}/{path(datasets[0], 1)}")
    assert answer.status_code == 200
    with pytest.raises(BlobNotFound):
        _ = answer.data
    answer.close()


@pytest.mark.parametrize("change", [-1, 1])
def test_a_blob_of_another_length_than_was_stored_is_not_sent(archive, store, get, change, caplog):
    ds = dataset()
    (file,) = store(ds)
    (key,) = keys(archive, ds.StudyInstanceUID)
    archive.blobs.delete([key])
    archive.blobs.put(key, [(file + b"\0")[: len(file) + change]])
    for accept in (None, f"{SINGLE}; {AS_STORED}"):
        assert get(path(ds), accept).status_code == 500
    assert BlobDamaged in {type(record.exc_info[1]) for record in caplog.records}


def test_a_retrieve_takes_one_statement_however_many_instances_there_are(
    archive, store, get, monkeypatch
):
    datasets = series_of(*[ExplicitVRLittleEndian] * 5)
    store(*datasets)
    statements = []
    execute = archive.index.execute
    monkeypatch.setattr(
        archive.index, "execute", lambda *given: statements.append(given) or execute(*given)
    )
    assert len(parts(get(path(datasets[0], 1)))) == 5
    assert len(statements) == 1
