from pathlib import Path

import pytest
from pydantic import ValidationError

from dicomweb.settings import Settings, SettingsError, load_settings


@pytest.fixture
def file(tmp_path):
    """A settings file with this content; answers the environment that names it."""

    def file(content: str | bytes) -> dict[str, str]:
        path = tmp_path / "gantry.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return {"GANTRY_CONFIG": str(path)}

    return file


def test_nothing_has_to_be_set():
    settings = load_settings({})

    assert settings.bind == "127.0.0.1:8080"
    assert settings.data == Path.cwd() / "data"
    assert settings.effective_database_url == f"sqlite://{settings.data}/index.sqlite"
    assert settings.effective_storage_url == f"file://{settings.data}/blobs"
    assert settings.partitions is False


def test_a_variable_sets_what_it_names_in_the_type_of_the_setting():
    settings = load_settings(
        {"GANTRY_DATA": "/srv/x", "GANTRY_PARTITIONS": "on", "GANTRY_THREADS": "7", "PATH": "/bin"}
    )
    assert (settings.data, settings.partitions, settings.threads) == (Path("/srv/x"), True, 7)


def test_a_file_sets_what_no_variable_sets(file):
    environment = file('threads = 7\npartitions = true\nbind = "0.0.0.0:80"\n')
    settings = load_settings(environment | {"GANTRY_THREADS": "8"})
    assert (settings.threads, settings.partitions, settings.bind) == (8, True, "0.0.0.0:80")


def test_an_empty_variable_counts_as_not_set(file):
    settings = load_settings(file("threads = 7") | {"GANTRY_THREADS": "", "GANTRY_DATA": ""})
    assert (settings.threads, settings.data.name) == (7, "data")
    assert load_settings({"GANTRY_CONFIG": ""}) == load_settings({})


def test_an_unknown_variable_is_refused_by_name():
    with pytest.raises(SettingsError) as caught:
        load_settings({"GANTRY_TREADS": "7"})
    assert str(caught.value).startswith("GANTRY_TREADS in the environment is not a setting")
    assert "threads" in str(caught.value)


def test_an_unknown_name_in_the_file_is_refused_with_the_file(file):
    environment = file("treads = 7")
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    assert str(caught.value).startswith(f"GANTRY_TREADS in {environment['GANTRY_CONFIG']} is not")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THREADS", "0"),
        ("THREADS", "four"),
        ("WORKERS", "1.5"),
        ("PARTITIONS", "maybe"),
        ("PUBLIC_URL", "pacs.example.org"),
        ("LOG_LEVEL", "loud"),
        ("MAX_REQUEST_BYTES", "4 GiB"),
        ("METADATA_CACHE_BYTES", "-1"),
        ("CORS_ORIGINS", "viewer.example.org"),
        ("CORS_ORIGINS", "https://viewer.example.org/"),
        ("CORS_ORIGINS", "https://Viewer.example.org"),
        ("CORS_ORIGINS", "https://a.example,*"),
        ("CORS_ORIGINS", ","),
        ("CORS_METHODS", "get"),
        ("CORS_HEADERS", "Accept: x"),
        ("CORS_MAX_AGE_S", "-1"),
        ("BIND", "8080"),
        ("BIND", "localhost"),
        ("BIND", "localhost:99999"),
        ("BIND", "localhost:"),
        ("BIND", "unix:relative"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=f"^GANTRY_{name} in the environment is wrong: "):
        load_settings({f"GANTRY_{name}": value})


@pytest.mark.parametrize(
    "bind", ["127.0.0.1:80", "[::1]:8080", "pacs.example.org:0", ":8080", "unix:/run/gantry.sock"]
)
def test_an_address_may_be_of_any_kind(bind):
    assert load_settings({"GANTRY_BIND": bind}).bind == bind


def test_a_wrong_value_of_the_file_is_refused_with_the_file(file):
    environment = file('threads = "many"')
    with pytest.raises(SettingsError, match=f"in {environment['GANTRY_CONFIG']} is wrong"):
        load_settings(environment)


def test_a_table_of_the_file_is_refused_by_name(file):
    with pytest.raises(SettingsError, match=r"GANTRY_SERVER in .* is not a setting"):
        load_settings(file("[server]\nthreads = 7"))


