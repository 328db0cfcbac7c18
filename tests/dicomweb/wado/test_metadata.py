import gzip

import orjson
import pytest
from pydicom.uid import generate_uid

from dicomweb.wado import metadata
from index.delete import delete_instances
from index.instances import Reference, find
from tests.datasets import dataset, with_pixels
from tests.dicomweb.wado.exchange import path

JSON = "application/dicom+json"
LEVELS = {1: "study", 2: "series", 3: "instance"}


def series_of(count: int) -> list:
    study, series = generate_uid(), generate_uid()
    return [
        dataset(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number)
        for number in range(1, count + 1)
    ]


def watermarks(archive, ds) -> list[int]:
    return [found.watermark for found in find(archive.index, Reference(1, ds.StudyInstanceUID))]


def numbers(answer) -> list[int]:
    """The instances of an answer, by their number."""
    assert answer.status_code == 200, answer.text
    return [instance["00200013"]["Value"][0] for instance in orjson.loads(answer.data)]


@pytest.fixture
def metadata_of(get):
    """Gets the metadata of a data set's study, series or instance."""

    def metadata_of(ds, level: int = 3, **headers: str):
        return get(f"{path(ds, level)}/metadata", **headers)

    return metadata_of


@pytest.fixture
def delete(archive):
    """Deletes a data set's instance."""

    def delete(ds) -> None:
        uids = ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID
        assert delete_instances(archive.index, Reference(1, *uids), lambda *_: "key") == 1

    return delete


@pytest.fixture
def statements(archive, monkeypatch) -> list[str]:
    """The SQL statements that are run."""
    run = []
    execute = archive.index.execute

    def execute_and_note(sql, *values):
        run.append(sql)
        return execute(sql, *values)

    monkeypatch.setattr(archive.index, "execute", execute_and_note)
    return run


def test_metadata_is_an_array_of_all_instances_under_what_is_asked(store, metadata_of):
    datasets = series_of(2)
    store(*datasets, *series_of(1))
    for level in LEVELS:
        answer = metadata_of(datasets[0], level, accept=JSON)
        assert answer.headers["Content-Type"] == JSON
        assert numbers(answer) == ([1] if level == 3 else [1, 2])


