"""What changes of a service while it runs, as a HorizontalPodAutoscaler; and why not, where that cannot say it. Pure.

Source: the Kubernetes API reference, autoscaling/v2.
"""

from typing import Any

from testbed.plan.scaling import TOLERANCE, Law, Scaling, duration
from testbed.plan.scaling import text as canonical
from testbed.plan.scaling_values import label
from testbed.stack.kubernetes.amounts import seconds
from testbed.stack.services import Service

# What its container metrics are.
_METRICS = {"cpu": "cpu", "memory": "memory"}
# The most that a stabilisation window may be.
_MOST_S = 3600
# Unless the controller manager is told otherwise.
_EVERY_US = 15_000_000


def refusal(scaling: Scaling) -> str:
    """Why there is no autoscaler that does this; empty where there is one."""
    if not isinstance(scaling, Law):
        return "nothing in Kubernetes changes a workload at set times of a window"
    if scaling.change != "replicas":
        return f"a HorizontalPodAutoscaler changes replicas, not {scaling.change}"
    if scaling.on not in _METRICS:
        return f"a HorizontalPodAutoscaler reads cpu and memory by itself, not {scaling.on}"
    if scaling.forecast is not None:
        return f"a HorizontalPodAutoscaler has no forecast ({scaling.forecast.method})"
    return ""


def differences(service: Service) -> list[str]:
    """A line for all that is not as the service says."""
    scaling = service.changes
    if scaling is None:
        return []
    what = f"scaling ({label(canonical(scaling))})"
    if why := refusal(scaling):
        return [f"{what}: {service.name} stays as it is: {why}"]
    assert isinstance(scaling, Law)
    lines = []
    if scaling.every_us != _EVERY_US:
        lines.append(
            f"{what}: decided not every {duration(scaling.every_us)} but every 15 s, or as the controller manager's "
            "--horizontal-pod-autoscaler-sync-period says"
        )
    if abs(percent(scaling.target) - scaling.target * 100) > 1e-6:
        lines.append(f"{what}: the target is {percent(scaling.target)} %: whole percents only")
    return lines


def percent(share: float) -> int:
    return max(1, round(share * 100))


def autoscaler(service: Service) -> dict[str, Any] | None:
    """Its spec; None where there is none that does it.

    The metric is that of the service's own container: beside it in the pod there are others. By default growth has a
    bound that the law does not have.
    """
    scaling = service.changes
    if not isinstance(scaling, Law) or refusal(scaling):
        return None
    target = {"type": "Utilization", "averageUtilization": percent(scaling.target)}
    resource = {"name": _METRICS[scaling.on], "container": service.name, "target": target}
    tolerance = {} if scaling.tolerance == TOLERANCE else {"tolerance": f"{scaling.tolerance:g}"}

    def rules(after_us: int) -> dict[str, Any]:
        at_once = [{"type": "Pods", "value": int(scaling.high), "periodSeconds": 1}]
        return {"stabilizationWindowSeconds": min(_MOST_S, seconds(after_us)), "policies": at_once, **tolerance}

    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name},
        "minReplicas": int(scaling.low),
        "maxReplicas": int(scaling.high),
        "metrics": [{"type": "ContainerResource", "containerResource": resource}],
        "behavior": {"scaleUp": rules(scaling.up_after_us), "scaleDown": rules(scaling.down_after_us)},
    }
