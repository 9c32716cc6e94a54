"""The least that makes mitmproxy a broker: the placeholder becomes the secret in request headers, the secret
becomes the placeholder in answers (literally, part by part), and both ways stream. The two values come
from the environment."""

import os

PLACEHOLDER = os.environ["BENCH_PLACEHOLDER"]
SECRET = os.environ["BENCH_SECRET"]


def scrub(part: bytes) -> bytes:
    return part.replace(SECRET.encode(), PLACEHOLDER.encode())


def requestheaders(flow):
    flow.request.stream = True
    for name, value in flow.request.headers.items(multi=True):
        if PLACEHOLDER in value:
            flow.request.headers[name] = value.replace(PLACEHOLDER, SECRET)


def responseheaders(flow):
    flow.response.stream = scrub
