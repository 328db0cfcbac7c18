"""What may be asked, and what a client is told that asks for something else."""

import pytest

from dicomweb.errors import BadRequest
from dicomweb.qido.parameters import Parameters, next_query, parse
from dicomweb.query import first_value, query_pairs
from index import matching
from index.search import Level

STUDY_ATTRIBUTES = {
    "StudyInstanceUID": "1.2",
    "StudyDate": "20240131",
    "StudyDescription": "x",
    "AccessionNumber": "x",
    "PatientID": "x",
    "PatientName": "x",
    "ReferringPhysicianName": "x",
    "PatientBirthDate": "20240131",
    "ModalitiesInStudy": "CT",
}
SERIES_ATTRIBUTES = {
    "SeriesInstanceUID": "1.2",
    "Modality": "CT",
    "PerformedProcedureStepStartDate": "20240131",
    "ManufacturerModelName": "x",
}
INSTANCE_ATTRIBUTES = {"SOPInstanceUID": "1.2", "SOPClassUID": "1.2"}
EVERY = STUDY_ATTRIBUTES | SERIES_ATTRIBUTES | INSTANCE_ATTRIBUTES
ROUTES = {
    "studies": (Level.STUDY, 0, STUDY_ATTRIBUTES),
    "series": (Level.SERIES, 0, STUDY_ATTRIBUTES | SERIES_ATTRIBUTES),
    "instances": (Level.INSTANCE, 0, EVERY),
    "studies/{s}/series": (Level.SERIES, 1, SERIES_ATTRIBUTES),
    "studies/{s}/instances": (Level.INSTANCE, 1, SERIES_ATTRIBUTES | INSTANCE_ATTRIBUTES),
    "studies/{s}/series/{e}/instances": (Level.INSTANCE, 2, INSTANCE_ATTRIBUTES),
}


def parsed(query: str, route: str = "instances", *, wildcards: bool = True) -> Parameters:
    level, within, _ = ROUTES[route]
    return parse(query_pairs(query.encode()), level, within, wildcards=wildcards)


def refusal(query: str, route: str = "instances") -> str:
    with pytest.raises(BadRequest) as caught:
        parsed(query, route)
    return str(caught.value)


def condition(query: str, *, wildcards: bool = True) -> matching.Condition:
    ((_, only),) = parsed(query, wildcards=wildcards).conditions
    return only


# limit, offset, fuzzymatching


def test_without_a_query_the_first_hundred_are_asked_for():
    asked = parsed("")
    assert (asked.limit, asked.offset, asked.cursor) == (100, 0, None)
    assert (asked.conditions, asked.include, asked.include_all) == ((), frozenset(), False)


@pytest.mark.parametrize("limit", [1, 200])
def test_a_limit_is_from_1_to_200(limit):
    assert parsed(f"limit={limit}").limit == limit


@pytest.mark.parametrize("limit", ["0", "201", "-1", "abc", "", "1.5", "٣", "9" * 30, "1e2"])
def test_any_other_limit_is_refused(limit):
    message = refusal(f"limit={limit}")
    assert "'limit'" in message
    assert "between 1 and 200" in message


@pytest.mark.parametrize("offset", [0, 1, 2_147_483_647])
def test_an_offset_is_not_negative(offset):
    assert parsed(f"offset={offset}").offset == offset


@pytest.mark.parametrize("offset", ["-1", "abc", "", "1.5", "2147483648"])
def test_any_other_offset_is_refused(offset):
    assert "'offset'" in refusal(f"offset={offset}")


@pytest.mark.parametrize(
    ("given", "fuzzy"), [("true", True), ("TRUE", True), ("false", False), ("False", False)]
)
def test_fuzzymatching_is_true_or_false_in_any_case(given, fuzzy):
    name, _ = parsed(f"PatientName=Doe&fuzzymatching={given}").conditions[0]
    assert (name == "patient_name_words") is fuzzy


@pytest.mark.parametrize("given", ["yes", "1", "", "truefalse"])
def test_any_other_fuzzymatching_is_refused(given):
    assert "'fuzzymatching'" in refusal(f"fuzzymatching={given}")


