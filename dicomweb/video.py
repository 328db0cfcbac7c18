"""Transfer syntaxes whose Pixel Data is one stream, whatever Number of Frames says (PS3.5 8.2)."""

MPEG2 = "video/mpeg2"
MP4 = "video/mp4"
OTHER = "application/octet-stream"
"""Of those that have no media type of their own."""

# fmt: off
VIDEO = {
    "1.2.840.10008.1.2.4.100": MPEG2, "1.2.840.10008.1.2.4.100.1": MPEG2,
    "1.2.840.10008.1.2.4.101": MPEG2, "1.2.840.10008.1.2.4.101.1": MPEG2,
    "1.2.840.10008.1.2.4.102": MP4, "1.2.840.10008.1.2.4.102.1": MP4,
    "1.2.840.10008.1.2.4.103": MP4, "1.2.840.10008.1.2.4.103.1": MP4,
    "1.2.840.10008.1.2.4.104": MP4, "1.2.840.10008.1.2.4.104.1": MP4,
    "1.2.840.10008.1.2.4.105": MP4, "1.2.840.10008.1.2.4.105.1": MP4,
    "1.2.840.10008.1.2.4.106": MP4, "1.2.840.10008.1.2.4.106.1": MP4,
    "1.2.840.10008.1.2.4.107": OTHER,  # HEVC
    "1.2.840.10008.1.2.4.108": OTHER,
}
# fmt: on
"""The media type of each (PS3.18 Table 8.7.3-5)."""
