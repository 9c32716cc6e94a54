"""urllib as it comes with Python."""
import os
import sys
from urllib.request import Request, urlopen

request = Request(sys.argv[1], headers={"Authorization": "Bearer " + os.environ["MATRIX_TOKEN"]})
with urlopen(request) as answer:
    print(answer.status, answer.headers.items())
    print(answer.read().decode())
