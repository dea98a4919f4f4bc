"""A stack as Kubernetes manifests, in a kustomization: the same records as `compose` renders, for a cluster. Pure.

What a cluster cannot be told of them comes back as lines, and stands in what is written.
"""

from testbed.stack.kubernetes.rendering import Place, Rendered, domain, namespace, render

__all__ = ["Place", "Rendered", "domain", "namespace", "render"]
