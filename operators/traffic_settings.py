"""What is taken for a bot or for internal traffic: settings, and a control message that changes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from zlib import crc32

import msgspec

from schemas.errors import HeadraceError
from schemas.pseudonym import UID_LENGTH

_UID = re.compile(f"[0-9a-f]{{{UID_LENGTH}}}")

ROBOTS = (
    r"(?<!cu)bot\b", r"bot[/_-]", r"crawl", r"spider", r"slurp", r"headless", r"phantomjs", r"selenium",
    r"lighthouse", r"pingdom", r"uptime", r"facebookexternalhit", r"^curl/", r"^wget/", r"python-requests",
    r"python-urllib", r"aiohttp", r"go-http-client", r"okhttp$", r"^java/", r"scrapy", r"libwww",
)  # fmt: skip
"""Parts of user agents of programs that say what they are. A CUBOT is a telephone."""


class PolicyRefused(HeadraceError):  # noqa: N818 (a state, told as one line)
    """A traffic policy that cannot be taken; the text names the field and what it may hold."""


@dataclass(frozen=True)
class TrafficSettings:
    """Who is kept out of statistics, training, experiments and lists. Durations are in ms of event time.

    `bots`, `internal_users` and `allowed` name users, each by the raw id or by the pseudonym; nothing is ever
    held against the allowed ones. `user_agents` and `internal_referrers` are regular expressions, found
    anywhere in the text in any case. `internal_attributes` are event attributes and their value, "*" for any.

    `actions` says how much of a deliberate action an event type is, 1 where it is not named. With a half-life of
    `rate_half_life`, more than `rate_limit` actions are a bot's; so are more than `volume_limit` with
    `volume_half_life`; so are gaps between actions whose logarithm spreads by less than `regular_spread`.
    A mark of behaviour stays for `hold` after the last evidence. Who did more than `full_weight` actions (with
    `volume_half_life`) counts less in item statistics, `full_weight` divided by the actions.
    """

    enabled: bool = True
    bots: tuple[str, ...] = field(default=(), repr=False)
    internal_users: tuple[str, ...] = field(default=(), repr=False)
    allowed: tuple[str, ...] = field(default=(), repr=False)
    user_agents: tuple[str, ...] = ROBOTS
    internal_referrers: tuple[str, ...] = ()
    internal_attributes: Mapping[str, str] = field(default_factory=lambda: {"internal": "true"})
    actions: Mapping[str, float] = field(
        default_factory=lambda: {
            "impression": 0.1,
            "scroll": 0.1,
            "dwell": 0.1,
            "identify": 0.0,
            "profile_update": 0.0,
            "consent": 0.0,
            "refund": 0.0,
        }
    )
    rate_limit: float = 60.0
    rate_half_life: int = 60_000
    volume_limit: float = 1_000.0
    volume_half_life: int = 12 * 3_600_000
    regular_spread: float = 0.25
    hold: int = 6 * 3_600_000
    visit_gap: int = 30 * 60_000
    full_weight: float = 50.0

    def __post_init__(self) -> None:
        for name in ("rate_limit", "rate_half_life", "volume_limit", "volume_half_life", "full_weight"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be more than 0")
        for name in ("regular_spread", "hold", "visit_gap"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for type, action in self.actions.items():
            if not 0 <= action <= 1:
                raise ValueError(f"actions: {type} is {action}; it must be from 0 to 1")
        for name in ("user_agents", "internal_referrers"):
            for pattern in getattr(self, name):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"{name}: {pattern!r} is no regular expression: {error}") from None

    @property
    def fingerprint(self) -> int:
        """A number from 1 to 65,535 that changes with what marks are given by; lists of users leave it alone.

        >>> TrafficSettings().fingerprint == TrafficSettings(bots=("u1",)).fingerprint
        True
        >>> TrafficSettings().fingerprint == TrafficSettings(rate_limit=90.0).fingerprint
        False
        """
        return crc32(repr(self).encode()) % 65_535 + 1


class _Policy(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a control message of kind "policy" and name "traffic": what it names, it replaces."""

    enabled: bool | msgspec.UnsetType = msgspec.UNSET
    bots: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    internal_users: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    allowed: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    user_agents: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    internal_referrers: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    internal_attributes: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    rate_limit: float | msgspec.UnsetType = msgspec.UNSET
    volume_limit: float | msgspec.UnsetType = msgspec.UNSET
    regular_spread: float | msgspec.UnsetType = msgspec.UNSET
    full_weight: float | msgspec.UnsetType = msgspec.UNSET


def with_policy(settings: TrafficSettings, body: str) -> TrafficSettings:
    """The settings with what the body of a control message puts in their place.

    >>> with_policy(TrafficSettings(), '{"rate_limit": 90}').rate_limit
    90.0
    >>> with_policy(TrafficSettings(), '{"rate_limit": 0}')
    Traceback (most recent call last):
    operators.traffic_settings.PolicyRefused: policy traffic: rate_limit is 0.0; it must be more than 0

    Raises `PolicyRefused`; its text quotes no list of users.
    """
    try:
        policy = msgspec.json.decode(body, type=_Policy)
        named = {
            name: value
            for name, value in msgspec.structs.asdict(policy).items()
            if value is not msgspec.UNSET
        }
        return replace(settings, **named)
    except (msgspec.MsgspecError, UnicodeEncodeError, ValueError) as error:
        raise PolicyRefused(f"policy traffic: {error}") from error


def pseudonyms(users: tuple[str, ...], of: Callable[[str], str]) -> frozenset[str]:
    """The pseudonyms of users that are named by raw id or by pseudonym.

    >>> sorted(pseudonyms(("9dc6a1e4ef03b1e5e9a1ce44", "ann"), str.upper))
    ['9dc6a1e4ef03b1e5e9a1ce44', 'ANN']
    """
    return frozenset(user if _UID.fullmatch(user) else of(user) for user in users)
