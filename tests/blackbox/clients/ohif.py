"""What is stored for OHIF: a study with one series of each kind that it shows its own way."""

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    EncapsulatedPDFStorage,
    VideoPhotographicImageStorage,
    generate_uid,
)

from tests.blackbox.clients.samples import IMAGES, sample, store
from tests.datasets import dataset, with_pixels

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"\n%%EOF\n"
MP4 = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 400
MPEG_4 = "1.2.840.10008.1.2.4.102"
PATIENT_ID = "OHIF-1"


@dataclass(frozen=True)
class Archive:
    """Two studies of one patient, and one of another."""

    images: dict[str, Dataset]
    """Of one series, by what their transfer syntax is called."""
    report: Dataset
    segmentation: Dataset
    document: Dataset
    video: Dataset
    waveform: Dataset
    palette: Dataset
    prior: Dataset
    other: Dataset

    @property
    def study(self) -> str:
        """Study Instance UID of all but the last two."""
        return self.report.StudyInstanceUID

    @property
    def series(self) -> str:
        """Series Instance UID of the images."""
        return next(iter(self.images.values())).SeriesInstanceUID


def fill(url: str) -> Archive:
    """Store it all."""
    person = {
        "PatientID": PATIENT_ID,
        "PatientName": "Viewer^Olga",
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "ReferringPhysicianName": "Ref^Erring",
    }
    study = person | {
        "StudyInstanceUID": generate_uid(),
        "StudyDate": "20240131",
        "StudyTime": "101112",
        "StudyDescription": "Abdomen and more",
        "AccessionNumber": "ACC-77",
    }
    first = {
        "SeriesInstanceUID": generate_uid(),
        "SeriesNumber": 1,
        "SeriesDescription": "Slices",
        "SeriesDate": "20240131",
        "SeriesTime": "101500",
        "Modality": "MR",
    }
    names = {"explicit": "MR_small.dcm", **IMAGES}
    images = {
        name: sample(file, InstanceNumber=number, **study, **first)
        for number, (name, file) in enumerate(names.items(), 1)
    }
    document = dataset(
        SOPClassUID=EncapsulatedPDFStorage,
        MIMETypeOfEncapsulatedDocument="application/pdf",
        EncapsulatedDocumentLength=len(PDF),
        EncapsulatedDocument=PDF + b"\0" * (len(PDF) % 2),
        **study | {"Modality": "DOC", "SeriesNumber": 4},
    )
    archive = Archive(
        images=images,
        report=sample("test-SR.dcm", **study, Modality="SR", SeriesNumber=2),
        segmentation=sample("liver_1frame.dcm", **study, Modality="SEG", SeriesNumber=3),
        document=document,
        video=video(**study, SeriesNumber=5),
        waveform=sample("waveform_ecg.dcm", **study, Modality="ECG", SeriesNumber=6),
        palette=sample("examples_palette.dcm", **study, Modality="US", SeriesNumber=7),
        prior=dataset(**person, StudyDate="20200101", Modality="CR"),
        other=dataset(PatientID="OHIF-2", PatientName="Else^Someone", StudyDate="20240201"),
    )
    store(url, archive.prior, archive.other, *images.values())
    store(url, archive.report, archive.segmentation, document, archive.video)
    store(url, archive.waveform, archive.palette)
    return archive


def video(**attributes) -> Dataset:
    ds = with_pixels(
        dataset(MPEG_4, SOPClassUID=VideoPhotographicImageStorage, Modality="XC", **attributes),
        frames=250,
    )
    ds.PixelData = encapsulate([MP4], has_bot=False)
    ds["PixelData"].is_undefined_length = True
    return ds
