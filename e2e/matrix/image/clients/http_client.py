"""http.client as it comes with Python."""
import os
import sys
from http.client import HTTPSConnection
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
connection = HTTPSConnection(url.netloc)
connection.request("GET", url.path, headers={"Authorization": "Bearer " + os.environ["MATRIX_TOKEN"]})
answer = connection.getresponse()
print(answer.status, answer.getheaders())
print(answer.read().decode())
