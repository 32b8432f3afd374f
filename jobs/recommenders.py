"""What is judged by `headrace evaluate`: Headrace's lists, single sources, blends, bundles and baselines, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

from jobs.headrace_list import HeadraceList
from jobs.models_read import models_read
from jobs.plain_stream import PlainStream
from jobs.settings import Settings
from operators.baseline_covisitation import LastItemCovisitation
from operators.baseline_popularity import Popularity
from operators.baseline_session_knn import SessionKnn
from operators.bundle import Bundle, load_bundle
from operators.candidates import SOURCES, CandidateSettings
from operators.experiment import Variant
from operators.feature_plan import known_features
from operators.next_item import Follower
from operators.numbering import Numbering
from operators.rank_settings import RankSettings
from schemas.errors import HeadraceError
from schemas.records import Item

HALF_LIFE_DAYS = 3.0
_DAY_MS = 86_400_000.0

BASELINES: Mapping[str, Callable[[], Follower]] = {
    "session-knn": SessionKnn,
    "last-item": LastItemCovisitation,
    "decayed-popularity": lambda: Popularity("decayed-popularity", HALF_LIFE_DAYS * _DAY_MS),
    "popularity": Popularity,
}
"""What Headrace's list is held against, by name."""

KNOWN = (HeadraceList.name, *BASELINES)
"""What is judged unless others are asked for."""

BLEND, SOURCE, BUNDLE, VARIANT = "blend", "source", "bundle", "variant"
_GROUPS = {"sources": [f"{SOURCE}:{name}" for name in SOURCES], "baselines": list(BASELINES)}

NAMES = (
    f"{', '.join(KNOWN)}, blend, blend:SOURCE=WEIGHT+…, source:NAME, bundle:FOLDER, variant:EXPERIMENT/NAME, "
    "sources, baselines"
)
"""What can be asked for, in words; NAME is one of `SOURCES`, or of the variants in `experiments.file`, and the
last two stand for all of their kind."""


class CannotJudge(HeadraceError):  # noqa: N818 (named like the other refusals)
    """What was asked for gives no fair figure; the text says why and what to do."""


@dataclass(frozen=True)
class Strategy:
    """A way to make lists: a baseline, or Headrace's own with these settings and this bundle.

    With `filled` short lists are filled up, as the job fills them; else they hold what sources named alone.
    """

    name: str
    baseline: Callable[[], Follower] | None = None
    rank: RankSettings = RankSettings()
    bundle: Bundle | None = None
    filled: bool = True


def strategies(asked: Sequence[str], bundle: Bundle | None, settings: Settings) -> list[Strategy]:
    """Those asked for by name, in their order, each once; `bundle` is that of 'headrace'.

    Raises `CannotJudge` for an unknown name and `BundleRefused` for a folder that holds no sound bundle.
    """
    names = [name for each in asked for name in _GROUPS.get(each, [each])]
    return [_strategy(name, bundle, settings) for name in dict.fromkeys(names)]


def recommenders(
    chosen: Sequence[Strategy], items: Numbering, catalogue: Sequence[Item], settings: Settings
) -> list[Follower]:
    """What makes the lists of these strategies. All of Headrace's own share one stream, which knows the catalogue."""
    own = [each for each in chosen if each.baseline is None]
    read = models_read(settings.models, [each.rank for each in own], [each.bundle for each in own])
    stream = PlainStream(catalogue, settings.step, settings.statistics, settings.shelf, models=read)
    made: list[Follower] = []
    leads = True
    for each in chosen:
        if each.baseline is not None:
            made.append(each.baseline())
        else:
            made.append(
                HeadraceList(
                    items,
                    stream,
                    each.rank,
                    each.bundle,
                    each.name,
                    leads=leads,
                    filled=each.filled,
                    ends=settings.refresh.at_session_end,
                )
            )
            leads = False
    return made


def models_of(chosen: Sequence[Strategy]) -> dict[str, str]:
    """The bundle of each strategy that has one."""
    return {each.name: each.bundle.name for each in chosen if each.bundle is not None}


def _strategy(name: str, bundle: Bundle | None, settings: Settings) -> Strategy:
    kind, _, what = name.partition(":")
    own = partial(Strategy, name, rank=settings.rank)
    if name == HeadraceList.name:
        return own(bundle=bundle)
    if name in BASELINES:
        return own(baseline=BASELINES[name])
    if kind == BLEND:
        return own(rank=_blended(settings.rank, what, name) if what else settings.rank)
    if kind == BUNDLE and what:
        return own(bundle=load_bundle(what, known_features(settings.step)))
    if kind == SOURCE and what in SOURCES:
        return own(rank=_alone(settings.rank, what), filled=False)
    if kind == VARIANT:
        variant = _variant(settings, what, name)
        by = None if variant.blend is not None else bundle
        return Strategy(name, rank=variant.applied(settings.rank), bundle=by)
    if kind == SOURCE:
        raise CannotJudge(f"there is no source {what!r}; known: {', '.join(SOURCES)}")
    raise CannotJudge(f"no recommender is named {name!r}; known: {NAMES}")


def _variant(settings: Settings, text: str, name: str) -> Variant:
    known = {
        f"{each.name}/{of_it}": each.variants[of_it]
        for each in settings.experiments.in_force()
        for of_it in each.variants
    }
    if text not in known:
        raise CannotJudge(
            f"{name}: there is no variant {text!r}; experiments.file has: {', '.join(known) or 'none'}"
        )
    return known[text]


def _blended(rank: RankSettings, text: str, name: str) -> RankSettings:
    weights: dict[str, float] = {}
    for part in text.split("+"):
        source, _, weight = part.partition("=")
        try:
            weights[source] = float(weight)
        except ValueError:
            raise CannotJudge(
                f"{name}: {part!r} is not SOURCE=WEIGHT, as in blend:covisit=1+trending=0.1"
            ) from None
    try:
        return replace(rank, blend=weights)
    except ValueError as error:
        raise CannotJudge(f"{name}: {error}") from None


def _alone(rank: RankSettings, source: str) -> RankSettings:
    """No other source names anything, and co-visitation takes its second hop only where it is the one."""
    limits = {field.name for field in fields(CandidateSettings)} & {*SOURCES, "second_hop"}
    kept = {source, "second_hop"} if source == "covisit" else {source}
    silent = dict.fromkeys(limits - kept, 0)
    return replace(rank, blend={source: 1.0}, candidates=replace(rank.candidates, **silent))
