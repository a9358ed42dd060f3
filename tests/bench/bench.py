#!/usr/bin/env python3
"""KV version 2, tokens and AppRole over HTTPS beside a bare HTTPS server: rates, latencies, fsyncs, memory, restart. See README.md."""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crowd import crowd
from leases import leases

CONNECTIONS = (1, 8, 32, 128)
SECRETS = 1000
VALUE = "x" * 1024

READ = """
local n = 0
request = function()
  n = (n * 1103515245 + 12345) %% 2147483648
  return wrk.format("GET", "/v1/secret/data/bench/" .. (n %% %d))
end
wrk.headers["X-Vault-Token"] = "%s"
"""
WRITE = """
local n = math.floor(%d)
local body = '{"data":{"value":"%s"}}'
request = function()
  n = (n * 1103515245 + 12345) %% 2147483648
  return wrk.format("POST", "/v1/secret/data/written/" .. (n %% 20000), nil, body)
end
wrk.headers["X-Vault-Token"] = "%s"
wrk.headers["Content-Type"] = "application/json"
"""
LOGIN = """
local body = '{"role_id":"%s","secret_id":"%s"}'
request = function() return wrk.format("POST", "/v1/auth/bench/login", nil, body) end
wrk.headers["Content-Type"] = "application/json"
"""
LOOKUP = """
request = function() return wrk.format("GET", "/v1/auth/token/lookup-self") end
wrk.headers["X-Vault-Token"] = "%s"
"""
BARE = """
wrk.method = "GET"
"""


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def certificate(folder):
    """A self-signed certificate for 127.0.0.1: (certificate, key)."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True)
    return cert, key


class Daemon:
    """The appliance with one custodian, a file on disk, HTTPS and an audit file."""

    def __init__(self, binary, folder, cert, key):
        self.binary, self.folder, self.port = binary, folder, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.context = ssl.create_default_context(cafile=cert)
        (folder / "strongroom.hcl").write_text(
            f'storage "redb" {{\n  path = "{folder}/data"\n}}\n'
            f'listener "tcp" {{\n  address = "127.0.0.1:{self.port}"\n  tls_cert_file = "{cert}"\n  tls_key_file = "{key}"\n}}\n'
            f'audit "file" "log" {{\n  options {{\n    file_path = "{folder}/audit.log"\n  }}\n}}\n')
        self.token, self.key, self.process = "", "", None

    def launch(self):
        log = open(self.folder / "log", "a")
        self.process = subprocess.Popen([self.binary, "server", f"-config={self.folder}/strongroom.hcl"], stdout=log, stderr=log)

    def ask(self, method, path, body=None, timeout=60):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/v1/{path}", data=data, method=method, headers={"X-Vault-Token": self.token})
        with urllib.request.urlopen(request, context=self.context, timeout=timeout) as reply:
            text = reply.read()
            return json.loads(text) if text else None

    def insist(self, method, path, body=None):
        """Asks until somebody listens."""
        end = time.monotonic() + 60
        while True:
            try:
                return self.ask(method, path, body)
            except urllib.error.HTTPError as error:
                raise Failed(f"{path}: {error.code} {error.read().decode()}")
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Failed(f"the server does not answer ({error}); see {self.folder}/log")
                time.sleep(0.002)

    def start(self):
        self.launch()
        made = self.insist("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self.token, self.key = made["root_token"], made["keys"][0]
        self.ask("PUT", "sys/unseal", {"key": self.key})
        self.ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})

    def client_token(self):
        """A token that is not root, with five policies of four rules each."""
        names = [f"bench-{n}" for n in range(5)]
        for n, name in enumerate(names):
            rules = "".join(f'path "secret/data/team-{n}-{k}/*" {{ capabilities = ["read"] }}\n' for k in range(3))
            rules += 'path "secret/data/*" { capabilities = ["create", "read", "update"] }\n'
            self.ask("POST", f"sys/policies/acl/{name}", {"policy": rules})
        return self.ask("POST", "auth/token/create", {"policies": names, "ttl": "12h"})["auth"]["client_token"]

    def approle(self):
        """(role id, secret-id) of a role with the same five policies; neither is used up."""
        self.ask("POST", "sys/auth/bench", {"type": "approle"})
        self.ask("POST", "auth/bench/role/load", {"token_policies": [f"bench-{n}" for n in range(5)], "token_ttl": "1h"})
        role = self.ask("GET", "auth/bench/role/load/role-id")["data"]["role_id"]
        return role, self.ask("POST", "auth/bench/role/load/secret-id", {})["data"]["secret_id"]

    def memory(self):
        """Resident MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def restart(self, what, path="secret/data/bench/7"):
        """SIGKILL, start, unseal, first answer."""
        self.process.kill()
        self.process.wait()
        begun = time.monotonic()
        self.launch()
        self.insist("PUT", "sys/unseal", {"key": self.key})
        self.ask("GET", path)
        print(f"restart after SIGKILL, {what}: {time.monotonic() - begun:.2f} s to the first answer; memory then {self.memory():.0f} MiB", flush=True)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


