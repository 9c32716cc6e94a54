"""requests, as Debian packages it."""
import os
import sys

import requests

answer = requests.get(sys.argv[1], headers={"Authorization": "Bearer " + os.environ["MATRIX_TOKEN"]})
answer.raise_for_status()
print(answer.status_code, answer.headers)
print(answer.text)
