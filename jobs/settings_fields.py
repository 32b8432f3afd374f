"""What sections of settings share: kinds of values, and the refusal of an address."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field
from pydantic_core import PydanticCustomError

Port = Annotated[int, Field(ge=1, le=65535)]
AtLeastOne = Annotated[int, Field(ge=1)]

STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
"""Of a section's model: unknown keys are refused, and nothing changes once it is read."""


def check_url(url: str, schemes: tuple[str, ...]) -> None:
    """Refuse what is no URL of these schemes, or has a port that is none."""
    begins = " or ".join(f"{scheme}://" for scheme in schemes)
    if not url.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise PydanticCustomError("scheme", "give a URL that begins with {begins}", {"begins": begins})
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise PydanticCustomError("port", "{error}", {"error": str(error)}) from None
