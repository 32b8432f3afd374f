"""What can go wrong below the product: a missing jar, a taken port, a service that does not start."""

from __future__ import annotations


class InfraError(Exception):
    """A part of the local stack could not be had. Its text names the part, the place and the way out."""
