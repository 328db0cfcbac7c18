"""How many SQL statements a search costs: a number that does not grow with what it finds."""

import pytest

from tests.datasets import dataset, encoded


@pytest.fixture
def statements(archive, client):
    """The statements that the index runs, once what the first request checks is checked."""
    client.get("/v2/studies")
    executed = []
    run = archive.index.execute

    def execute(sql, values=()):
        executed.append(sql)
        return run(sql, values)

    archive.index.execute = execute
    yield executed
    archive.index.execute = run


@pytest.fixture(params=[1, 30])
def study(request, client, version) -> str:
    """UID of a study of so many series of one instance each."""
    head = b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    files = [encoded(dataset(StudyInstanceUID="1.2")) for _ in range(request.param)]
    body = b"".join(head + file + b"\r\n" for file in files) + b"--b--"
    content_type = 'multipart/related; type="application/dicom"; boundary=b'
    answer = client.post(f"/{version}/studies", data=body, content_type=content_type)
    assert answer.status_code == 200
    return "1.2"


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("studies", 1),
        ("series", 1),
        ("instances", 1),
        ("studies/1.2/series", 1),
        ("studies/1.2/instances", 1),
        ("studies/1.2/series/1.3/instances", 1),
        ("instances?PatientID=P1&Modality=CT&StudyDate=20240101-&PatientName=doe*", 1),
        ("instances?includefield=all", 1),
        ("series?includefield=Rows,PatientAge,StudyDescription", 1),
        ("instances?includefield=AvailableTransferSyntaxUID", 1),
        ("instances?ModalitiesInStudy=CT", 2),
        ("series?includefield=00080061,00201206,00201208,00201209", 4),
    ],
)
def test_a_search_costs_as_many_statements_for_one_match_as_for_many(
    get, study, statements, path, count
):
    assert get(path).status_code in {200, 204}
    assert len(statements) == count


def test_what_is_refused_costs_none(get, statements):
    assert get("studies?limit=0").status_code == 400
    assert get("studies", Accept="text/html").status_code == 406
    assert statements == []
