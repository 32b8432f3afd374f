"""The models of a rank worker: loaded and checked in the background, swapped by one reference between batches."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from operators.bundle import Bundle, load_bundle
from operators.bundle_manifest import BundleRefused
from operators.bundle_reference import BundleReference, referenced_folder
from operators.feature_plan import known_features
from operators.model_reference import ModelRecord, Slot
from operators.rank_settings import RankSettings
from operators.ranker import Ranker
from operators.shadow import Shadow
from operators.shelf import Shelf
from operators.user_step import StepSettings
from schemas.worker_models import ShadowReading, SlotReading, WorkerModels
from udfs.machine_code import compile_ahead

logger = logging.getLogger(__name__)

TELL_EVERY_S = 5.0
"""How often a worker says which models it uses, also while nothing is ranked."""


class ModelFollower:
    """Keeps `ranker` and the shadow as the newest references say. The bundle of the settings serves until then.

    A bundle that fails its check is refused: what served before serves on, and the reading and the log say why.
    """

    def __init__(
        self,
        shelf: Shelf,
        settings: RankSettings,
        configured: Bundle | None,
        step: StepSettings,
        tell: Callable[[WorkerModels], None] = lambda reading: None,
    ) -> None:
        self._shelf = shelf
        self._settings = settings
        self._step = step
        self._tell = tell
        self._configured = Ranker(shelf, settings, configured, step)
        self._bundled = configured is not None
        self.ranker = self._configured
        self._shadow: Shadow | None = None
        self._serve = SlotReading(model=self._configured.model if self._bundled else None, since=_now())
        self._compared = ShadowReading()
        self._wanted: dict[Slot, ModelRecord] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="model-follower", daemon=True)

    @property
    def shadow(self) -> Shadow | None:
        """What lists are to be compared with; nothing where the same bundle serves."""
        shadow = self._shadow
        return None if shadow is None or shadow.bundle.name == self.ranker.model else shadow

    def offer(self, record: ModelRecord) -> None:
        """Take note of a reference; `catch_up` acts on the newest of each slot."""
        with self._lock:
            held = self._wanted.get(record.slot)
            if held is None or record.version > held.version:
                self._wanted[record.slot] = record
                self._news.set()

    def records(self) -> list[ModelRecord]:
        """The newest reference of each slot."""
        with self._lock:
            return list(self._wanted.values())

    def catch_up(self) -> None:
        """Load what the newest references ask for."""
        for record in self.records():
            if record.slot == "serve" and record.version > self._serve.version:
                self._serve_by(record)
            elif record.slot == "shadow" and record.version > self._compared.version:
                self._compare_by(record)

    def start(self) -> None:
        """Catch up in the background from now on, until `stop` or the end of the process."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a bundle that is being loaded ends with it."""
        self._stop.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)

    def reading(self) -> WorkerModels:
        """The models in use, what was refused, and what the comparison came to."""
        compared, shadow = self._compared, self.shadow
        if shadow is not None:
            compared.against = self.ranker.model
            compared.lists, compared.overlap = shadow.lists, round(shadow.overlap, 4)
            compared.same_first, compared.micros = shadow.same_first, int(shadow.micros)
            if shadow.failed is not None and compared.refused is None:
                compared.refused, compared.refused_at = shadow.failed, _now()
        return WorkerModels(at=_now(), serve=self._serve, shadow=compared)

    def _follow(self) -> None:
        while not self._stop.is_set():
            self._news.clear()
            try:
                self.catch_up()
                self._tell(self.reading())
            except Exception:
                logger.exception("the models could not be followed; lists go on with %s", self.ranker.model)
            self._news.wait(TELL_EVERY_S)

    def _serve_by(self, record: ModelRecord) -> None:
        first, reading = self._serve.version == 0, SlotReading(version=record.version)
        ranker = self._configured
        try:
            if record.bundle is not None:
                ranker = self._ranker_of(record.bundle)
        except BundleRefused as why:
            ranker = self._after_refusal(record) if first else self.ranker
            reading.refused, reading.refused_at = str(why), _now()
            logger.error("model refused: %s; lists go on with %s", why, ranker.model)
        else:
            logger.info("lists are ranked with %s from now on", ranker.model)
            if first and self._bundled and record.bundle is not None:
                logger.warning(
                    "it takes the place of model.bundle, since it was put; `headrace model remove` gives that back"
                )
        if ranker is self.ranker:
            reading.model, reading.since = self._serve.model, self._serve.since
        else:
            bundled = ranker is not self._configured or self._bundled
            reading.model, reading.since = ranker.model if bundled else None, _now()
            if self._shadow is not None:
                self._shadow = self._shadow.anew()
        self.ranker, self._serve = ranker, reading

    def _after_refusal(self, record: ModelRecord) -> Ranker:
        """Who serves in a worker that has just begun, whose model in force is refused: the one before it."""
        if record.former is not None:
            try:
                return self._ranker_of(record.former)
            except BundleRefused as why:
                logger.error("the model before it is refused too: %s", why)
        return self._configured

    def _ranker_of(self, reference: BundleReference) -> Ranker:
        return Ranker(self._shelf, self._settings, load_referenced(reference, self._step), self._step)

    def _compare_by(self, record: ModelRecord) -> None:
        reading = ShadowReading(version=record.version)
        shadow = None
        try:
            if record.bundle is not None:
                bundle = load_referenced(record.bundle, self._step)
                folded = self._settings.candidates.folded_items
                shadow = Shadow(self._shelf, bundle, record.share, self._step, folded)
                reading.model, reading.since = shadow.bundle.name, _now()
                logger.info("%s is compared on a share of %g of the lists", reading.model, record.share)
        except BundleRefused as why:
            shadow = self._shadow
            reading.model, reading.since = self._compared.model, self._compared.since
            reading.refused, reading.refused_at = str(why), _now()
            logger.error("model to compare refused: %s", why)
        self._shadow, self._compared = shadow, reading


def load_referenced(reference: BundleReference, step: StepSettings) -> Bundle:
    """The bundle that is referred to, checked for users followed with `step`, with its loops compiled.

    Raises `BundleRefused` for whatever may be wrong with it.
    """
    try:
        bundle = load_bundle(referenced_folder(reference), known_features(step))
        compile_ahead(bundle, step)
    except BundleRefused:
        raise
    except Exception as error:  # whatever a file may do to its reader, the model in use serves on
        raise BundleRefused(f"{reference.folder}: {type(error).__name__}: {error}") from error
    return bundle


def _now() -> int:
    return time.time_ns() // 1_000_000
