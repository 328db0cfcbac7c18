"""What commands work on: the archive of the application, which opens when they use it."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from flask import current_app
from flask.cli import with_appcontext


def pass_archive(command: Callable[..., None]) -> Callable[..., None]:
    """Call a command with the archive as its first argument."""

    @with_appcontext
    def called_with_archive(*arguments: Any, **options: Any) -> None:
        command(current_app.extensions["gantry"], *arguments, **options)

    return update_wrapper(called_with_archive, command)
