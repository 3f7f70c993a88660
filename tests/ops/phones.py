#!/usr/bin/env python3
"""People with phones and without a socket, who are written to: what makes the push stage work in scripts/ops-live.sh.

    phones.py http://127.0.0.1:8080 --seconds 40 --people 20 --rate 10

Signs tokens with TIDINGS__AUTH__HS256_SECRET, as the load generator does. Fails when a request is refused.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request
import uuid

WRITER = "phones-writer"


def token(user):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": user, "iat": now, "exp": now + 3600}
    head = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "typ": "JWT"}, claims))
    key = os.environ["TIDINGS__AUTH__HS256_SECRET"].encode()
    return (head + b"." + part(hmac.digest(key, head, hashlib.sha256))).decode()


def ask(base, user, method, path, body=None):
    headers = {"authorization": f"Bearer {token(user)}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def phone(number):
    """Every second phone is Apple's."""
    name = hashlib.sha256(str(number).encode()).hexdigest()
    platform = {"platform": "apns", "token": name} if number % 2 else {"platform": "fcm", "token": f"fcm-{name}"}
    return platform | {"app_id": "org.example.chat"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", metavar="URL", help="a gateway")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--rate", type=float, default=10, help="messages a second")
    options = parser.parse_args()
    people = [f"phones-{number}" for number in range(options.people)]
    for number, person in enumerate(people):
        # The first request makes a user.
        ask(options.base, person, "GET", "/v1/me")
        ask(options.base, person, "PUT", "/v1/devices/phone", phone(number))
    began, sent = time.monotonic(), 0
    while (due := began + sent / options.rate) < began + options.seconds:
        time.sleep(max(0, due - time.monotonic()))
        body = {"to": people[sent % len(people)], "text": f"{sent}", "client_id": str(uuid.uuid4())}
        ask(options.base, WRITER, "POST", "/v1/messages", body)
        sent += 1
    print(f"phones: {sent} messages to {len(people)} people with a phone each")


if __name__ == "__main__":
    sys.exit(main())