def test_all_mistakes_are_named_at_once():
    with pytest.raises(SettingsError) as caught:
        load_settings({"GANTRY_THREADS": "x", "GANTRY_FOO": "1", "GANTRY_WORKERS": "0"})
    for name in ("GANTRY_THREADS", "GANTRY_FOO", "GANTRY_WORKERS"):
        assert name in str(caught.value)


@pytest.mark.parametrize("content", ["threads = ", b"\xff\xfe", "threads 7"])
def test_a_file_that_is_not_toml_is_refused_by_path(file, content):
    environment = file(content)
    with pytest.raises(SettingsError, match=f"{environment['GANTRY_CONFIG']} is not TOML"):
        load_settings(environment)


def test_a_file_that_is_not_there_is_refused_by_path(tmp_path):
    with pytest.raises(SettingsError, match=f"cannot read {tmp_path}/none.toml: No such file"):
        load_settings({"GANTRY_CONFIG": f"{tmp_path}/none.toml"})


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        load_settings({}).threads = 9


def test_a_public_url_has_no_slash_at_its_end():
    settings = load_settings({"GANTRY_PUBLIC_URL": "https://pacs.example.org/dicom/"})
    assert settings.public_url == "https://pacs.example.org/dicom"


def test_a_data_folder_may_have_any_name(tmp_path):
    from dicomweb.archive import open_archive

    data = tmp_path / "100% of? the # data"
    archive = open_archive(Settings(data=data))
    archive.prepare()
    archive.close()
    assert {path.name for path in data.iterdir()} >= {"index.sqlite", "blobs"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:5432/x", "postgresql://u:***@h:5432/x"),
        ("postgresql://u:se@cret@h/x", "postgresql://u:***@h/x"),
        ("postgresql://u:se/cr?et#@h/x", "postgresql://u:***@h/x"),
        ("postgresql://:secret@h/x", "postgresql://:***@h/x"),
        ("postgresql://h/x?password=secret&sslmode=require",
         "postgresql://h/x?password=***&sslmode=require"),
        ("postgresql://h/x?sslmode=require&PassWord=secret",
         "postgresql://h/x?sslmode=require&PassWord=***"),
        ("postgresql://u@h/x", "postgresql://u@h/x"),
        ("postgresql://[::1]:5432/x", "postgresql://[::1]:5432/x"),
        ("postgresql://[secret", "postgresql://[secret"),
    ],
)  # fmt: skip
def test_passwords_of_a_database_are_not_shown(url, shown):
    settings = load_settings({"GANTRY_DATABASE_URL": url})
    assert settings.effective()["database_url"] == shown
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://b/p?endpoint=http://h:9000&secret_key=secret&region=x",
         "s3://b/p?endpoint=http://h:9000&secret_key=***&region=x"),
        ("s3://key:secret@b/p", "s3://key:***@b/p"),
        ("s3://b?session_token=secret", "s3://b?session_token=***"),
        ("s3://b/p?endpoint=http://u:secret@h", "s3://b/p?endpoint=http://u:***@h"),
    ],
)  # fmt: skip
def test_keys_of_an_object_store_are_not_shown(url, shown):
    settings = load_settings({"GANTRY_STORAGE_URL": url})
    assert settings.effective()["storage_url"] == shown


def test_a_mistake_does_not_show_the_value(file):
    with pytest.raises(SettingsError) as caught:
        load_settings(file('database_url = ["postgresql://u:secret@h/x"]'))
    assert "secret" not in str(caught.value)


def test_every_setting_is_described_and_shown():
    effective = load_settings({}).effective()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert name in effective


def test_origins_are_a_list_or_a_star():
    settings = load_settings({"GANTRY_CORS_ORIGINS": "https://a.example , http://[::1]:3000"})
    assert settings.cors_origins == "https://a.example,http://[::1]:3000"
    assert load_settings({"GANTRY_CORS_ORIGINS": "*"}).cors_origins == "*"


def test_credentials_are_not_for_all_origins():
    environment = {"GANTRY_CORS_ORIGINS": "*", "GANTRY_CORS_CREDENTIALS": "true"}
    with pytest.raises(SettingsError, match=r"GANTRY_CORS_CREDENTIALS .* name those"):
        load_settings(environment)
    assert load_settings(environment | {"GANTRY_CORS_ORIGINS": "https://a.example"})
