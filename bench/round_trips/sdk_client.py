"""The vendor's Python SDK getting or updating a shadow: sdk_client.py PORT OPERATION IN_FLIGHT

Prints how it went, in JSON, as the other clients do. The SDK's log is off. It knows the vendor's
ports and hosts only, so paho, which is under it, is told where to connect in its place.
"""

import array
import json
import os
import sys
import tempfile
import threading
import time

import paho.mqtt.client as paho

WARM_UP, WARM_UP_PERIOD, PERIOD, MAXIMUM = 500, 1.0, 0.5, 50_000
PRODUCT, DEVICE = "EXAMPLE001", "test01"

port, operation, in_flight = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])

connect_async = paho.Client.connect_async
paho.Client.connect_async = lambda self, host, port=0, keepalive=60: connect_async(
    self, "127.0.0.1", globals()["port"], keepalive
)

from hub.hub import QcloudHub  # noqa: E402


def device_file():
    """What the SDK reads its device from; the secret is the example device's, which is public."""
    secret = "bm90IGEgcmVhbCBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ=="
    info = {
        "auth_mode": "KEY",
        "productId": PRODUCT,
        "productSecret": "",
        "deviceName": DEVICE,
        "key_deviceinfo": {"deviceSecret": secret},
        "cert_deviceinfo": {"devCaFile": "", "devCertFile": "", "devPrivateKeyFile": ""},
        "subDev": {"subdev_num": 0, "subdev_list": []},
        "region": "china",
    }
    file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)
    with file:
        json.dump(info, file)
    return file.name


path = device_file()
hub = QcloudHub(device_file=path, tls=False).hub
os.unlink(path)

free = threading.Semaphore(in_flight)
starts = {}
latencies = array.array("d")
warm_up = WARM_UP
made = 0.0
begun = ended = (0.0, 0.0)
done = threading.Event()
subscribed = threading.Event()


def now():
    return time.perf_counter(), time.process_time()


def on_reply(topic, qos, payload, userdata):
    """A reply, in the SDK's thread for callbacks."""
    global warm_up, begun, ended
    start = starts.pop(payload["clientToken"], None)
    if start is None or payload["result"] != 0 or done.is_set():
        return
    if warm_up > 0:
        begun = now()
        warm_up = 0 if begun[0] - made >= WARM_UP_PERIOD else warm_up - 1
    else:
        end = time.perf_counter()
        latencies.append(end - start)
        if len(latencies) == MAXIMUM or end - begun[0] >= PERIOD:
            ended = now()
            done.set()
    free.release()


def ignore(*_):
    pass


hub.registerMqttCallback(
    ignore, ignore, ignore, ignore, lambda *_: subscribed.set(), ignore
)
hub.connect()
patience = time.monotonic() + 10
while not hub.isMqttConnected():
    if time.monotonic() > patience:
        sys.exit("sdk_client.py: no connection")
    time.sleep(0.01)
hub.shadowInit(PRODUCT, DEVICE, on_reply)
if not subscribed.wait(10):
    sys.exit("sdk_client.py: no subscription")

number = 0
text = hub.device_property()
text.key, text.data, text.type = "updateCount11", "shadow", "string"
count = hub.device_property()
count.key, count.type = "updateCount", "int"
made = time.perf_counter()
while not done.is_set():
    if not free.acquire(timeout=10):
        sys.exit("sdk_client.py: no reply")
    start = time.perf_counter()
    # The SDK numbers its requests from 0 and tells nobody: this is the token that it will write.
    starts["%s-%d" % (PRODUCT, number)] = start
    number += 1
    if operation == "get":
        hub.getShadow(PRODUCT, DEVICE)
    else:
        count.data = number
        document = hub.shadowJsonConstructReport(PRODUCT, DEVICE, count, text)
        hub.shadowUpdate(PRODUCT, DEVICE, document, len(document))

with open("/proc/self/status") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
ordered = sorted(latencies)
total = len(ordered)
trips = {
    "rate": total / (ended[0] - begun[0]),
    "p50": ordered[total * 50 // 100] * 1e6,
    "p99": ordered[total * 99 // 100] * 1e6,
    "cpu_per_thousand": (ended[1] - begun[1]) * 1e3 / total,
    "mebibytes": int(peak) / 1024,
}
print(json.dumps(trips), flush=True)
os._exit(0)
