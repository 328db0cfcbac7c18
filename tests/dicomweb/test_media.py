import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb.errors import NotAcceptable, UnsupportedMediaType
from dicomweb.media import (
    FRAMES,
    IMAGES,
    INSTANCE,
    INSTANCES,
    MADE,
    RENDERED,
    accepted,
    choices,
    parse_media_type,
    require_dicom_json,
    welcome,
)

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
MPEG_2 = "1.2.840.10008.1.2.4.100"

MULTIPART_DICOM = 'multipart/related; type="application/dicom"'
MULTIPART_MPEG_2 = 'multipart/related; type="video/mpeg2"'
MULTIPART_OCTETS = 'multipart/related; type="application/octet-stream"'


def names(header: str | None, query: str | None = None) -> list[str]:
    return [member.name for member in accepted(header, query)]


def chosen(offer, header, *stored, query=None) -> tuple[str, str]:
    """Form and transfer syntax that are chosen of what is stored in these transfer syntaxes."""
    representation = choices(offer.acceptable(header, query), set(stored))[0]
    return str(representation.form), representation.transfer_syntax


def test_parameters_come_quoted_or_not_in_any_order_and_case():
    expected = {"type": "application/dicom", "boundary": "a;b,c"}
    for value in (
        'multipart/related; type="application/dicom"; boundary="a;b,c"',
        'MULTIPART/Related;Boundary="a;b,c";TYPE=application/dicom',
        'multipart/related ; boundary = "a;b\\,c" ;; type = "application/dicom";',
    ):
        media_type = parse_media_type(value)
        assert (media_type.name, media_type.parameters) == ("multipart/related", expected)


@pytest.mark.parametrize(
    "value", ["", ";", "dicom", "application/", "/dicom", "a/b c", '"a/b"', "a/b/c"]
)
def test_what_is_no_media_type_is_not_taken_for_one(value):
    assert parse_media_type(value) is None


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        ("multipart/related; boundary=ABCD1234", b"ABCD1234"),
        ('multipart/related; type="application/dicom"; boundary="x y:="', b"x y:="),
        ("multipart/related; boundary=--=_Part_1", b"--=_Part_1"),
    ],
)
def test_the_boundary_of_a_message_is_read(value, boundary):
    assert parse_media_type(value).require_boundary() == boundary


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", '; boundary=""', "; boundary=é", f"; boundary={201 * 'x'}"]
)
def test_a_message_without_a_proper_boundary_is_unsupported(boundary):
    with pytest.raises(UnsupportedMediaType, match="needs a boundary"):
        parse_media_type(f"multipart/related{boundary}").require_boundary()


def test_commas_and_semicolons_inside_quotes_do_not_separate():
    (member,) = accepted('multipart/related; type="a,b;c"; x="\\",";q=0.5', None)
    assert member.parameters == {"type": "a,b;c", "x": '",', "q": "0.5"}


def test_accept_is_sorted_by_quality_and_keeps_its_order_among_equals():
    assert names("a/1;q=0.1, a/2, a/3;q=0.5, a/4;q=1.0") == ["a/2", "a/4", "a/3", "a/1"]


def test_a_quality_of_zero_is_not_accepted():
    assert names("a/1;q=0, a/2;q=0.000, a/3;q=0.001") == ["a/3"]


@pytest.mark.parametrize("quality", ["2", "-1", "nan", "x", ""])
def test_a_malformed_quality_counts_as_one(quality):
    assert names(f"a/1;q=0.9, a/2;q={quality}") == ["a/2", "a/1"]


@pytest.mark.parametrize("header", [None, "", " "])
def test_a_missing_accept_header_accepts_anything(header):
    assert names(header) == ["*/*"]


def test_malformed_members_of_a_list_are_skipped():
    assert names("nonsense, a/1,, ;, a/2") == ["a/1", "a/2"]


def test_the_query_parameter_overrides_the_header():
    assert names("a/1", "b/1,b/2;q=0.1") == ["b/1", "b/2"]