def micros(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[unit]


def wrk(url, script, connections, seconds, folder):
    """(requests per second, p50 in µs, p99 in µs); an answer that is an error fails the run."""
    file = folder / "wrk.lua"
    file.write_text(script)
    threads = min(2, connections)
    out = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", file, url], capture_output=True, text=True)
    text = out.stdout
    if "Non-2xx" in text or out.returncode or "Requests/sec" not in text:
        raise Failed(f"wrk: {text}{out.stderr}")
    percentile = lambda p: micros(re.search(rf"^\s+{p}%\s+(\S+)", text, re.M)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), percentile(50), percentile(99)


def fsyncs(pid, seconds):
    """fsync and fdatasync per second of the process, or None without strace."""
    if not shutil.which("strace"):
        return None
    out = subprocess.run(["timeout", "-s", "INT", str(seconds), "strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-p", str(pid)], capture_output=True, text=True)
    calls = sum(int(row.split()[3]) for row in out.stderr.splitlines() if row.rstrip().endswith("sync") and len(row.split()) >= 5)
    return calls / seconds


def row(name, connections, figures, bare=None):
    rate, p50, p99 = figures
    ratio = f"{rate / bare:6.2f}" if bare else "      "
    print(f"{name:<17} {connections:>4} {rate:>11,.0f} {ratio} {p50:>9,.0f} {p99:>9,.0f}", flush=True)


def table(daemon, bare_url, options, folder):
    token = daemon.client_token()
    proof = daemon.approle()
    # So many bytes as a read answers: the bare server sends as much.
    print(f"{'':<17} {'conn':>4} {'per second':>11} {'ratio':>6} {'p50 µs':>9} {'p99 µs':>9}")
    for connections in CONNECTIONS:
        bare = wrk(bare_url, BARE, connections, options.seconds, folder)
        row("bare server", connections, bare)
        row("read 1 KiB", connections, wrk(daemon.url, READ % (SECRETS, token), connections, options.seconds, folder), bare[0])
        row("durable write", connections, wrk(daemon.url, WRITE % (connections, VALUE, token), connections, options.seconds, folder), bare[0])
        row("token lookup-self", connections, wrk(daemon.url, LOOKUP % token, connections, options.seconds, folder), bare[0])
        row("AppRole login", connections, wrk(daemon.url, LOGIN % proof, connections, options.seconds, folder), bare[0])
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(wrk, daemon.url, WRITE % (7, VALUE, token), 32, options.seconds, folder)
        time.sleep(0.5)
        count = fsyncs(daemon.process.pid, max(1, options.seconds - 1))
        load.result()
    print("fsyncs per second, 32 writers: " + (f"{count:,.0f}" if count is not None else "unknown (strace is not installed)"))


def million(daemon, folder):
    """Fills the store with a million secrets, by wrk: the rate is of no interest."""
    script = """
    local n = 0
    local id = 0
    setup = function(thread) thread:set("id", id); id = id + 1 end
    request = function()
      n = n + 1
      return wrk.format("POST", "/v1/many/" .. id .. "-" .. n, nil, '{"value":"a secret of a usual length, more or less"}')
    end
    wrk.headers["X-Vault-Token"] = "%s"
    """ % daemon.token
    daemon.ask("POST", "sys/mounts/many", {"type": "kv"})
    written, begun = 0, time.monotonic()
    while written < 1_000_000:
        script_now = script.replace('"/v1/many/"', f'"/v1/many/{written}-"')
        rate, _, _ = wrk(daemon.url, script_now, 128, 20, folder)
        written += int(rate * 20)
        print(f"  {written:,} secrets after {time.monotonic() - begun:.0f} s", flush=True)
    daemon.restart(f"{written:,} secrets")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="length of each run")
    parser.add_argument("--million", action="store_true", help="also a restart with a million secrets")
    parser.add_argument("--crowd", action="store_true", help="also reads among 100,000 policies and 10,000 mounts")
    parser.add_argument("--leases", type=int, default=0, metavar="N", help="also N leases: memory, restart, revocation by prefix")
    parser.add_argument("binary", help="the release build of strongroom")
    parser.add_argument("bare", help="the release build of the bare server")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    cert, key = certificate(folder)
    daemon, bare = Daemon(options.binary, folder, cert, key), None
    try:
        daemon.start()
        print(f"memory when idle: {daemon.memory():.0f} MiB")
        for n in range(SECRETS):
            daemon.ask("POST", f"secret/data/bench/{n}", {"data": {"value": VALUE}})
        with urllib.request.urlopen(urllib.request.Request(daemon.url + "/v1/secret/data/bench/7", headers={"X-Vault-Token": daemon.token}), context=daemon.context) as reply:
            size = len(reply.read())
        port = free_port()
        bare = subprocess.Popen([options.bare, cert, key, f"127.0.0.1:{port}", str(size)], stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        table(daemon, f"https://127.0.0.1:{port}/", options, folder)
        print(f"memory after the load: {daemon.memory():.0f} MiB")
        daemon.restart(f"{SECRETS:,} secrets and what was written")
        if options.million:
            million(daemon, folder)
        if options.crowd:
            read = READ % (SECRETS, daemon.client_token())
            crowd(daemon, 100_000, 10_000, lambda: wrk(daemon.url, read, 32, options.seconds, folder))
            daemon.restart("100,000 policies and 10,000 mounts")
        if options.leases:
            leases(daemon, options.leases, wrk, folder)
    except Failed as error:
        sys.exit(f"bench: {error}")
    finally:
        daemon.stop()
        if bare:
            bare.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
