"""A message from your backend, in the name of one of your users.

    TIDINGS_URL=http://127.0.0.1:8080 TIDINGS_SERVER_KEY=… python3 send.py FROM TO TEXT
"""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
import uuid


def send(sender: str, message: dict) -> dict:
    """Sends once, however often it has to try: the `client_id` stays the same."""
    for attempt in range(1, 6):
        request = urllib.request.Request(
            os.environ["TIDINGS_URL"] + "/v1/messages",
            data=json.dumps(message).encode(),
            headers={
                "Authorization": "Bearer " + os.environ["TIDINGS_SERVER_KEY"],
                "X-Tidings-User": sender,
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503 or attempt == 5:
                raise
            time.sleep(random.random() * 2**attempt)
    raise AssertionError("the loop above returns or raises")


if __name__ == "__main__":
    sender, to, text = sys.argv[1:4]
    print(json.dumps(send(sender, {"to": to, "text": text, "client_id": str(uuid.uuid4())})))
