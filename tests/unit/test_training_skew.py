"""What a ranker is trained on is what it is asked to score: a row of training is the row that the job makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from jobs.bench_events import Traffic, events_of, items_of
from jobs.bench_plain import PlainLoop, PlainSettings
from jobs.bench_rank import NOWHERE
from jobs.boosted_training import ExportedBoosted
from jobs.bundle_writer import write_bundle
from jobs.factorise import FactorSettings, ItemFactors, factorise
from jobs.listwise_network import ListwiseNetwork
from jobs.plain_stream import PlainStream
from jobs.ranker_onnx import export_network
from jobs.sequence_onnx import ExportedSequence
from jobs.training_set import ListSampler
from operators.bundle_manifest import DataSpan, Manifest
from operators.feature_plan import FeaturePlan, known_features
from operators.onnx_scorer import OnnxScorer
from operators.rank_settings import RankSettings
from operators.refresh_request import ENDED, LEADING, RefreshRequest, encode_request
from operators.sessions import is_over
from operators.user_step import StepSettings
from schemas.codec import RECOMMENDATIONS, encode_event
from schemas.records import Recommendation
from schemas.state import decode_state
from tests.unit.made_boosted import drawn_boosted
from tests.unit.made_sequence import drawn_autoencoder, drawn_sequence
from udfs.worker_settings import WorkerSettings

TRAFFIC = Traffic(events=4_000, users=40, items=300, per_second=0.01)
NAMES = tuple(sorted(known_features()))
"""Every feature that a bundle may ask for, those of the profile included."""

LEAST_LISTS = 20
EVERY = 12


def item_factors() -> ItemFactors:
    ids = [item.item_id for item in items_of(TRAFFIC)]
    drawn = np.random.default_rng(2)
    users, items = (drawn.integers(0, most, 4_000).astype(np.int32) for most in (200, len(ids)))
    settings = FactorSettings(factors=8, neighbours=10, least_users=1)
    return factorise(users, items, np.ones(4_000, np.float32), ids, settings)


def weighing_all() -> bytes:
    """A ranker whose score is a sum of all features, each with a weight of its own: none may differ unseen."""
    weights = np.random.default_rng(3).uniform(0.5, 1.5, (len(NAMES), 1)).astype(np.float32)
    return export_network(ListwiseNetwork((weights,), (np.zeros(1, np.float32),)))


def bundle(folder: Path, factors: ItemFactors, *models: ExportedSequence | ExportedBoosted) -> OnnxScorer:
    graph = weighing_all()
    scorer = OnnxScorer(graph, len(NAMES))
    golden = np.random.default_rng(4).random((4, len(NAMES))).astype(np.float32)
    span = DataSpan(events=1, users=1, items=1, first=0, factors_until=0, ranker_until=0, last=0)
    manifest = Manifest(
        name="all", version="1", created="", ranker="network", data=span, features=NAMES, files={}
    )
    write_bundle(folder, manifest, factors, graph, golden, scorer.score(golden), *models)
    return scorer


def served(job: PlainLoop, user_id: str, at: int) -> npt.NDArray[np.float64]:
    """The scores of the list that the user has at event time `at`, best first: of the session's end once it is over."""
    job.catch_up()
    stored = job.states[user_id]
    over = is_over(decode_state(stored).session, at, StepSettings().session_gap)
    [message] = job.worker.rank([encode_request(RefreshRequest(stored, 0, ENDED if over else LEADING))])
    assert message is not None
    made = RECOMMENDATIONS.decode(message)
    assert isinstance(made, Recommendation)
    return np.array([item.score for item in made.items])


def test_a_row_of_training_is_the_row_that_the_job_makes_of_the_same_user_at_the_same_moment(
    tmp_path: Path,
) -> None:
    factors = item_factors()
    models = [draw(len(factors.item_ids), unknown=20) for draw in (drawn_sequence, drawn_autoencoder)]
    boosted = drawn_boosted()
    scorer = bundle(tmp_path / "all" / "1", factors, *models, boosted)
    job = PlainLoop(
        items_of(TRAFFIC),
        PlainSettings(worker=WorkerSettings(NOWHERE, bundle=str(tmp_path / "all" / "1")), lists=False),
    )
    stream = PlainStream(items_of(TRAFFIC))
    loaded = [model.model() for model in models]
    sampler = ListSampler(stream, factors, RankSettings(), FeaturePlan(NAMES), 0, *loaded)
    sampler.use_boosted(boosted.model())
    # The job compares texts anew in the background.
    for shelf in (stream.shelf, job.worker.shelf):
        shelf.settle()
    compared = 0
    for place, event in enumerate(events_of(TRAFFIC)):
        if place > TRAFFIC.events // 3 and place % EVERY == 0 and stream.counts(event):
            sampler.sample(event)
            kept = sampler.take()
            if kept.lists:
                scores = np.sort(scorer.score(kept.rows))[::-1][:20]
                made = served(job, event.user_id, event.time)[: len(scores)]
                np.testing.assert_allclose(made, scores, rtol=1e-6, atol=2e-5)
                compared += 1
        stream.learn(event)
        job.take(encode_event(event), event.time)
    assert compared >= LEAST_LISTS
