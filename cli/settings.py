"""``flask settings``: which settings are in effect."""

import click
import orjson

from cli.context import pass_archive
from dicomweb.archive import Archive


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@pass_archive
def settings_command(archive: Archive, as_json: bool) -> None:
    """Print the settings in effect, without secrets."""
    settings = archive.settings.effective()
    if as_json:
        click.echo(orjson.dumps(settings, option=orjson.OPT_INDENT_2))
        return
    for name, value in settings.items():
        click.echo(f"{name} = {orjson.dumps(value).decode()}")
