"""What a database keeps of a password, after RFC 5802 and RFC 7677. Pure."""

import base64
import hashlib
import hmac

# As many as PostgreSQL takes.
_ITERATIONS = 4096


def secret(password: str, salt: bytes | None = None) -> str:
    """The secret of SCRAM-SHA-256 as PostgreSQL and PgBouncer write it.

    Without a salt it is the same wherever it is made of this password: who passes a login on has to have the secret of
    whom it passes it on to. So it is for passwords that are long, random, and soon forgotten.
    """
    salt = hashlib.sha256(f"threadmill {password}".encode()).digest()[:16] if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    in_text = [base64.b64encode(one).decode() for one in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{in_text[0]}${in_text[1]}:{in_text[2]}"
