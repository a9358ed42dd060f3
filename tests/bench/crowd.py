"""Many policies and mounts: what they cost those who have nothing to do with them. A read of a secret, with a token of five
policies, before and after; memory; a restart.
"""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor

# So many connections make them, each its share; a change of the system's tables waits for the one before it.
MAKERS = 16


def make(daemon, what, wanted, request):
    """Sends `request(number)`, a path and a body, for each number; says how fast."""

    def share(first):
        connection = http.client.HTTPSConnection("127.0.0.1", daemon.port, context=daemon.context, timeout=60)
        for number in range(first, wanted, MAKERS):
            path, body = request(number)
            connection.request("POST", f"/v1/{path}", json.dumps(body), {"X-Vault-Token": daemon.token})
            reply = connection.getresponse()
            text = reply.read()
            if reply.status not in (200, 204):
                raise RuntimeError(f"{path}: {reply.status} {text.decode()}")
        connection.close()

    begun = time.monotonic()
    with ThreadPoolExecutor(MAKERS) as pool:
        list(pool.map(share, range(MAKERS)))
    took = max(time.monotonic() - begun, 1e-6)
    print(f"  {wanted:,} {what} in {took:.0f} s, {wanted / took:,.0f} per second", flush=True)


def policy(number):
    rules = "".join(f'path "crowd-{number}/{part}/*" {{ capabilities = ["read", "list"] }}\n' for part in range(4))
    return f"sys/policies/acl/crowd-{number}", {"policy": rules}


def mount(number):
    return f"sys/mounts/crowd/{number}", {"type": "kv"}


def crowd(daemon, policies, mounts, measure):
    """Makes so many of both. `measure()` gives rate, p50 and p99 of the read."""
    before, memory = measure(), daemon.memory()
    make(daemon, "policies", policies, policy)
    make(daemon, "mounts", mounts, mount)
    after = measure()
    for when, (rate, p50, p99) in (("before", before), ("after", after)):
        print(f"read 1 KiB {when:<6} {rate:>9,.0f} per second, p50 {p50:,.0f} µs, p99 {p99:,.0f} µs")
    print(f"{policies:,} policies and {mounts:,} mounts: reads {after[0] / before[0]:.2f} of the rate before, p99 {after[2] / before[2]:.2f} times as long")
    print(f"memory {memory:.0f} MiB before, {daemon.memory():.0f} MiB after", flush=True)
