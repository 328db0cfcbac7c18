"""Bulk values and ranges of bytes over real connections, and by the usual client library."""

import pytest
import requests
from pydicom.uid import EncapsulatedPDFStorage

from tests.datasets import dataset, encoded, with_pixels

DOCUMENT = b"%PDF-1.7\n" + bytes(range(256)) * 1000 + b"\n%%EOF"


@pytest.fixture
def stored(url):
    """An instance with a document and pixels."""
    ds = with_pixels(dataset(SOPClassUID=EncapsulatedPDFStorage), 64, 64, frames=4)
    ds.EncapsulatedDocument, ds.MIMETypeOfEncapsulatedDocument = DOCUMENT, "application/pdf"
    dicom = {"Content-Type": "application/dicom"}
    answer = requests.post(f"{url}/studies", data=encoded(ds), headers=dicom, timeout=60)
    assert answer.status_code == 200
    return ds


@pytest.fixture
def instance(url, stored) -> str:
    """URL of the instance."""
    series = f"{url}/studies/{stored.StudyInstanceUID}/series/{stored.SeriesInstanceUID}"
    return f"{series}/instances/{stored.SOPInstanceUID}"


@pytest.fixture
def uris(instance) -> dict[str, str]:
    """URLs of the bulk values, by tag, as the metadata have them."""
    (metadata,) = requests.get(f"{instance}/metadata?bulkdata=uri", timeout=60).json()
    return {
        tag: element["BulkDataURI"] for tag, element in metadata.items() if "BulkDataURI" in element
    }


def test_dicomweb_client_retrieves_bulk_values(dicomweb, stored, uris):
    assert uris.keys() == {"00420011", "7FE00010"}
    padded = DOCUMENT + b"\0" * (len(DOCUMENT) % 2)
    octets = ("application/octet-stream",)
    for media_types in (None, octets, (("application/octet-stream", "1.2.840.10008.1.2.1"),)):
        assert dicomweb.retrieve_bulkdata(uris["00420011"], media_types) == [padded]
        assert dicomweb.retrieve_bulkdata(uris["7FE00010"], media_types) == [stored.PixelData]
    assert list(dicomweb.iter_bulkdata(uris["7FE00010"])) == [stored.PixelData]


def test_dicomweb_client_retrieves_ranges_of_bulk_values(dicomweb, stored, uris):
    for asked in ((0, 9), (4000, 20_000), (100, 100)):
        found = dicomweb.retrieve_bulkdata(uris["7FE00010"], byte_range=asked)
        assert found == [stored.PixelData[asked[0] : asked[1] + 1]]
    found = dicomweb.retrieve_bulkdata(
        uris["00420011"], ("application/octet-stream",), byte_range=(0, 8)
    )
    assert found == [DOCUMENT[:9]]
    with pytest.raises(requests.HTTPError, match="416"):
        dicomweb.retrieve_bulkdata(uris["7FE00010"], byte_range=(10**9, 10**9 + 1))


def test_a_browser_reads_a_document_in_pieces_over_one_connection(uris):
    """Pieces of a file leave by ``sendfile``, which must neither stop early nor run on."""
    read = b""
    with requests.Session() as browser:
        accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        whole = browser.get(uris["00420011"], headers=accept, timeout=60)
        assert whole.headers["Content-Type"] == "application/pdf"
        for start in range(0, len(whole.content), 65_536):
            asked = {"Range": f"bytes={start}-{start + 65_535}", "If-Range": whole.headers["ETag"]}
            answer = browser.get(uris["00420011"], headers=accept | asked, timeout=60)
            assert answer.status_code == 206
            read += answer.content
        assert read == whole.content
        known = {"If-None-Match": whole.headers["ETag"]}
        assert browser.get(uris["00420011"], headers=accept | known, timeout=60).status_code == 304


def test_a_broken_download_of_an_instance_is_taken_up_again(stored, instance):
    file = encoded(stored)
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    with requests.Session() as client:
        etag = client.head(instance, headers=accept, timeout=60).headers["ETag"]
        first = client.get(instance, headers=accept | {"Range": "bytes=0-999"}, timeout=60)
        rest = {"Range": "bytes=1000-", "If-Range": etag}
        second = client.get(instance, headers=accept | rest, timeout=60)
        assert (first.status_code, second.status_code) == (206, 206)
        assert first.content + second.content == file
        head = client.head(instance, headers=accept | rest, timeout=60)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(file)))
        beyond = client.get(instance, headers=accept | {"Range": "bytes=9999999-"}, timeout=60)
        assert beyond.status_code == 416
        assert beyond.headers["Content-Range"] == f"bytes */{len(file)}"
        assert client.get(instance, headers=accept, timeout=60).content == file
