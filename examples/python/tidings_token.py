"""A token for one of your users, made by your own backend. Nothing but the standard library.

    TIDINGS_SECRET=… python3 tidings_token.py USER_ID
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time


def tidings_token(user_id: str, secret: str, seconds: int = 600) -> str:
    """`user_id` is your own id of the user, `secret` the server's `auth.hs256_secret`.

    Minutes are long enough: clients fetch a new token by themselves.
    """
    now = int(time.time())
    head = _part({"alg": "HS256", "typ": "JWT"})
    claims = _part({"sub": user_id, "iat": now, "exp": now + seconds})
    signed = f"{head}.{claims}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(signature)}"


def _part(value: dict) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    print(tidings_token(sys.argv[1], os.environ["TIDINGS_SECRET"]))
