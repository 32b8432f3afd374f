"""Vectorised PyFlink functions: ranking, publishing, item statistics."""
