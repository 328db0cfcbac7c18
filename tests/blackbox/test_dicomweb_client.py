"""dicomweb-client does everything it can do with what this service has."""

from io import BytesIO

import numpy as np
import pytest
import requests
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from tests.datasets import dataset, encoded, with_pixels


@pytest.fixture
def study(dicomweb):
    """A study of two series with two instances each, stored by the client."""
    series = [generate_uid(), generate_uid()]
    first = dataset(PatientID=generate_uid()[-20:])
    sets = [
        as_file(
            with_pixels(
                dataset(
                    PatientID=first.PatientID,
                    StudyInstanceUID=first.StudyInstanceUID,
                    SeriesInstanceUID=series[number // 2],
                    InstanceNumber=number + 1,
                ),
                frames=3,
            )
        )
        for number in range(4)
    ]
    answer = dicomweb.store_instances(sets, first.StudyInstanceUID)
    assert len(answer.ReferencedSOPSequence) == 4
    assert "FailedSOPSequence" not in answer
    return sets


def as_file(ds):
    """The data set as read from a file, File Meta Information and all."""
    return dcmread(BytesIO(encoded(ds)))


def uids(datasets) -> set[str]:
    return {ds.SOPInstanceUID for ds in datasets}


def test_a_stored_study_is_found_at_each_level(dicomweb, study):
    uid, patient = study[0].StudyInstanceUID, study[0].PatientID
    (found,) = dicomweb.search_for_studies(search_filters={"PatientID": patient})
    assert found["0020000D"]["Value"] == [uid]
    (found,) = dicomweb.search_for_studies(
        fields=["ModalitiesInStudy", "NumberOfStudyRelatedInstances"],
        search_filters={"StudyInstanceUID": uid},
    )
    assert found["00080061"]["Value"] == ["CT"]
    assert found["00201208"]["Value"] == [4]
    assert len(dicomweb.search_for_series(uid)) == 2
    assert len(dicomweb.search_for_instances(uid)) == 4
    assert len(dicomweb.search_for_instances(uid, study[0].SeriesInstanceUID)) == 2
    assert dicomweb.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    assert len(dicomweb.search_for_instances(uid, limit=1, get_remaining=True)) == 4


def test_a_stored_study_comes_back_whole(dicomweb, study):
    uid = study[0].StudyInstanceUID
    expected = {ds.SOPInstanceUID: ds for ds in study}
    for retrieved in (dicomweb.retrieve_study(uid), list(dicomweb.iter_study(uid))):
        assert uids(retrieved) == set(expected)
        for ds in retrieved:
            assert ds == expected[ds.SOPInstanceUID]
    series = dicomweb.retrieve_series(uid, study[0].SeriesInstanceUID)
    assert uids(series) == uids(study[:2])
    one = dicomweb.retrieve_instance(uid, study[0].SeriesInstanceUID, study[0].SOPInstanceUID)
    assert one == study[0]


def test_metadata_are_those_of_the_stored_data_sets(dicomweb, study):
    uid = study[0].StudyInstanceUID
    expected = {ds.SOPInstanceUID: ds for ds in study}
    for metadata in (
        dicomweb.retrieve_study_metadata(uid),
        dicomweb.retrieve_series_metadata(uid, study[0].SeriesInstanceUID),
        [
            dicomweb.retrieve_instance_metadata(
                uid, study[0].SeriesInstanceUID, study[0].SOPInstanceUID
            )
        ],
    ):
        for one in metadata:
            ds = expected[one["00080018"]["Value"][0]]
            whole = ds.to_json_dict()
            del whole["7FE00010"]
            assert one == whole


def test_frames_come_back_in_the_order_asked_for(dicomweb, study):
    ds = study[0]
    frames = dicomweb.retrieve_instance_frames(
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID, [3, 1]
    )
    size = len(ds.PixelData) // 3
    assert frames == [ds.PixelData[2 * size :], ds.PixelData[:size]]


def test_what_is_deleted_is_gone(dicomweb, study):
    uid = study[0].StudyInstanceUID
    dicomweb.delete_instance(uid, study[0].SeriesInstanceUID, study[0].SOPInstanceUID)
    assert len(dicomweb.search_for_instances(uid)) == 3
    dicomweb.delete_series(uid, study[2].SeriesInstanceUID)
    assert len(dicomweb.search_for_instances(uid)) == 1
    dicomweb.delete_study(uid)
    assert dicomweb.search_for_studies(search_filters={"StudyInstanceUID": uid}) == []
    with pytest.raises(requests.HTTPError, match="404"):
        dicomweb.retrieve_study(uid)


def test_the_same_instance_again_is_reported_as_failed(dicomweb, study):
    with pytest.raises(requests.HTTPError, match="409"):
        dicomweb.store_instances([study[0]])


def test_pixels_of_a_real_image_survive_the_round_trip(dicomweb):
    ds = dcmread(get_testdata_file("MR_small.dcm"))
    ds.StudyInstanceUID = generate_uid()
    dicomweb.store_instances([ds])
    (back,) = dicomweb.retrieve_study(ds.StudyInstanceUID)
    assert np.array_equal(back.pixel_array, ds.pixel_array)
