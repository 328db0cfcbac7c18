"""What a throw-away prototype of this design reached, to compare with.

The figures come from another run on the same kind of machine (two cores, local disk, the load
generator beside the server). Machines differ from day to day by up to a factor of two, so the table
also compares shares: of what a trivial Flask application under gunicorn reaches in the same run.
"""

from collections.abc import Mapping

# Operation and clients (cells.py) to requests per second; instances where a request has 100.
PROTOTYPE: Mapping[tuple[str, int], float] = {
    ("STOW 1 x CT", 1): 510,
    ("STOW 1 x CT", 8): 1063,
    ("STOW 1 x 37 KB", 8): 1359,
    ("STOW 100 x CT (instances)", 1): 1420,
    ("STOW 100 x CT (instances)", 4): 2130,
    ("QIDO studies by PatientID", 1): 1900,
    ("QIDO studies by PatientID", 8): 4300,
    ("QIDO studies by StudyDate", 1): 1900,
    ("QIDO studies by StudyDate", 8): 4300,
    ("QIDO series of a study", 1): 2390,
    ("QIDO series of a study", 8): 4900,
    ("QIDO 100 instances of a series", 1): 1650,
    ("QIDO 100 instances of a series", 8): 3450,
    ("WADO instance", 1): 1540,
    ("WADO instance", 8): 3600,
    ("WADO study of 100 CT", 1): 90,
    ("WADO study of 100 CT", 8): 80,
    ("metadata, 1 instance", 1): 1285,
    ("metadata, 1 instance", 8): 2487,
    ("metadata, series of 100, cached", 1): 1399,
    ("metadata, series of 100, cached", 8): 2663,
    ("frame 1 of a CT", 1): 1933,
    ("frame 1 of a CT", 8): 3200,
}

# What a trivial Flask application reached beside the prototype, with 8 clients (limits.py).
TRIVIAL_PAGE = 4000.0
TRIVIAL_UPLOAD = 2050.0  # 1,800 to 2,300; how it read the body is not recorded
