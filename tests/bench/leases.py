"""Many leases: how fast they are made, what they cost in memory, how long a restart takes, how fast a prefix ends.

The leases are those of service tokens that AppRole logins give, so that the whole daemon is measured through its API: each
login is one commit of the token, its accessor, its path and its expiry. What engines lease is measured by
`appliance/core/examples/lease_rate.rs`.
"""

import time
import urllib.error

# So many auth methods share the logins: a revocation of each ends within the time that a request may take.
MOUNTS = 8

LOGIN = """
local n = 0
local paths = {%s}
local bodies = {%s}
request = function()
  n = n + 1
  local at = n %% #paths + 1
  return wrk.format("POST", paths[at], nil, bodies[at])
end
wrk.headers["Content-Type"] = "application/json"
"""


def quoted(texts):
    return ", ".join("'" + text + "'" for text in texts)


def is_empty(daemon, path):
    try:
        daemon.ask("LIST", path)
        return False
    except urllib.error.HTTPError as error:
        return error.code == 404


def leases(daemon, wanted, wrk, folder):
    """Makes `wanted` leases, restarts by SIGKILL, and revokes them by prefix. `wrk` is bench.py's."""
    paths, bodies = [], []
    for number in range(MOUNTS):
        mount = f"auth/leased{number}"
        daemon.ask("POST", f"sys/{mount}", {"type": "approle"})
        role = {"bind_secret_id": False, "secret_id_bound_cidrs": "127.0.0.1/32", "token_ttl": "12h", "token_policies": "default"}
        daemon.ask("POST", f"{mount}/role/app", role)
        role_id = daemon.ask("GET", f"{mount}/role/app/role-id")["data"]["role_id"]
        paths.append(f"/v1/{mount}/login")
        bodies.append(f'{{"role_id":"{role_id}"}}')
    before, made, begun = daemon.memory(), 0, time.monotonic()
    while made < wanted:
        seconds = 20 if wanted - made > 200_000 else 3
        rate, _, _ = wrk(daemon.url, LOGIN % (quoted(paths), quoted(bodies)), 128, seconds, folder)
        made += int(rate * seconds)
        print(f"  {made:,} leases after {time.monotonic() - begun:.0f} s, {rate:,.0f} per second; memory {daemon.memory():.0f} MiB", flush=True)
    print(f"{made:,} leases: memory {before:.0f} MiB before, {daemon.memory():.0f} MiB after")

    daemon.restart(f"{made:,} leases", "sys/mounts")

    begun = time.monotonic()
    for number in range(MOUNTS):
        daemon.ask("PUT", f"sys/leases/revoke-prefix/auth/leased{number}", {"sync": True}, timeout=600)
    spent = time.monotonic() - begun
    print(f"revoked by prefix: {made / spent:,.0f} leases per second, {spent:.1f} s in all; memory then {daemon.memory():.0f} MiB", flush=True)
    left = [number for number in range(MOUNTS) if not is_empty(daemon, f"sys/leases/lookup/auth/leased{number}")]
    if left:
        print(f"  leases are left below {left}")