def test_names_of_parameters_that_are_no_attributes_are_taken_in_any_case():
    asked = parsed("LIMIT=5&OffSet=6&FuzzyMatching=true&IncludeField=all&Accept=*/*&Cursor=7")
    assert (asked.limit, asked.offset, asked.include_all, asked.cursor) == (5, 6, True, 7)


def test_of_a_parameter_given_twice_the_first_value_counts():
    asked = parsed("limit=5&limit=x&offset=6&Offset=y&fuzzymatching=true&fuzzymatching=z")
    assert (asked.limit, asked.offset) == (5, 6)


def test_accept_is_no_attribute():
    assert parsed("accept=application/dicom%2Bjson").conditions == ()


@pytest.mark.parametrize("cursor", ["-1", "x", "", "9223372036854775808"])
def test_a_cursor_that_is_not_ours_is_refused(cursor):
    assert "'cursor'" in refusal(f"cursor={cursor}")


# Attributes as filters


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("keyword", EVERY)
def test_each_resource_is_searched_by_the_attributes_of_its_levels(route, keyword):
    query = f"{keyword}={EVERY[keyword]}"
    if keyword in ROUTES[route][2]:
        assert len(parsed(query, route).conditions) == 1
    else:
        message = refusal(query, route)
        assert f"'{keyword}' is not queryable" in message
        assert all(queryable in message for queryable in ROUTES[route][2])


@pytest.mark.parametrize("name", ["PatientSex", "00100040", "PixelData", "00091001", "60003000"])
def test_other_known_attributes_are_not_queryable(name):
    assert f"'{name}' is not queryable" in refusal(f"{name}=x")


@pytest.mark.parametrize(
    "name",
    [
        "Unknown",
        "patientid",
        "patientID",
        "0010,0020",
        "(0010,0020)",
        "0010002",
        "001000200",
        "0x100020",
        "00100099",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "00400275.00400009",
        "PatientID ",
        "",
        "é",
        "emptyvaluematching",
    ],
)
def test_an_unknown_parameter_is_refused_by_name(name):
    message = refusal(f"{name}=x")
    assert f"unknown query parameter '{name}'" in message
    assert "keyword" in message


def test_a_long_name_is_not_repeated_in_full():
    assert len(refusal(f"{'x' * 10_000}=x")) < 400


def test_a_parameter_without_a_value_is_not_overlooked():
    assert "unknown query parameter 'Foo'" in refusal("Foo")
    assert "empty value" in refusal("PatientID")


@pytest.mark.parametrize("name", ["00100020", "PatientID"])
def test_an_attribute_is_named_by_keyword_or_tag(name):
    assert parsed(f"{name}=x").conditions == (("patient_id", matching.single_value("x")),)


@pytest.mark.parametrize("name", ["0020000d", "0020000D"])
def test_a_tag_is_taken_in_any_case(name):
    assert parsed(f"{name}=1.2").filters == {0x0020000D}


def test_an_attribute_given_twice_is_refused():
    assert "duplicate attribute 'PatientID'" in refusal("PatientID=a&PatientID=a")


@pytest.mark.parametrize(
    "query", ["PatientID=a&00100020=a", "00100020=a&PatientID=b", "0020000d=1&0020000D=1"]
)
def test_an_attribute_given_in_two_spellings_is_refused(query):
    first, second = (part.split("=")[0] for part in query.split("&"))
    message = refusal(query)
    assert f"duplicate attribute '{second}'" in message
    assert f"'{first}'" in message


@pytest.mark.parametrize(
    "name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "0020000d"]
)
def test_a_uid_given_again_is_one_more_of_a_list(name):
    asked = condition(f"{name}=1.2&{name}=1.3%5C1.4&{name}=1.2")
    assert asked == matching.uid_list(["1.2", "1.3", "1.4"])


@pytest.mark.parametrize("query", ["SOPInstanceUID=1.2&SOPInstanceUID=", "SOPInstanceUID=&x=1"])
def test_an_empty_uid_is_refused_in_a_list_too(query):
    assert "'SOPInstanceUID' has an empty value" in refusal(query)