def test_an_unescaped_plus_of_the_query_parameter_is_understood():
    require_dicom_json("text/html", "application/dicom json")


@given(st.text(alphabet='a/;,=" \\q.5*', max_size=200))
def test_any_text_is_a_list_of_what_is_accepted(text):
    for member in accepted(text, None):
        assert 0 < member.quality <= 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "*/*",
        "application/*",
        "application/json",
        "application/dicom+json",
        "Application/DICOM+JSON; charset=utf-8",
        "text/html, application/json;q=0.1",
        "application/dicom+json, application/json",
    ],
)
def test_dicom_json_is_given_to_those_who_take_it(header):
    require_dicom_json(header, None)


@pytest.mark.parametrize(
    "header",
    [
        "application/dicom",
        "application/data",
        "application/dicom+json+something",
        "text/html",
        "application/dicom+json;q=0",
        'multipart/related; type="application/dicom+json"',
        "nonsense",
    ],
)
def test_those_who_do_not_take_dicom_json_are_told_that_it_is_on_offer(header):
    with pytest.raises(NotAcceptable, match=r"On offer: application/dicom\+json\."):
        require_dicom_json(header, None)


def test_json_asked_by_the_query_parameter_is_not_given_when_another_type_is():
    with pytest.raises(NotAcceptable):
        require_dicom_json("application/dicom+json", "text/html")


@pytest.mark.parametrize("offer", [INSTANCES, INSTANCE], ids=["study or series", "instance"])
@pytest.mark.parametrize(
    "header",
    [
        None,
        "*/*",
        'multipart/related; type="*/*"',
        "multipart/related; type=*/*",
        f"{MULTIPART_DICOM}; transfer-syntax=*",
        'multipart/related; transfer-syntax="*"; type=application/dicom',
        "Multipart/Related; Type=Application/DICOM; Transfer-Syntax=*",
    ],
)
def test_instances_come_as_stored_in_several_parts_when_anything_will_do(offer, header):
    assert chosen(offer, header, EXPLICIT, MPEG_2) == (MULTIPART_DICOM, "*")


@pytest.mark.parametrize("offer", [INSTANCES, INSTANCE], ids=["study or series", "instance"])
def test_application_dicom_without_transfer_syntax_means_explicit_vr_little_endian(offer):
    for stored in ([EXPLICIT], [IMPLICIT], [JPEG, EXPLICIT]):
        assert chosen(offer, MULTIPART_DICOM, *stored) == (MULTIPART_DICOM, EXPLICIT)


@pytest.mark.parametrize("uid", sorted(MADE))
def test_instances_come_in_transfer_syntaxes_that_are_made(uid):
    header = f"{MULTIPART_DICOM}; transfer-syntax={uid}"
    assert chosen(INSTANCES, header, JPEG, EXPLICIT) == (MULTIPART_DICOM, uid)


@pytest.mark.parametrize("uid", [JPEG, JPEG_2000, MPEG_2, "1.2.3.4"])
def test_other_transfer_syntaxes_are_refused_with_what_is_on_offer(uid):
    with pytest.raises(NotAcceptable) as refusal:
        chosen(INSTANCES, f"{MULTIPART_DICOM}; transfer-syntax={uid}", EXPLICIT, IMPLICIT)
    text = str(refusal.value)
    assert f"Stored is {IMPLICIT}, {EXPLICIT}. On offer is transfer-syntax=*" in text
    assert ", ".join(sorted(MADE)) in text


@pytest.mark.parametrize("uid", [IMPLICIT, EXPLICIT, JPEG, JPEG_2000_LOSSLESS, MPEG_2, "1.2.3.4"])
def test_instances_come_in_the_transfer_syntax_they_are_stored_in_when_it_is_asked_for(uid):
    header = f"{MULTIPART_DICOM}; transfer-syntax={uid}"
    assert chosen(INSTANCES, header, uid) == (MULTIPART_DICOM, uid)


def test_an_instance_comes_alone_when_that_is_asked():
    assert chosen(INSTANCE, "application/dicom", EXPLICIT) == ("application/dicom", EXPLICIT)
    header = "application/dicom; transfer-syntax=*"
    assert chosen(INSTANCE, header, JPEG) == ("application/dicom", "*")


