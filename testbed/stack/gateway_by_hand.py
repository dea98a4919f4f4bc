"""What a gateway by hand is to let through: what can be asked for, and what Compose is told. Pure."""

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from testbed.errors import UserError
from testbed.plan.axes.front import API_KEY
from testbed.plan.fields import GATEWAYS, Auth, RateLimit


@dataclass(frozen=True)
class Admission:
    """Which requests go through."""

    rate_limit_rps: float = 0.0
    """So many per second; 0: all."""
    key: str = ""
    """What X-Api-Key has to be; empty: anything."""


def check_admission(front: str, rate_limit: float | None, auth: str | None) -> Admission:
    """UserError names the flag, what was found and what is allowed."""
    for flag, found in (("--rate-limit", rate_limit), ("--auth", auth)):
        if found is not None and front not in GATEWAYS:
            shown = f"{found:g}" if isinstance(found, float) else found
            raise UserError(f"{flag}: found {shown} with front {front}, allowed: with --front {' or '.join(GATEWAYS)}")
    if auth is not None and auth not in get_args(Auth):
        raise UserError(f"--auth: found {auth!r}, allowed: {' or '.join(get_args(Auth))}")
    limit = 0.0 if rate_limit is None else float(_checked("--rate-limit", RateLimit, rate_limit))
    return Admission(limit, API_KEY if auth == "key" else "")


def _checked(flag: str, kind: Any, value: object) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise UserError(f"{flag}: found {value!r}, allowed: {error.errors()[0]['msg']}") from None


def variables(admission: Admission) -> dict[str, str]:
    """What docker-compose.yml is told of it by its environment."""
    limit = {"RATE_LIMIT": f"{admission.rate_limit_rps:.12g}"} if admission.rate_limit_rps else {}
    return limit | ({"API_KEY": admission.key} if admission.key else {})
