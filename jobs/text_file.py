"""A file of text that a person names, read, with one line where that cannot be."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import HeadraceError


class TextUnreadable(HeadraceError):  # noqa: N818 (an answer, told as one line)
    """A file that is not there, or is no text; the message names it."""


def text_of(file: str) -> str:
    """The text of a UTF-8 file. Raises `TextUnreadable`.

    >>> text_of("none.toml")
    Traceback (most recent call last):
    jobs.text_file.TextUnreadable: none.toml: No such file or directory
    """
    try:
        return Path(file).read_text("utf-8")
    except OSError as error:
        raise TextUnreadable(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise TextUnreadable(f"{file}: not UTF-8 text, {error.reason}") from None
