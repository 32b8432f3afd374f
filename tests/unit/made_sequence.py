"""Models of users' last items of drawn parameters, made without torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from jobs.autoencoder_onnx import export_autoencoder
from jobs.autoencoder_settings import AutoencoderSettings
from jobs.sequence_onnx import ExportedSequence, export_sequence
from jobs.sequence_settings import SequenceSettings
from operators.bundle_manifest import AUTOENCODER, AUTOENCODER_ITEMS, SEQUENCE, SEQUENCE_ITEMS
from operators.sequence_model import SequenceModel

Floats = npt.NDArray[np.float32]


def drawn_parameters(settings: SequenceSettings, items: int) -> dict[str, Floats]:
    """Drawn parameters of every name that jobs/sasrec.py trains."""
    drawn = np.random.default_rng(5)
    d = settings.width
    shapes: dict[str, tuple[int, ...]] = {"items": (items + 1, d), "places": (settings.length, d)}
    for k in range(settings.blocks):
        shapes |= {f"{name}_{k}": (d, d) for name in ("query", "key", "value", "out", "wide", "narrow")}
        shapes |= {f"{name}_{k}_bias": (d,) for name in ("wide", "narrow")}
        shapes |= {f"{a}_{b}_{k}": (d,) for a in ("seen", "asked") for b in ("scale", "shift")}
    shapes |= {"scale": (d,), "shift": (d,)}
    return {name: drawn.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def drawn_sequence(items: int, unknown: int = 0) -> ExportedSequence:
    """A model of a bundle's items, the first `unknown` of which it does not know."""
    settings = SequenceSettings(length=20, width=8)
    known = items - unknown
    given = drawn_parameters(settings, known)
    return _held(export_sequence(given, settings), given["items"], items, unknown, (SEQUENCE, SEQUENCE_ITEMS))


def drawn_weights(settings: AutoencoderSettings, items: int) -> dict[str, Floats]:
    """Drawn parameters of every name that jobs/autoencoder.py trains."""
    drawn, d = np.random.default_rng(7), settings.width
    shapes: dict[str, tuple[int, ...]] = {"taken": (items + 1, d), "bias": (d,), "items": (items + 1, d + 1)}
    return {name: drawn.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def drawn_autoencoder(items: int, unknown: int = 0) -> ExportedSequence:
    """As `drawn_sequence`, an autoencoder."""
    settings = AutoencoderSettings(length=20, width=8)
    given = drawn_weights(settings, items - unknown)
    files = (AUTOENCODER, AUTOENCODER_ITEMS)
    return _held(export_autoencoder(given, settings), given["items"], items, unknown, files)


def _held(
    graph: bytes, trained: Floats, items: int, unknown: int, files: tuple[str, str]
) -> ExportedSequence:
    vectors = trained.copy()
    vectors[0] = 0.0
    numbers = np.maximum(np.arange(items) - unknown + 1, 0).astype(np.int32)
    golden = np.random.default_rng(6).integers(0, len(vectors), (4, 20)).astype(np.int32)
    vector_of = SequenceModel(graph, vectors, numbers).encode
    return ExportedSequence(graph, vectors, numbers, golden, vector_of(golden), files)
