"""How HTTP is spoken: environment variables, read once into one frozen value."""

from collections.abc import Mapping
from typing import NamedTuple

from servers.config import ConfigError, whole

_MOST_CACHE_CONTROL = 200


class HttpConfig(NamedTuple):
    max_head: int  # bytes of a request's head, at most
    max_body: int  # bytes of its body and of a reply's, at most
    request_timeout_s: float  # from a request's first byte to its last, at most
    cache_control: bytes  # of what a GET is answered; empty: no such header


def read_http(environment: Mapping[str, str], max_body: int) -> HttpConfig:
    """What ``environment`` says, an empty variable counting as not set. Raises ConfigError, one line."""
    env = {name: value for name, value in environment.items() if value != ""}
    cache_control = env.get("CACHE_CONTROL", "")
    if len(cache_control) > _MOST_CACHE_CONTROL or not (cache_control.isascii() and cache_control.isprintable()):
        raise ConfigError(
            f"CACHE_CONTROL={cache_control[:40]!r}: must be printable ASCII, at most {_MOST_CACHE_CONTROL} characters"
        )
    return HttpConfig(
        max_head=whole(env, "MAX_HEAD", 16_384, 256, 1_048_576),
        max_body=max_body,
        request_timeout_s=float(whole(env, "REQUEST_TIMEOUT", 10, 1, 3_600)),
        cache_control=cache_control.encode(),
    )
