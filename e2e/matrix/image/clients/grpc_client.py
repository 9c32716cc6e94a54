"""Python's grpcio (gRPC's C core): one unary call and one stream both ways, trailers printed."""
import os
import queue
import sys

import grpc

METADATA = [("authorization", "Bearer " + os.environ["MATRIX_TOKEN"])]
channel = grpc.secure_channel(sys.argv[1], grpc.ssl_channel_credentials())

answer, call = channel.unary_unary("/matrix.Echo/Unary").with_call(b"one", metadata=METADATA)
print("unary", answer.decode())
print("unary head", call.initial_metadata())
print("unary trailers", call.code(), call.trailing_metadata())

messages = queue.Queue()
messages.put(b"message 1")
stream = channel.stream_stream("/matrix.Echo/Both")(iter(messages.get, None), metadata=METADATA)
said = 1
# Each message is sent only once the one before came back: a stream that is held up would stand still.
for answer in stream:
    print("both", answer.decode())
    said += 1
    messages.put(None if said > 3 else b"message %d" % said)
print("both trailers", stream.code(), stream.trailing_metadata())
