"""What the services of a run are called, at which ports they answer, and where load and probe write."""

SERVER_PORT = 8081
# Of a server whose sidecar has that one.
BEHIND_SIDECAR_PORT = 8082
WEB_PORT = 8089
# Where a front tells a person how it is doing.
FRONT_PAGE_PORT = 8404

MASTER = "locust"
WORKER = "worker"
HOLDER = "holder"
# Of a sidecar's service, after the name of its server.
SIDECAR_SUFFIX = "-sidecar"
# Of a probe's service, before the name of what it watches.
PROBE_PREFIX = "probe-"

# Where load and probe write, and where they find it.
LOAD_STORE = "load"
RESULTS = "/results/load"
