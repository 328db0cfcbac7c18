"""What is measured: the images that the server holds, and the requests for each line."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bench.corpus import (
    INSTANCES_PER_SERIES,
    INSTANCES_PER_STUDY,
    MULTI_FRAME,
    Template,
    ct,
    mr,
    small,
    uid,
)
from bench.server import fetch
from bench.workload import (
    DICOM_JSON,
    FILES,
    FRAMES,
    ONE_FILE,
    Request,
    get,
    results,
    same_file,
    same_files,
    same_frame,
    same_metadata,
    store,
    with_serial,
)

STUDIES = 10
FRESH_SERIES = 24
BASE = "/v2"
SERIALS_PER_CELL = 10**10
_FIRST_DATE = date(1950, 1, 1)
_DATES = 25_000


@dataclass(frozen=True)
class Study:
    """A stored study of 100 instances of a template, the first with that serial number."""

    template: Template
    first: int
    study_date: str
    count: int = INSTANCES_PER_STUDY

    @property
    def serials(self) -> range:
        """The serial numbers of its instances."""
        return range(self.first, self.first + self.count)

    @property
    def path(self) -> str:
        """The study's path."""
        return f"{BASE}/studies/{self.template.study_uid(self.first)}"

    @property
    def series(self) -> dict[str, list[int]]:
        """The serial numbers of the instances of each series, by its UID."""
        found: dict[str, list[int]] = {}
        for serial in self.serials:
            found.setdefault(self.template.series_uid(serial), []).append(serial)
        return found


@dataclass(frozen=True)
class Archive:
    """What the server holds while it is measured."""

    studies: Sequence[Study]
    others: dict[str, Study]
    """One instance each of the multi-frame templates, by name."""

    @property
    def instances(self) -> list[tuple[Template, int]]:
        """All CT instances, shuffled."""
        found = [(study.template, serial) for study in self.studies for serial in study.serials]
        random.Random(len(found)).shuffle(found)
        return found


@dataclass(frozen=True)
class Cell:
    """One line of the table."""

    operation: str
    clients: int
    requests: Callable[[Archive], list[Request]]
    instances: int = 1
    """What a request counts for."""
    fresh: bool = False
    """The requests go, once each, to series of 100 that have just been stored."""

    @property
    def name(self) -> str:
        """Operation and number of clients."""
        return f"{self.operation}, {self.clients} {'client' if self.clients == 1 else 'clients'}"


def _send(port: int, request: Request, first: int) -> None:
    """Store instances with the serial numbers from ``first`` on, and check the answer."""
    kind = request.head.partition(b"Content-Type: ")[2].partition(b"\r\n")[0].decode()
    request.check(fetch(port, request.path, DICOM_JSON, with_serial(request, first), kind))


def fill(port: int, first: int) -> Archive:
    """Store 1,000 CT: ten studies, the first of one series of 100, and some multi-frame images.

    :raise ServerError: a request is refused.
    """
    day = first // SERIALS_PER_CELL // 1000 * STUDIES % _DATES
    studies = []
    for number in range(STUDIES):
        study_date = (_FIRST_DATE + timedelta(days=day + number)).strftime("%Y%m%d")
        per_series = INSTANCES_PER_SERIES if number else INSTANCES_PER_STUDY
        study = Study(ct(study_date, per_series), first + number * INSTANCES_PER_STUDY, study_date)
        _send(port, store(f"{BASE}/studies", study.template, INSTANCES_PER_STUDY), study.first)
        studies.append(study)
    others = {}
    for number, (name, make) in enumerate(MULTI_FRAME.items()):
        serial = first + (STUDIES + number) * INSTANCES_PER_STUDY
        others[name] = Study(make(), serial, "", 1)
        _send(port, store(f"{BASE}/studies", others[name].template), serial)
    return Archive(studies, others)


def store_fresh(port: int, first: int) -> Archive:
    """Store series of 100 small CT with serial numbers from ``first`` on."""
    template = small(INSTANCES_PER_STUDY)
    request = store(f"{BASE}/studies", template, INSTANCES_PER_STUDY)
    studies = []
    for number in range(FRESH_SERIES):
        studies.append(Study(template, first + number * INSTANCES_PER_STUDY, ""))
        _send(port, request, studies[-1].first)
    return Archive(studies, {})


