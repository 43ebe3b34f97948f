"""A broadcast server on uWebSockets (C++) through its Python package socketify.

    python socketify_server.py PORT

Python is called once for each message. uWebSockets itself does the fan-out to the subscribers, which is the main load
of the saturated scenarios."""

import sys

from socketify import App, AppListenOptions, CompressOptions

TOPIC = "bench"
BACKLOG_BYTES_MAX = 1 << 20  # the same as in the floor and the hub
MESSAGE_BYTES_MAX = 64 * 1024

app = App()
app.ws(
    "/*",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": MESSAGE_BYTES_MAX,
        "max_backpressure": BACKLOG_BYTES_MAX,
        "idle_timeout": 120,
        "open": lambda socket: socket.subscribe(TOPIC),
        # The app's publish, because the socket's leaves out the sender.
        "message": lambda socket, message, opcode: app.publish(TOPIC, message, opcode),
    },
)
app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"))
app.run()