def test_metadata_has_the_attributes_but_no_bulk_values(store, metadata_of):
    ds = with_pixels(dataset(PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100"))
    store(ds)
    (instance,) = orjson.loads(metadata_of(ds).data)
    expected = ds.to_json_dict()
    del expected["7FE00010"]
    assert instance.pop("00080005") == {"vr": "CS", "Value": ["ISO_IR 100"]}
    expected.pop("00080005")
    assert instance == expected


def test_metadata_of_what_is_not_stored_is_not_found(metadata_of):
    for level, name in LEVELS.items():
        for known in ({}, {"If_None_Match": "*"}):
            answer = metadata_of(dataset(), level, **known)
            assert answer.status_code == 404
            assert answer.text == f"The specified {name} cannot be found."


def test_accept_comes_before_malformed_identifiers(get):
    answer = get("studies/x/metadata", "application/dicom")
    assert answer.status_code == 406
    assert JSON in answer.text
    assert get("studies/x/metadata", JSON).status_code == 400


def test_the_etag_of_an_instance_is_its_watermark_in_quotes(archive, store, metadata_of):
    (ds,) = series_of(1)
    store(ds)
    assert metadata_of(ds).headers["ETag"] == f'"{watermarks(archive, ds)[0]}"'


def test_the_etag_of_a_study_or_series_is_its_highest_watermark_and_its_count(
    archive, store, metadata_of
):
    datasets = series_of(3)
    store(*datasets)
    expected = f'"{max(watermarks(archive, datasets[0]))}-3"'
    for level in (1, 2):
        assert metadata_of(datasets[0], level).headers["ETag"] == expected


@pytest.mark.parametrize("level", LEVELS)
def test_a_client_that_has_the_metadata_is_told_so_without_a_body(store, metadata_of, level):
    datasets = series_of(2)
    store(*datasets)
    assert metadata_of(datasets[0], level, If_None_Match="*").status_code == 304
    etag = metadata_of(datasets[0], level).headers["ETag"].strip('"')
    for known in (etag, f'"{etag}"', f'W/"{etag}"', f'"1", "{etag}"', f"1, {etag}", "*"):
        answer = metadata_of(datasets[0], level, If_None_Match=known)
        assert (answer.status_code, answer.data) == (304, b"")
        assert "ETag" not in answer.headers


def test_a_client_that_has_something_else_gets_the_metadata(store, metadata_of):
    (ds,) = series_of(1)
    store(ds)
    for known in ('"1"', "1", '"1-2", W/"3"', ""):
        assert numbers(metadata_of(ds, If_None_Match=known)) == [1]


@pytest.mark.parametrize("level", [1, 2])
def test_the_etag_changes_with_every_store_and_delete(store, delete, metadata_of, level):
    first, second, third = series_of(3)
    store(first, second)
    etags = [metadata_of(first, level).headers["ETag"]]
    store(third)
    etags.append(metadata_of(first, level).headers["ETag"])
    delete(second)
    etags.append(metadata_of(first, level).headers["ETag"])
    store(second)
    etags.append(metadata_of(first, level).headers["ETag"])
    assert len(set(etags)) == 4


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_what_is_stored_and_deleted_shows_at_once(store, delete, metadata_of, level, encoding):
    first, second, third = series_of(3)

    def shown() -> list[int]:
        answer = metadata_of(first, level, Accept_Encoding=encoding)
        if encoding == "gzip":
            answer.data = gzip.decompress(answer.data)
        return numbers(answer)

    store(first, second)
    assert shown() == shown() == [1, 2]
    store(third)
    assert shown() == [1, 2, 3]
    delete(second)
    assert shown() == [1, 3]


def test_a_deleted_instance_is_gone_although_its_metadata_was_kept(store, delete, metadata_of):
    (ds,) = series_of(1)
    store(ds)
    for level in (1, 2, 3):
        metadata_of(ds, level)
    delete(ds)
    assert [metadata_of(ds, level).status_code for level in (1, 2, 3)] == [404, 404, 404]


def test_metadata_is_compressed_for_who_takes_it(store, metadata_of):
    datasets = series_of(2)
    store(*datasets)
    plain = metadata_of(datasets[0], 2)
    for accepted in ("gzip", "deflate, gzip;q=0.5", "*"):
        answer = metadata_of(datasets[0], 2, Accept_Encoding=accepted)
        assert "Accept-Encoding" in answer.vary
        assert answer.headers["Content-Type"] == JSON
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["ETag"] == plain.headers["ETag"]
        assert gzip.decompress(answer.data) == plain.data


def test_metadata_is_not_compressed_for_who_does_not_take_it(store, metadata_of):
    datasets = series_of(2)
    store(*datasets)
    metadata_of(datasets[0], 2, Accept_Encoding="gzip")
    for accepted in ("gzip;q=0", "br", ""):
        answer = metadata_of(datasets[0], 2, Accept_Encoding=accepted)
        assert "Accept-Encoding" in answer.vary
        assert "Content-Encoding" not in answer.headers
        assert numbers(answer) == [1, 2]


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_metadata_that_is_too_much_to_keep_is_sent_as_it_is_made(
    archive, store, metadata_of, monkeypatch, encoding
):
    datasets = series_of(3)
    store(*datasets)
    whole = metadata_of(datasets[0], 2, Accept_Encoding=encoding)
    monkeypatch.setattr(metadata, "STREAMED_BYTES", 0)
    (key,) = archive.answers._entries
    archive.answers._entries.clear()
    streamed = metadata_of(datasets[0], 2, Accept_Encoding=encoding)
    assert "Content-Length" not in streamed.headers
    assert streamed.headers["ETag"] == whole.headers["ETag"]
    unpack = gzip.decompress if encoding == "gzip" else bytes
    assert unpack(streamed.data) == unpack(whole.data)
    assert archive.answers.get(key) is None


def test_the_first_request_takes_one_statement_and_the_next_one_reads_no_header(
    store, metadata_of, statements
):
    datasets = series_of(5)
    store(*datasets)
    del statements[:]
    metadata_of(datasets[0], 2)
    assert len(statements) == 1
    del statements[:]
    metadata_of(datasets[0], 2)
    (statement,) = statements
    assert "header" not in statement


def test_head_answers_the_headers_of_get_without_a_body(client, version, store, metadata_of):
    (ds,) = series_of(1)
    store(ds)
    got = metadata_of(ds, 1)
    head = client.head(f"/{version}/{path(ds, 1)}/metadata")
    assert (head.status_code, head.data) == (200, b"")
    for name in ("ETag", "Content-Length", "Content-Type"):
        assert head.headers[name] == got.headers[name]
