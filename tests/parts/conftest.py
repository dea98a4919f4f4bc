"""Of the tests of what stands beside a server, which need images of their own: fronts, replicas, what scales them."""

from tests.e2e.conftest import images as images
from tests.e2e.conftest import name as name
