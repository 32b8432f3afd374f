"""S3 or what speaks its protocol: where it is, and the plugin by which Flink reaches it.

Where it is stands in the environment variables that the tools for S3 share: `AWS_ENDPOINT_URL_S3` or
`AWS_ENDPOINT_URL`, `AWS_REGION` or `AWS_DEFAULT_REGION`. Who asks stands there as well (`AWS_ACCESS_KEY_ID` and
the like), or is the role of the machine: each library finds it by itself, so that no key passes through here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SCHEME = "s3://"
GROUP = "s3"
"""The group of `jars.toml` that holds the plugin."""

_NAMED = re.compile(r"s3:/{1,2}(?=[^/])")


def in_s3(named: Path | str) -> bool:
    """Whether what somebody named lies in S3; of `s3://shop/lake`, `pathlib` makes `s3:/shop/lake`.

    >>> in_s3("s3://shop/lake"), in_s3(Path("s3://shop/lake")), in_s3("lake")
    (True, True, False)
    """
    return _NAMED.match(str(named)) is not None


def s3_path(named: Path | str) -> str:
    """Bucket and key of what lies in S3.

    >>> s3_path(Path("s3://shop/lake"))
    'shop/lake'
    """
    return _NAMED.sub("", str(named)).rstrip("/")


@dataclass(frozen=True)
class S3Access:
    """Where S3 is. `endpoint` is the URL of a store of one's own; None: Amazon's, by `region`."""

    endpoint: str | None = None
    region: str | None = None

    def flink_options(self) -> dict[str, str]:
        """What Flink's plugin is told. A store of one's own has its buckets in the path, not in the host's name.

        >>> S3Access("http://store:9000").flink_options()
        {'s3.endpoint': 'http://store:9000', 's3.path.style.access': 'true'}
        """
        options: dict[str, str] = {}
        if self.endpoint is not None:
            options |= {"s3.endpoint": self.endpoint, "s3.path.style.access": "true"}
        if self.region is not None:
            options["s3.endpoint.region"] = self.region
        return options


def s3_access(variables: Mapping[str, str] | None = None) -> S3Access:
    """Where S3 is, by the environment.

    >>> s3_access({"AWS_ENDPOINT_URL": "http://store:9000", "AWS_DEFAULT_REGION": "eu-west-1"})
    S3Access(endpoint='http://store:9000', region='eu-west-1')
    """
    said = os.environ if variables is None else variables
    return S3Access(
        endpoint=said.get("AWS_ENDPOINT_URL_S3") or said.get("AWS_ENDPOINT_URL") or None,
        region=said.get("AWS_REGION") or said.get("AWS_DEFAULT_REGION") or None,
    )