@pytest.mark.parametrize("name", ["Modality", "StudyDate", "PatientName", "ModalitiesInStudy"])
def test_what_is_no_uid_is_given_once(name):
    assert f"duplicate attribute '{name}'" in refusal(f"{name}=20240101&{name}=20240102")


@pytest.mark.parametrize("query", ["PatientName=", "PatientName=%20", "PatientName=++"])
def test_an_empty_value_is_refused(query):
    assert "'PatientName' has an empty value" in refusal(query)


def test_values_are_decoded_and_trimmed():
    assert condition("PatientID=%20A%2BB+C%20") == matching.single_value("A+B C")
    assert condition("PatientID=%C3%A9") == matching.single_value("é")


def test_a_value_that_is_no_utf_8_is_a_value_all_the_same():
    assert condition("PatientID=%FF") == matching.single_value("\ufffd")


def test_messages_do_not_repeat_values_of_attributes():
    for query in (
        "PatientID=Secret&PatientID=Secret",
        "PatientBirthDate=Secret",
        "PatientBirthDate=20240202-20240101",
        'PatientName=Secret"&fuzzymatching=true',
    ):
        assert "Secret" not in refusal(query)
        assert "2024" not in refusal(query)


# Values by VR


def test_text_with_wildcards_is_a_pattern_unless_the_setting_says_no():
    for name in ("PatientID", "AccessionNumber", "StudyDescription", "ManufacturerModelName"):
        assert condition(f"{name}=a*b") == matching.wild_card("a*b")
        assert condition(f"{name}=a?b") == matching.wild_card("a?b")
        assert condition(f"{name}=a*b", wildcards=False) == matching.single_value("a*b")
    for name in ("Modality", "ModalitiesInStudy"):
        assert condition(f"{name}=C?") == matching.wild_card("C?")
        assert condition(f"{name}=C?", wildcards=False) == matching.single_value("C?")


def test_names_are_matched_as_names():
    for name in ("PatientName", "ReferringPhysicianName"):
        assert condition(f"{name}=Doe^Jane") == matching.name_value("Doe^Jane")
        assert condition(f"{name}=Doe*") == matching.name_wild_card("Doe*")
        assert condition(f"{name}=Doe*", wildcards=False) == matching.name_value("Doe*")


def test_fuzzy_matching_is_for_names_alone():
    asked = parsed("PatientName=do+ja&ReferringPhysicianName=x&PatientID=y&fuzzymatching=true")
    assert asked.conditions == (
        ("patient_name_words", matching.name_words_match("do ja", wildcards=True)),
        ("referring_physician_name_words", matching.name_words_match("x", wildcards=True)),
        ("patient_id", matching.single_value("y")),
    )


def test_fuzzy_matching_takes_wildcards_literally_where_the_setting_says_so():
    asked = condition("PatientName=d*&fuzzymatching=true", wildcards=False)
    assert asked == matching.name_words_match("d*", wildcards=False)
    assert asked != matching.name_words_match("d*", wildcards=True)


def test_a_quote_is_refused_only_by_fuzzy_matching():
    message = refusal("PatientName=Jo%22e&fuzzymatching=true")
    assert "'PatientName'" in message
    assert "unsupported character '\"'" in message
    assert condition("PatientName=Jo%22e") == matching.name_value('Jo"e')
    assert parsed("PatientID=Jo%22e&fuzzymatching=true")


@pytest.mark.parametrize("separator", ["\\", ",", "%5C", "%2C", " \\ "])
@pytest.mark.parametrize(
    "name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"]
)
def test_uids_come_in_lists(name, separator):
    assert condition(f"{name}=1.2{separator}1.3") == matching.uid_list(["1.2", "1.3"])


@pytest.mark.parametrize("separator", ["\\", ",", "%5C", "%2C", " , "])
def test_modalities_in_study_come_in_lists(separator):
    asked = condition(f"ModalitiesInStudy=CT{separator}M?{separator}")
    assert asked == (*matching.single_value("CT"), *matching.wild_card("M?"))
    assert condition(f"ModalitiesInStudy=CT{separator}*") == matching.UNIVERSAL
    assert condition(f"ModalitiesInStudy={separator}") == matching.NOTHING


