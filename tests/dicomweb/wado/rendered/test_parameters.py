import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb.errors import BadRequest
from dicomweb.imaging.grayscale import Function, Window
from dicomweb.wado.parameters import IccProfile, Parameters, Viewport, parameters


def asked(thumbnail: bool = False, **query: str) -> Parameters:
    return parameters(query.items(), thumbnail=thumbnail)


def refusal(thumbnail: bool = False, **query: str) -> str:
    with pytest.raises(BadRequest) as caught:
        asked(thumbnail, **query)
    return str(caught.value)


def test_without_parameters_an_image_is_as_good_as_it_can_be():
    assert asked() == Parameters(quality=100)
    assert asked(accept="image/png", charset="utf-8", other="x") == Parameters(quality=100)


@pytest.mark.parametrize("value", ["1", "100", "090"])
def test_quality_is_a_number_from_1_to_100(value):
    assert asked(quality=value).quality == int(value)


@pytest.mark.parametrize("value", ["0", "101", "-1", "1.5", "", "x", "1e2", "9" * 5000, "²"])
def test_another_quality_is_refused(value):
    assert "between 1 and 100 inclusive" in refusal(quality=value)


@pytest.mark.parametrize(
    ("value", "viewport"),
    [
        ("512,256", Viewport(512, 256)),
        ("512,256,,,512,512", Viewport(512, 256, 0, 0, 512, 512)),
        ("8,9,1", Viewport(8, 9, 1)),
        ("8,9,1.5,2,3.25,4", Viewport(8, 9, 1.5, 2, 3.25, 4)),
        ("8,9,-1,-2", Viewport(8, 9, 1, 2)),
        ("8,9,,,-3,4", Viewport(8, 9, 0, 0, 3, 4, flips_columns=True)),
        ("8,9,,,3,-4", Viewport(8, 9, 0, 0, 3, 4, flips_rows=True)),
        ("8,9,,,,-4", Viewport(8, 9, 0, 0, None, 4, flips_rows=True)),
    ],
)
def test_a_viewport_is_a_size_and_maybe_a_region(value, viewport):
    assert asked(viewport=value).viewport == viewport


@pytest.mark.parametrize(
    "value",
    ["", "512", "512,", ",512", "0,512", "512,0", "-5,5", "1.5,2", "a,b", "5,5,x", "5,5,,,0,5",
     "5,5,,,5,0", "5,5,1,1,1,1,1", "5,5,nan", "5,5,inf", "5,5,1e999", "5,5,1_0", "5;5", "5, 5"],
)  # fmt: skip
def test_a_malformed_viewport_is_refused(value):
    assert "viewport is vw,vh or vw,vh,sx,sy,sw,sh" in refusal(viewport=value)


@pytest.mark.parametrize("value", ["100000,100000", "999999999,999999999", "33554433,1"])
def test_a_viewport_too_large_to_be_filled_is_refused(value):
    assert "at most 33554432 pixels" in refusal(viewport=value)
    assert asked(viewport="7680,4320").viewport == Viewport(7680, 4320)


@pytest.mark.parametrize(
    ("value", "window"),
    [
        ("40,400,linear", Window(40, 400, Function.LINEAR)),
        ("-600.5,1,linear", Window(-600.5, 1, Function.LINEAR)),
        ("1e3,.5,linear-exact", Window(1000, 0.5, Function.LINEAR_EXACT)),
        ("0,0.001,sigmoid", Window(0, 0.001, Function.SIGMOID)),
        ("40,400,LINEAR", Window(40, 400, Function.LINEAR)),
        ("40,400,LINEAR_EXACT", Window(40, 400, Function.LINEAR_EXACT)),
    ],
)
def test_a_window_is_center_width_and_function(value, window):
    assert asked(window=value).window == window


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "window is center,width,function"),
        ("40,400", "window is center,width,function"),
        ("40,400,", "window is center,width,function"),
        ("40,400,cubic", "window is center,width,function"),
        ("40,400,linear,1", "window is center,width,function"),
        (",400,linear", "decimal numbers"),
        ("40,,linear", "decimal numbers"),
        ("x,400,linear", "decimal numbers"),
        ("nan,400,linear", "decimal numbers"),
        ("40,inf,linear", "decimal numbers"),
        ("40,1e31,linear", "decimal numbers"),
        ("0" * 100 + ",400,linear", "decimal numbers"),
        ("40,0.5,linear", "1 or more"),
        ("40,0,linear", "1 or more"),
        ("40,-400,linear", "1 or more"),
        ("40,0,linear-exact", "more than 0"),
        ("40,-1,sigmoid", "more than 0"),
    ],
)
def test_a_malformed_window_is_refused(value, reason):
    assert reason in refusal(window=value)


@pytest.mark.parametrize("value", ["no", "yes", "srgb", "adobergb", "rommrgb", "displayp3"])
def test_an_icc_profile_is_one_of_those_known(value):
    assert asked(iccprofile=value).icc_profile == IccProfile(value)


@pytest.mark.parametrize("value", ["", "SRGB", "cmyk", "no,yes"])
def test_another_icc_profile_is_refused(value):
    assert "no, yes, srgb, adobergb, rommrgb, displayp3" in refusal(iccprofile=value)


@pytest.mark.parametrize("value", ["", "patient", "technique", "patient,technique", "x"])
@pytest.mark.parametrize("thumbnail", [True, False])
def test_annotations_are_refused_rather_than_left_out(value, thumbnail):
    assert "Annotations are not burned into images" in refusal(thumbnail, annotation=value)


@pytest.mark.parametrize("name", ["quality", "viewport", "window", "iccprofile", "annotation"])
def test_a_parameter_that_is_given_twice_is_refused(name):
    with pytest.raises(BadRequest, match=f"{name} is given twice"):
        parameters([(name, "1"), ("x", "1"), ("x", "2"), (name, "1")])


def test_the_viewport_of_a_thumbnail_is_its_size():
    assert asked(thumbnail=True, viewport="64,32").viewport == Viewport(64, 32)
    for value in ("64,32,0,0,8,8", "64,32,", "64,32,1"):
        assert "viewport=128,128" in refusal(thumbnail=True, viewport=value)


def test_a_region_ends_where_the_image_does():
    assert Viewport(9, 9).box(100, 50) == (0, 0, 100, 50)
    assert Viewport(9, 9, 10, 20).box(100, 50) == (10, 20, 100, 50)
    assert Viewport(9, 9, 99, 49, 1, 1).box(100, 50) == (99, 49, 100, 50)


@pytest.mark.parametrize(
    "region", [(100, 0), (0, 50), (0, 0, 101), (99, 0, 2), (0, 0, 1, 51), (1e30, 0), (0, 0, 1e-30)]
)
def test_a_region_outside_the_image_or_of_no_pixel_is_refused(region):
    with pytest.raises(BadRequest, match="100 columns and 50 rows"):
        Viewport(9, 9, *region).box(100, 50)


@given(
    st.dictionaries(
        st.sampled_from(["quality", "viewport", "window", "iccprofile"]),
        st.text() | st.from_regex(r"-?[0-9.]+(,-?[0-9.e]*)*(,linear)?", fullmatch=True),
    )
)
def test_any_query_is_understood_or_refused(query):
    try:
        parameters(query.items())
    except BadRequest as refused:
        assert str(refused)  # noqa: PT017 - it may also be none
