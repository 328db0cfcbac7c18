"""Who may import what: imports go down, and each library stays in its room."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP = {"app", "wsgi", "dicomweb", "storage", "index", "cli", "bench", "tests", "locustfile"}
PRODUCT = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.py", "dicomweb/**/*.py", "storage/**/*.py", "index/**/*.py", "cli/**/*.py")
    for path in ROOT.glob(pattern)
)
SHARED = {"imaging"}  # a folder of modules for all, not a transaction
DOOR = {
    Path("app.py"),
    *(Path(f"dicomweb/{name}.py") for name in ("errors", "urls", "media", "auth")),
}


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def uses(path: Path, *packages: str) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] in packages}


def transaction(path: Path) -> str | None:
    """The folder of a DICOMweb transaction that a file is in."""
    parts = path.parts
    return parts[1] if parts[0] == "dicomweb" and len(parts) == 3 else None


def test_there_is_something_to_check():
    assert Path("dicomweb/stow/store.py") in PRODUCT
    assert uses(Path("app.py"), "dicomweb")


@pytest.mark.parametrize("path", PRODUCT, ids=str)
def test_imports_go_down(path):
    own = uses(path, *TOP)
    packages = {name.split(".")[0] for name in own}
    match path.parts[0]:
        case "storage":
            assert packages <= {"storage"}
        case "index":
            assert packages <= {"index"}
        case "dicomweb":
            assert packages <= {"dicomweb", "index", "storage"}
        case "cli":
            assert packages <= {"cli", "dicomweb", "index", "storage"}
        case "app.py":
            assert packages <= {"cli", "dicomweb", "index", "storage"}


@pytest.mark.parametrize("path", [path for path in PRODUCT if path.parts[0] == "dicomweb"], ids=str)
def test_a_transaction_is_imported_by_itself_alone(path):
    folders = {p.name for p in (ROOT / "dicomweb").iterdir() if p.is_dir()} - SHARED
    for name in uses(path, "dicomweb"):
        room = name.split(".")[1]
        assert room not in folders or room == transaction(path), name


@pytest.mark.parametrize("path", PRODUCT, ids=str)
def test_each_library_stays_in_its_room(path):
    if not (path in DOOR or path.name == "routes.py" or path.parts[0] == "cli"):
        assert not uses(path, "flask", "werkzeug")
    if path.parts[0] != "index":
        assert not uses(path, "peewee", "playhouse", "pg8000")
    if path != Path("storage/s3.py"):
        assert not uses(path, "boto3", "botocore")


@pytest.mark.parametrize("path", PRODUCT, ids=str)
def test_no_module_is_longer_than_400_lines(path):
    assert len((ROOT / path).read_text().splitlines()) <= 400


def test_no_module_is_named_for_nothing():
    assert not {path.stem for path in PRODUCT} & {"utils", "util", "helpers", "common", "misc"}
