"""``python -m servers.http`` imports what HTTP needs: so that an image is known to have it, with its byte code."""

from servers.http import aio, face

if __name__ == "__main__":
    assert all((aio, face))
