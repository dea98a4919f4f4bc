"""The tables in docs/ that are made from the program's own: `python -m testbed.docs`, or `make docs`, writes them anew.

A page has them between two comments, and so has docker-compose.yml what it has to know of the models:

    <!-- made by `make docs`: keys -->
    <!-- end of keys -->

    # made by `make docs`: targets
    # end of targets
"""

from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
