"""`python3 -m testbed.setup`: what a fresh machine lacks."""

import sys

from testbed.setup.install import main

sys.exit(main())
