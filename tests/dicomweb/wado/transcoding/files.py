"""Files transcoded without a server around, and what other programs find in them."""

import warnings
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import openjpeg
import pydicom
from pydicom.encaps import generate_frames

from dicomweb import media
from dicomweb.imaging.decode import decode_frame
from dicomweb.imaging.pixels import image_pixels
from dicomweb.part10 import encode_header, read_part10
from dicomweb.wado.storedframes import read_frames
from dicomweb.wado.transcoding import Transcoding
from index.instances import StoredInstance
from storage.memory import MemoryStore

UNLIMITED = 1 << 30
BY_OPENJPEG = {media.JPEG_2000_LOSSLESS, media.JPEG_2000, media.HTJ2K_LOSSLESS}


def in_store(file: bytes) -> MemoryStore:
    store = MemoryStore(None)
    store.put("file", [file])
    return store


def transcoding(file: bytes, uid: str, most_bytes: int = UNLIMITED) -> Transcoding:
    """How a file is transcoded once it is stored."""
    read = read_part10(memoryview(file))
    instance = StoredInstance(
        1, "1.2", "1.3", "1.4", read.transfer_syntax_uid, len(file), b"", study_revision=0
    )
    return Transcoding.of(
        in_store(file),
        "file",
        instance,
        encode_header(read),
        read.frames.encode() if read.frames else None,
        target=uid,
        most_bytes=most_bytes,
    )


def transcoded(file: bytes, uid: str) -> bytes:
    """The file in another transfer syntax."""
    made = transcoding(file, uid)
    written = made.written()
    result = b"".join(written.pieces(job() for job in made.jobs()))
    assert written.length in (None, len(result))
    return result


def samples(file: bytes) -> list[np.ndarray]:
    """The decoded frames of a file, by this service."""
    read = read_part10(memoryview(file))
    pixels = image_pixels(read)
    swapped = read.transfer_syntax_uid == media.EXPLICIT_VR_BIG_ENDIAN and pixels.words
    numbers = range(1, read.frames.count + 1)
    frames = read_frames(in_store(file), "file", read.frames, numbers, swapped_words=swapped)
    return [decode_frame(frame, read.transfer_syntax_uid, pixels).samples for frame in frames]


def samples_by_others(file: bytes) -> Iterator[np.ndarray]:
    """The decoded frames of a file, by pydicom or OpenJPEG."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(BytesIO(file))
        number = int(ds.get("NumberOfFrames") or 1)
        if ds.file_meta.TransferSyntaxUID in BY_OPENJPEG:
            frames = generate_frames(ds.PixelData, number_of_frames=number)
            yield from map(openjpeg.decode, frames)
            return
        ds.pixel_array_options(raw=True)
        yield from ds.pixel_array if number > 1 else [ds.pixel_array]