@pytest.mark.parametrize("name", ["Modality", "PatientID", "AccessionNumber"])
def test_other_strings_do_not(name):
    assert condition(f"{name}=CT,MR") == matching.single_value("CT,MR")


def test_a_wildcard_in_a_uid_matches_nothing():
    assert condition("StudyInstanceUID=1.2.*") == matching.NOTHING


@pytest.mark.parametrize(
    ("value", "ends"),
    [
        ("20240131", ("20240131", "20240131")),
        ("20240131-20240201", ("20240131", "20240201")),
        ("20240131-20240131", ("20240131", "20240131")),
        ("20240131-", ("20240131", None)),
        ("-20240131", (None, "20240131")),
        ("20240131%20-%2020240201", ("20240131", "20240201")),
        ("20240229", ("20240229", "20240229")),
    ],
)
@pytest.mark.parametrize(
    "name", ["StudyDate", "PatientBirthDate", "PerformedProcedureStepStartDate"]
)
def test_a_date_is_a_day_or_a_range(name, value, ends):
    assert condition(f"{name}={value}") == matching.date_range(*ends)


@pytest.mark.parametrize(
    "value",
    [
        "-",
        "2024",
        "2024013",
        "202401311",
        "20240132",
        "20230229",
        "00000101",
        "2024-01-31",
        "20240131-2024",
        "20240101-20240102-20240103",
        "--20240131",
        "today",
        "2024013?",
        "*",
        "2024*",
        "٢٠٢٤٠١٣١",
    ],
)
def test_anything_else_is_no_date(value):
    message = refusal(f"StudyDate={value}")
    assert "'StudyDate' is not a date" in message
    assert "yyyyMMdd" in message


def test_a_range_whose_ends_are_the_wrong_way_round_is_refused():
    message = refusal("StudyDate=20240202-20240201")
    assert "'StudyDate'" in message
    assert "lesser than or equal" in message


# includefield


@pytest.mark.parametrize(
    "query",
    [
        "includefield=PatientSex,00201208",
        "includefield=PatientSex&includefield=00201208",
        "includefield=PatientSex,%2000201208&includefield=PatientSex",
    ],
)
def test_fields_come_in_lists_or_in_several_parameters(query):
    assert parsed(query).include == {0x00100040, 0x00201208}


def test_fields_may_be_of_any_level():
    asked = parsed("includefield=PatientName,Modality,SOPInstanceUID,PixelData,60003000", "studies")
    assert asked.include == {0x00100010, 0x00080060, 0x00080018, 0x7FE00010, 0x60003000}


@pytest.mark.parametrize("given", ["all", "ALL", "All"])
def test_all_is_taken_in_any_case(given):
    assert parsed(f"includefield={given}").include_all


def test_a_private_field_comes_with_its_creator():
    assert parsed("includefield=0029100A").include == {0x0029100A, 0x00290010}
    assert parsed("includefield=00290010").include == {0x00290010}


@pytest.mark.parametrize(
    "given",
    [
        "Unknown",
        "",
        "PatientID,",
        ",PatientID",
        "patientid",
        "00100099",
        "0010,0020",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "00400275.00400009",
        "all,Unknown",
    ],
)
def test_an_unknown_field_is_refused(given):
    assert "includefield has the unknown attribute" in refusal(f"includefield={given}")


# The link to the next page


def test_the_next_page_is_asked_for_in_the_same_words():
    pairs = query_pairs(b"PatientName=D%C3%B6e*&offset=5&LIMIT=2&includefield=all&Cursor=9")
    following = next_query(pairs, 7)
    assert query_pairs(following.encode()) == [
        ("PatientName", "Döe*"),
        ("LIMIT", "2"),
        ("includefield", "all"),
        ("cursor", "7"),
    ]


def test_a_value_cannot_break_out_of_the_link():
    following = next_query(query_pairs(b"PatientID=%3E%22%0D%0ASet-Cookie:%20x%3B"), 7)
    assert not set('<>"\r\n; ') & set(following)


def test_the_first_value_of_a_parameter_is_found_in_any_case_of_its_name():
    pairs = query_pairs(b"a=1&ACCEPT=x&accept=y")
    assert first_value(pairs, "accept") == "x"
    assert first_value(pairs, "limit") is None