def test_a_study_or_series_never_comes_as_a_single_part():
    with pytest.raises(
        NotAcceptable, match='On offer: multipart/related; type="application/dicom";'
    ):
        INSTANCES.acceptable("application/dicom; transfer-syntax=*", None)


@pytest.mark.parametrize(
    "header",
    [
        "application/octet-stream",
        "image/png",
        "multipart/related",
        "multipart/related; type=application/octet-stream; transfer-syntax=*",
        'multipart/related; type="image/png"',
        f"{MULTIPART_DICOM}; transfer-syntax=explicit",
        "*/*;q=0",
    ],
)
@pytest.mark.parametrize("offer", [INSTANCES, INSTANCE], ids=["study or series", "instance"])
def test_other_media_types_are_not_on_offer_for_instances(offer, header):
    with pytest.raises(NotAcceptable, match="On offer: multipart/related"):
        offer.acceptable(header, None)


@pytest.mark.parametrize("uid", [MPEG_2, JPEG])
def test_a_transfer_syntax_that_is_never_made_is_not_acceptable_even_where_nothing_is_stored(uid):
    with pytest.raises(NotAcceptable):
        chosen(INSTANCES, f"{MULTIPART_DICOM}; transfer-syntax={uid}")


@pytest.mark.parametrize("uid", ["*", EXPLICIT, JPEG_2000_LOSSLESS])
def test_a_transfer_syntax_on_offer_is_acceptable_where_nothing_is_stored(uid):
    header = f"{MULTIPART_DICOM}; transfer-syntax={uid}"
    assert chosen(INSTANCES, header) == (MULTIPART_DICOM, uid)


def test_the_first_acceptable_member_wins():
    header = f"image/png, application/dicom;q=0.5, {MULTIPART_DICOM};q=0.4, text/html;q=0.9"
    assert chosen(INSTANCE, header, EXPLICIT) == ("application/dicom", EXPLICIT)


def test_a_later_member_that_asks_as_stored_wins_among_equally_welcome_ones():
    header = f"application/dicom;q=0.5, {MULTIPART_DICOM};transfer-syntax=*;q=0.5"
    assert chosen(INSTANCE, header, EXPLICIT) == (MULTIPART_DICOM, "*")


def test_a_later_member_that_asks_as_stored_loses_when_it_is_less_welcome():
    header = f"application/dicom;q=0.5, {MULTIPART_DICOM};transfer-syntax=*;q=0.4"
    for stored in (EXPLICIT, JPEG):
        assert chosen(INSTANCE, header, stored) == ("application/dicom", EXPLICIT)


def test_of_equally_welcome_members_what_is_stored_wins():
    header = f"{MULTIPART_DICOM}; transfer-syntax={JPEG_2000_LOSSLESS}, {MULTIPART_DICOM}"
    assert chosen(INSTANCE, header, EXPLICIT) == (MULTIPART_DICOM, EXPLICIT)
    assert chosen(INSTANCE, header, IMPLICIT) == (MULTIPART_DICOM, JPEG_2000_LOSSLESS)
    less = f"{MULTIPART_DICOM}; transfer-syntax={JPEG_2000_LOSSLESS}, {MULTIPART_DICOM};q=0.9"
    assert chosen(INSTANCE, less, EXPLICIT) == (MULTIPART_DICOM, JPEG_2000_LOSSLESS)


def test_a_wildcard_behind_a_named_type_does_not_win_over_it():
    assert chosen(INSTANCE, "application/dicom, */*", EXPLICIT) == ("application/dicom", EXPLICIT)


@pytest.mark.parametrize(
    "header",
    [None, "*/*", 'multipart/related; type="*/*"', f"{MULTIPART_OCTETS}; transfer-syntax=*"],
)
def test_frames_come_as_stored_in_several_parts_when_anything_will_do(header):
    assert chosen(FRAMES, header, MPEG_2) == (MULTIPART_OCTETS, "*")


