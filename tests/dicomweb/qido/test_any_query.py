"""Whatever a client puts into a query, it gets an answer or is told what is wrong."""

from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dicomweb.qido.parameters import ACCEPT, FILTERS, FIXED

RESOURCES = [
    "studies",
    "series",
    "instances",
    "studies/1.2/series",
    "studies/1.2/instances",
    "studies/1.2/series/1.3/instances",
]
LONG = 8 * 1024
KEYWORDS = [
    "AccessionNumber",
    "ManufacturerModelName",
    "ModalitiesInStudy",
    "Modality",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "ReferringPhysicianName",
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "StudyDate",
    "StudyDescription",
    "StudyInstanceUID",
]

texts = st.text(
    st.one_of(
        st.sampled_from("*?%_!\\^=-,.'\"`;:&#+/()[]{}$@~| \t\r\n\0\x1b\x7f"),
        st.sampled_from("09aAzZéß\u0131\u0130Σςﬁ山홍\u0301\u200d\ufeff\uffff\U0001f600\U0010ffff"),
        st.characters(),
    ),
    max_size=40,
).map(lambda text: text.encode("utf-8", "surrogatepass"))
numbers = st.one_of(
    st.integers(),
    st.sampled_from([0, 1, 200, 201, 2**31, 2**32, 2**63 - 1, 2**63, 10**400, -1]),
).map(lambda number: str(number).encode())
dates = st.sampled_from(
    [b"20240131", b"20240131-", b"-20240131", b"20240101-20240131", b"-", b"20240230", b"00000101"]
)
uids = st.lists(
    st.sampled_from([b"1.2", b"1.3", b"1.4", b"1.*", b"", b"." * 64, b"1" * 65, b"1.2\0"]),
    max_size=300,
).map(b"\\".join)
long = st.tuples(st.sampled_from([b"a", b"*", b"?", b"%", b"a*", b"a ", b"^", b"\xff", b","]))
values = st.one_of(
    texts,
    numbers,
    dates,
    uids,
    st.binary(max_size=20),
    long.map(lambda given: (given[0] * LONG)[:LONG]),
    st.sampled_from([b"true", b"FALSE", b"all", b"PatientSex,00201208", b"00291010", b"*", b""]),
)
names = st.one_of(
    st.sampled_from([*KEYWORDS, *sorted(FIXED - {ACCEPT})]).map(str.encode),
    st.sampled_from([f"{tag:08X}" for tag in FILTERS]).map(str.encode),
    st.sampled_from([b"LIMIT", b"IncludeField", b"PatientSex", b"00091001", b"0020000d"]),
    texts,
)
raw = st.binary(max_size=30).map(lambda some: some.decode("latin-1"))


def escaped(some: bytes) -> str:
    return quote_from_bytes(some, safe="*?^=,\\")


def joined(pairs: list[tuple[bytes, bytes]]) -> str:
    return "&".join(f"{escaped(name)}={escaped(value)}" for name, value in pairs)


queries = st.lists(
    st.one_of(st.tuples(names, values).map(lambda pair: joined([pair])), raw), max_size=5
).map("&".join)
searches = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            [b"PatientID", b"00081030", b"AccessionNumber", b"ModalitiesInStudy"], values
        ),
        **dict.fromkeys([b"PatientName", b"ReferringPhysicianName"], values),
        **dict.fromkeys([b"StudyDate", b"PatientBirthDate"], dates),
        b"StudyInstanceUID": uids,
        b"fuzzymatching": st.sampled_from([b"true", b"false"]),
        b"offset": st.integers(0, 3).map(lambda number: str(number).encode()),
        b"cursor": st.integers(0, 2**63 - 1).map(lambda number: str(number).encode()),
        b"limit": st.integers(1, 3).map(lambda number: str(number).encode()),
        b"includefield": st.sampled_from([b"all", b"00080061,00201206,00201208", b"PatientSex"]),
    },
).map(lambda given: joined(list(given.items())))
"""Most of these are carried out."""


unhurried = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def stored(store):
    """Two instances whose values are as odd as queries may be."""
    store(StudyInstanceUID="1.2", SeriesInstanceUID="1.3", SOPInstanceUID="1.4")
    store(
        StudyInstanceUID="1.2",
        PatientName="%_!*?^\\'=山田^太郎",
        SpecificCharacterSet="ISO_IR 192",
        StudyDescription="%_!*?'\"",
    )


@unhurried
@given(resource=st.sampled_from(RESOURCES), query=queries)
@example(resource="studies", query="PatientName=%00&PatientID=%ED%A0%80&AccessionNumber=%FF%FE")
@example(resource="studies", query="limit=9999999999999999999999&offset=1e3&cursor=-0")
@example(resource="studies", query=f"PatientID={'*a' * 4000}")
@example(resource="studies", query=f"PatientName={'a+' * 4000}&fuzzymatching=true")
@example(resource="instances", query=f"SOPInstanceUID={','.join(map(str, range(1500)))}")
@example(resource="studies", query=f"includefield={','.join(['PatientSex'] * 700)}")
@example(resource="studies", query="&".join(f"{n:08X}" for n in range(800)))
def test_any_query_is_answered_or_refused_with_a_reason(stored, client, version, resource, query):
    answer = client.get(f"/{version}/{resource}", environ_overrides={"QUERY_STRING": query})
    assert answer.status_code in {200, 204, 400}, answer.text
    if answer.status_code == 400:
        assert answer.text.strip()
        assert len(answer.text) < 2000
    assert (answer.status_code == 200) is answer.data.startswith(b"[{")
    assert not set("\r\n") & set(answer.headers.get("Link", ""))


@unhurried
@given(resource=st.sampled_from(RESOURCES[:3]), query=searches)
def test_any_values_are_searched_for_on_every_database(stored, client, version, resource, query):
    answer = client.get(f"/{version}/{resource}", environ_overrides={"QUERY_STRING": query})
    assert answer.status_code in {200, 204, 400}, answer.text
    if answer.status_code == 200:
        assert 1 <= len(answer.get_json(force=True)) <= 3
