"""Segments: named conditions on what users do and are, entered and left by themselves."""

from operators.segments.book import SegmentBook
from operators.segments.errors import SegmentRefused
from operators.segments.rule import SegmentRule
from operators.segments.step import SegmentStep, Transition

__all__ = ["SegmentBook", "SegmentRefused", "SegmentRule", "SegmentStep", "Transition"]