@pytest.mark.parametrize("stored", [IMPLICIT, EXPLICIT, "1.2.840.10008.1.2.1.99"])
@pytest.mark.parametrize("wanted", ["", f"; transfer-syntax={EXPLICIT}"])
def test_native_little_endian_frames_serve_as_explicit_vr_little_endian(stored, wanted):
    assert chosen(FRAMES, MULTIPART_OCTETS + wanted, stored) == (MULTIPART_OCTETS, EXPLICIT)
    single = "application/octet-stream" + wanted
    assert chosen(FRAMES, single, stored) == ("application/octet-stream", EXPLICIT)


@pytest.mark.parametrize("stored", [JPEG, BIG_ENDIAN, JPEG_2000_LOSSLESS])
def test_other_frames_are_decoded_to_be_explicit_vr_little_endian(stored):
    for header in ("application/octet-stream", f"{MULTIPART_OCTETS}; transfer-syntax={EXPLICIT}"):
        (representation,) = choices(FRAMES.acceptable(header, None), {stored})
        assert representation.transfer_syntax == EXPLICIT
        assert not representation.is_stored({stored})


@pytest.mark.parametrize("uid", [IMPLICIT, JPEG_2000_LOSSLESS, JPEG])
def test_octets_in_another_transfer_syntax_are_only_had_of_what_is_stored_so(uid):
    header = f"application/octet-stream; transfer-syntax={uid}"
    assert chosen(FRAMES, header, uid) == ("application/octet-stream", uid)
    with pytest.raises(NotAcceptable, match=f"one of {EXPLICIT}"):
        chosen(FRAMES, header, EXPLICIT)


@pytest.mark.parametrize(
    ("media_type", "uid"),
    [
        ("image/jp2", JPEG_2000_LOSSLESS),
        ("image/jls", "1.2.840.10008.1.2.4.80"),
        ("image/jphc", "1.2.840.10008.1.2.4.201"),
        ("image/dicom-rle", "1.2.840.10008.1.2.5"),
    ],
)
def test_frames_are_compressed_for_media_types_that_are_without_loss(media_type, uid):
    form = f'multipart/related; type="{media_type}"'
    assert chosen(FRAMES, form, EXPLICIT) == (form, uid)
    assert chosen(FRAMES, f"{form}; transfer-syntax={uid}", JPEG) == (form, uid)
    with pytest.raises(NotAcceptable, match="On offer is"):
        chosen(FRAMES, f"{form}; transfer-syntax=*", EXPLICIT)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/jpx"])
def test_frames_are_never_compressed_with_loss(media_type):
    with pytest.raises(NotAcceptable, match=r"transfer-syntax=\*, which is as stored\."):
        chosen(FRAMES, f'multipart/related; type="{media_type}"', EXPLICIT)


@pytest.mark.parametrize(
    ("media_type", "stored"),
    [
        ("image/jp2", JPEG_2000_LOSSLESS),
        ("image/jp2", JPEG_2000),
        ("image/jpeg", JPEG),
        ("image/jls", "1.2.840.10008.1.2.4.80"),
        ("image/jphc", "1.2.840.10008.1.2.4.201"),
        ("image/dicom-rle", "1.2.840.10008.1.2.5"),
    ],
)
def test_compressed_frames_come_in_the_media_type_they_are_stored_in(media_type, stored):
    form = f'multipart/related; type="{media_type}"'
    assert chosen(FRAMES, form, stored) == (form, "*")
    assert chosen(FRAMES, f"{form}; transfer-syntax=*", stored) == (form, "*")
    assert chosen(FRAMES, f"{form}; transfer-syntax={stored}", stored) == (form, stored)


@pytest.mark.parametrize(
    ("older", "media_type"),
    [
        ("image/x-dicom-rle", "image/dicom-rle"),
        ("image/x-jls", "image/jls"),
        ("image/jhc", "image/jphc"),
    ],
)
def test_names_that_clients_use_are_understood(older, media_type):
    asked, form = (f'multipart/related; type="{name}"' for name in (older, media_type))
    uid = FRAMES.acceptable(form, None)[-1].transfer_syntax
    assert chosen(FRAMES, asked, uid) == (form, "*")
    assert chosen(FRAMES, f"{asked}; transfer-syntax={uid}", EXPLICIT) == (form, uid)


