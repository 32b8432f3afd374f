"""What a training of personas tells of itself: for machines, and as tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from jobs.personas_clusters import Clustering
from jobs.personas_steadiness import KEPT_FIT, Steadiness
from operators.bundle_reference import BundleReference
from operators.persona import Persona
from operators.persona_bundle import PersonaSpan


class TriedClustering(msgspec.Struct, frozen=True, kw_only=True):
    """One way to cluster: how many clusters it found, how good they are as served, and why it may not be chosen."""

    algorithm: str
    setting: str
    clusters: int
    silhouette: float
    davies_bouldin: float
    stability: float
    kept: float
    noise: float
    least_share: float
    most_share: float
    refused: str
    chosen: bool

    @property
    def verdict(self) -> str:
        """`chosen`, why not allowed, or nothing."""
        return "chosen" if self.chosen else self.refused


class PersonasReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a training.

    `new` are the ids of personas that no persona of `previous` is, `gone` the ids of those that none of the new ones
    is. `steadiness` tells of the margins that were tried.
    `reference` is the body of the control message that puts the bundle in force; None until it is written.
    `explained` is the share of the variance that the principal components keep.
    """

    bundle: str
    name: str
    reference: BundleReference | None
    data: PersonaSpan
    unused_rows: int
    algorithm: str
    tried: list[TriedClustering]
    personas: list[Persona]
    previous: str | None
    new: list[str]
    gone: list[str]
    components: int
    explained: float
    steadiness: list[Steadiness]
    seconds: dict[str, float]

    @property
    def marked(self) -> frozenset[str]:
        """The ids to be marked as new: none where there was no training before."""
        return frozenset(self.new) if self.previous is not None else frozenset()

    @property
    def served(self) -> Steadiness:
        """What was found under the margin that the bundle is served with."""
        return next(line for line in self.steadiness if line.chosen)


def tried(clustering: Clustering, chosen: bool) -> TriedClustering:
    """A clustering's line of the report, its figures rounded."""
    shares = clustering.shares
    return TriedClustering(
        algorithm=clustering.way.algorithm,
        setting=clustering.way.setting,
        clusters=len(shares),
        silhouette=round(clustering.silhouette, 4),
        davies_bouldin=round(clustering.davies_bouldin, 4),
        stability=round(clustering.stability, 3),
        kept=round(clustering.kept, 3),
        noise=round(clustering.noise, 3),
        least_share=round(float(shares.min()), 4),
        most_share=round(float(shares.max()), 4),
        refused=clustering.refused,
        chosen=chosen,
    )


TRIED_HEADINGS = (
    "algorithm", "setting", "clusters", "silhouette", "Davies-Bouldin", "halves agree", "no cluster",
    "least", "most", "",
)  # fmt: skip


def tried_rows(tried: Sequence[TriedClustering]) -> list[tuple[str, ...]]:
    """The table of what was tried, under `TRIED_HEADINGS`."""
    return [
        (
            line.algorithm, line.setting, str(line.clusters), f"{line.silhouette:.3f}", f"{line.davies_bouldin:.2f}",
            f"{line.stability:.2f}", f"{line.noise:.0%}", f"{line.least_share:.1%}", f"{line.most_share:.1%}",
            line.verdict,
        )
        for line in tried
    ]  # fmt: skip


SHORT_HEADINGS = ("clusters by", "silhouette", "Davies-Bouldin", "halves agree", "")


def short_rows(tried: Sequence[TriedClustering]) -> list[tuple[str, ...]]:
    """The table of what was tried, under `SHORT_HEADINGS`: for a terminal, without the sizes of clusters."""
    return [
        (
            f"{line.algorithm}, {line.setting}", f"{line.silhouette:.3f}", f"{line.davies_bouldin:.2f}",
            f"{line.stability:.2f}", line.verdict,
        )
        for line in tried
    ]  # fmt: skip


PERSONA_HEADINGS = ("id", "persona", "users", "share", "what sets it apart")


def persona_rows(personas: Sequence[Persona], marked: Collection[str] = frozenset()) -> list[tuple[str, ...]]:
    """The table of personas, under `PERSONA_HEADINGS`; those of the ids `marked` are marked as new."""
    return [
        (
            persona.id + (" (new)" if persona.id in marked else ""),
            persona.name,
            f"{persona.users:,}",
            f"{persona.share:.1%}",
            ", ".join(persona.traits),
        )
        for persona in personas
    ]


STEADINESS_HEADINGS = (
    "margin",
    "looks that change",
    "changes a user",
    "as the whole history",
    "adjusted Rand",
    "",
)


def steadiness_rows(steadiness: Sequence[Steadiness]) -> list[tuple[str, ...]]:
    """The table of margins, under `STEADINESS_HEADINGS`."""
    return [
        (
            f"{line.margin:.2f}", f"{line.changes:.1%}", f"{line.changes_a_user:.2f}", f"{line.same:.1%}",
            f"{line.agreement:.2f}", "chosen" if line.chosen else "",
        )
        for line in steadiness
    ]  # fmt: skip


RULE = (
    "Rule: of those that may be chosen, the one whose places by silhouette and by Davies-Bouldin add up to least."
    " All figures are of the clusters as served, each user with the nearest centroid."
)


def history(report: PersonasReport) -> str:
    """What the personas were made from."""
    data = report.data
    return f"From {data.events:,} events of {data.users:,} users, {data.vectors:,} of whom had enough events."


def variance(report: PersonasReport) -> str:
    """How much the principal components keep."""
    return f"{report.components} principal components, which keep {report.explained:.0%} of the variance."


def steady(report: PersonasReport) -> str:
    """How often personas change, and why the margin is what it is."""
    return (
        f"A persona changes where somebody is beyond the border to another by the margin: 0 is the border, 1 the "
        f"other's centre. With {report.served.margin:.2f}, {report.served.changes:.0%} of a user's later looks "
        f"change the persona, {report.steadiness[0].changes:.0%} without a margin. It is the one with the fewest "
        f"changes of those with which at least {KEPT_FIT:.0%} as many users as without end with the persona nearest "
        f"to their whole history."
    )


def identity(report: PersonasReport) -> list[str]:
    """Which personas are those of the training before; nothing where there was none."""
    if report.previous is None:
        return []
    kept = len(report.personas) - len(report.new)
    gone = f"; gone: {', '.join(report.gone)}" if report.gone else ""
    return [f"{kept} of {len(report.personas)} personas are those of {report.previous}{gone}."]


def facts(report: PersonasReport) -> list[str]:
    """What there is to say in sentences."""
    return [RULE, f"Clustered by {variance(report)}", steady(report), *identity(report)]


def markdown(report: PersonasReport) -> str:
    """The report as Markdown."""
    return "\n".join(
        [
            f"# Personas {report.name}",
            "",
            history(report),
            "",
            *_table(PERSONA_HEADINGS, persona_rows(report.personas, report.marked)),
            "",
            *_table(TRIED_HEADINGS, tried_rows(report.tried)),
            "",
            *_table(STEADINESS_HEADINGS, steadiness_rows(report.steadiness)),
            "",
            *(f"- {sentence}" for sentence in facts(report)),
            "",
        ]
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (headings, ["---"] * len(headings), *rows)]