def stored_by(request: Request, template: Template, first: int, answered: int) -> list[Request]:
    """Return requests for some of the instances that a connection has stored.

    :param first: the connection's first serial number.
    :param answered: how many of its requests were answered.
    """
    last = first + answered * request.serials - 1
    wanted = {first, first + request.serials - 1, (first + last) // 2, last}
    return [_instance(template, serial) for serial in sorted(wanted)]


def _instance(template: Template, serial: int) -> Request:
    return get(f"{BASE}/{template.path(serial)}", ONE_FILE, same_file(template, serial))


def _by_patient_id(archive: Archive) -> list[Request]:
    return [
        get(
            f"{BASE}/studies?PatientID={study.template.patient_id(study.first)}",
            DICOM_JSON,
            results("0020000D", [study.template.study_uid(study.first)]),
        )
        for study in archive.studies
    ]


def _by_study_date(archive: Archive) -> list[Request]:
    return [
        get(
            f"{BASE}/studies?StudyDate={study.study_date}",
            DICOM_JSON,
            results("0020000D", [study.template.study_uid(study.first)]),
        )
        for study in archive.studies
    ]


def _series_of_study(archive: Archive) -> list[Request]:
    return [
        get(f"{study.path}/series", DICOM_JSON, results("0020000E", study.series))
        for study in archive.studies
    ]


def _series_of_100(archive: Archive) -> list[tuple[Study, str]]:
    """Return the series of 100 instances and their studies."""
    return [
        (study, series)
        for study in archive.studies
        for series, serials in study.series.items()
        if len(serials) == INSTANCES_PER_STUDY
    ]


def _instances_of_series(archive: Archive) -> list[Request]:
    return [
        get(
            f"{study.path}/series/{series}/instances",
            DICOM_JSON,
            results("00080018", [uid("instance", serial) for serial in study.serials]),
        )
        for study, series in _series_of_100(archive)
    ]


def _files(archive: Archive) -> list[Request]:
    return [_instance(template, serial) for template, serial in archive.instances]


def _studies(archive: Archive) -> list[Request]:
    return [
        get(study.path, FILES, same_files(study.template, study.serials))
        for study in archive.studies
    ]


def _metadata(archive: Archive) -> list[Request]:
    return [
        get(
            f"{BASE}/{template.path(serial)}/metadata",
            DICOM_JSON,
            same_metadata(template, [serial]),
        )
        for template, serial in archive.instances
    ]


def _series_metadata(archive: Archive) -> list[Request]:
    return [
        get(
            f"{study.path}/series/{series}/metadata",
            DICOM_JSON,
            same_metadata(study.template, study.serials),
        )
        for study, series in _series_of_100(archive)
    ]


def _frame(template: Template, serial: int, number: int) -> Request:
    path = f"{BASE}/{template.path(serial)}/frames/{number}"
    return get(path, FRAMES, same_frame(template.first_frame))


def _first_frames(archive: Archive) -> list[Request]:
    return [_frame(template, serial, 1) for template, serial in archive.instances]


def _frames_of(name: str, frames: int) -> Callable[[Archive], list[Request]]:
    def requests(archive: Archive) -> list[Request]:
        study = archive.others[name]
        numbers = random.Random(frames).sample(range(1, frames + 1), frames)
        return [_frame(study.template, study.first, number) for number in numbers]

    return requests


def _stores(template: Template, instances: int = 1) -> Callable[[Archive], list[Request]]:
    return lambda _: [store(f"{BASE}/studies", template, instances)]


def _for_clients(
    operation: str, requests: Callable[[Archive], list[Request]], fresh: bool = False
) -> list[Cell]:
    return [Cell(operation, clients, requests, fresh=fresh) for clients in (1, 8)]


@dataclass(frozen=True)
class StoreCell(Cell):
    """A line for a Store: what it leaves behind is read back and then undone."""

    template: Template | None = None


def _store_cell(operation: str, clients: int, template: Template, instances: int = 1) -> StoreCell:
    requests = _stores(template, instances)
    return StoreCell(operation, clients, requests, instances, template=template)


def all_cells() -> list[Cell]:
    """Return the lines of the table, reads first: they leave the archive as it is."""
    image = ct()
    return [
        *_for_clients("QIDO studies by PatientID", _by_patient_id),
        *_for_clients("QIDO studies by StudyDate", _by_study_date),
        *_for_clients("QIDO series of a study", _series_of_study),
        *_for_clients("QIDO 100 instances of a series", _instances_of_series),
        *_for_clients("WADO instance", _files),
        *_for_clients("WADO study of 100 CT", _studies),
        *_for_clients("metadata, 1 instance", _metadata),
        *_for_clients("metadata, series of 100, cached", _series_metadata),
        *_for_clients("frame 1 of a CT", _first_frames),
        Cell("frame 1 of 50, native", 8, _frames_of("native-frames", 1)),
        Cell("frame of 50, RLE", 8, _frames_of("rle-frames", 50)),
        Cell("frame of 50, JPEG", 8, _frames_of("jpeg-frames", 50)),
        Cell("frame of a slide, extended offsets", 8, _frames_of("slide-extended-offsets", 1000)),
        Cell("frame of a slide, no offsets", 8, _frames_of("slide-no-offsets", 1000)),
        *_for_clients("metadata, series of 100, first", _series_metadata, fresh=True),
        _store_cell("STOW 1 x CT", 1, image),
        _store_cell("STOW 1 x CT", 8, image),
        _store_cell("STOW 1 x MR 135 KB", 8, mr()),
        _store_cell("STOW 1 x 37 KB", 8, small()),
        _store_cell("STOW 100 x CT (instances)", 1, image, INSTANCES_PER_STUDY),
        _store_cell("STOW 100 x CT (instances)", 4, image, INSTANCES_PER_STUDY),
    ]