@pytest.mark.parametrize(
    ("header", "stored", "expected"),
    [
        ('multipart/related; type="image/*"', JPEG, ('multipart/related; type="image/jpeg"', "*")),
        (
            'multipart/related; type="image/*"; transfer-syntax=*',
            "1.2.840.10008.1.2.5",
            ('multipart/related; type="image/dicom-rle"', "*"),
        ),
        (
            'multipart/related; type="image/*"',
            EXPLICIT,
            ('multipart/related; type="image/jp2"', JPEG_2000_LOSSLESS),
        ),
        (
            f'multipart/related; type="*/*"; transfer-syntax={JPEG_2000_LOSSLESS}',
            JPEG,
            ('multipart/related; type="image/jp2"', JPEG_2000_LOSSLESS),
        ),
        ('multipart/related; type="video/*"', MPEG_2, (MULTIPART_MPEG_2, "*")),
        (MULTIPART_MPEG_2, MPEG_2, (MULTIPART_MPEG_2, "*")),
        (f"{MULTIPART_MPEG_2}; transfer-syntax={MPEG_2}", MPEG_2, (MULTIPART_MPEG_2, MPEG_2)),
        ("application/*", EXPLICIT, ("application/octet-stream", EXPLICIT)),
    ],
)
def test_a_range_of_media_types_means_any_of_them_that_can_be_had(header, stored, expected):
    assert chosen(FRAMES, header, stored) == expected


def test_a_video_is_never_made():
    with pytest.raises(NotAcceptable, match="which is as stored"):
        chosen(FRAMES, MULTIPART_MPEG_2, EXPLICIT)


@pytest.mark.parametrize(
    "header",
    [
        "application/dicom",
        "image/jp2",
        'multipart/related; type="image/png"',
        f'multipart/related; type="image/jp2"; transfer-syntax={EXPLICIT}',
        MULTIPART_DICOM,
    ],
)
def test_other_media_types_are_not_on_offer_for_frames(header):
    with pytest.raises(NotAcceptable, match="On offer: multipart/related"):
        FRAMES.acceptable(header, None)


def test_the_query_parameter_chooses_the_form():
    header = f"{MULTIPART_OCTETS}; transfer-syntax=*"
    assert chosen(INSTANCE, header, EXPLICIT, query="application/dicom") == (
        "application/dicom",
        EXPLICIT,
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, list(IMAGES)),
        ("*/*", list(IMAGES)),
        ("image/*", list(IMAGES)),
        ("image/png", ["image/png"]),
        ("image/gif, image/png", ["image/gif", "image/png"]),
        ("image/gif;q=0.1, image/png;q=0.2", ["image/png", "image/gif"]),
        ("image/gif, image/*;q=0.5", ["image/gif", "image/jpeg", "image/png", "image/jp2"]),
        ("*/*, image/jpeg;q=0", ["image/png", "image/gif", "image/jp2"]),
        ("image/*;q=0, */*, image/jp2;q=0.1", ["image/jp2"]),
    ],
)
def test_what_is_on_offer_is_sorted_by_how_welcome_it_is(header, expected):
    assert list(welcome(IMAGES, header, None)) == expected


@pytest.mark.parametrize("header", ["image/tiff", "image/jpeg;q=0", "text/*", MULTIPART_DICOM, ","])
def test_what_is_not_on_offer_is_told_what_is(header):
    with pytest.raises(
        NotAcceptable, match=r"On offer: image/jpeg, .*, application/pdf, video/mp4"
    ):
        welcome(RENDERED, header, None)


@given(st.text())
def test_any_accept_header_is_met_or_refused(text):
    try:
        assert set(welcome(IMAGES, text, None)) <= set(IMAGES)
    except NotAcceptable as refused:
        assert str(refused)  # noqa: PT017 - it may also be none
