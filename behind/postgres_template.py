"""`python3 -m behind.postgres_template DIRECTORY` makes the empty cluster of which every container begins with a copy.

Runs when the image is built, as a user who is in /etc/passwd: initdb asks for that.
"""

import subprocess
import sys

from behind.settings import USER

# Renamed and dropped: a database takes 7 MB, and the data directory is memory.
_STATEMENTS = f"""
ALTER DATABASE postgres RENAME TO {USER};

ALTER DATABASE template0 IS_TEMPLATE false;

DROP DATABASE template0;

"""


def make(directory: str) -> None:
    """Make the cluster in this directory. CalledProcessError where PostgreSQL's programs cannot."""
    # Segments as small as they may be, for what is written ahead is memory, too.
    options = ("--wal-segsize=1", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync", "--no-instructions")
    who = ("--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256")
    subprocess.run(["initdb", "--pgdata", directory, *options, *who], check=True, stdout=subprocess.DEVNULL)
    alone = ["postgres", "--single", "-F", "-j", "-D", directory, "template1"]
    subprocess.run(alone, input=_STATEMENTS, text=True, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    make(sys.argv[1])
