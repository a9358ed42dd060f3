#!/usr/bin/env python3
"""hvac, as released, on mounts, wrapping, audit and the keyring."""

import json
import os

from hvac import exceptions

from checks import UNIQUE, check, client, raises, run

MOUNT = UNIQUE


def mounts(root):
    root.sys.enable_secrets_engine("kv", path=MOUNT, description="ours", config={"default_lease_ttl": "1h", "max_lease_ttl": "2h"}, options={"version": "2"})
    mount = root.sys.list_mounted_secrets_engines()["data"][MOUNT + "/"]
    check("a mount is listed", mount["type"] == "kv" and mount["description"] == "ours" and mount["options"] == {"version": "2"})
    check("its configuration is read", root.sys.read_mount_configuration(MOUNT)["data"]["max_lease_ttl"] == 7200)
    root.sys.tune_mount_configuration(MOUNT, default_lease_ttl="30m", description="theirs")
    tuned = root.sys.read_mount_configuration(MOUNT)["data"]
    check("and tuned", tuned["default_lease_ttl"] == 1800 and tuned["description"] == "theirs")
    check("an option is found", root.sys.retrieve_mount_option(MOUNT, "version") == "2")
    check("a path is taken once", raises(exceptions.InvalidRequest, lambda: root.sys.enable_secrets_engine("kv", path=MOUNT)))
    check("an unknown type is refused", raises(exceptions.InvalidRequest, lambda: root.sys.enable_secrets_engine("nonsense", path=MOUNT + "-x")))
    root.secrets.kv.v2.create_or_update_secret("a", {"b": "c"}, mount_point=MOUNT)
    move = root.sys.move_backend(MOUNT, MOUNT + "-moved")["data"]["migration_id"]
    for _ in range(1000):
        status = root.read("sys/remount/status/" + move)["data"]["migration_info"]["status"]
        if status != "in-progress":
            break
    check("a mount is moved", status == "success")
    read = root.secrets.kv.v2.read_secret_version("a", mount_point=MOUNT + "-moved", raise_on_deleted_version=True)
    check("with what is in it", read["data"]["data"] == {"b": "c"})
    check("and is no longer where it was", raises(exceptions.InvalidPath, lambda: root.secrets.kv.v2.read_secret_version("a", mount_point=MOUNT, raise_on_deleted_version=True)))


def plain(root):
    """The client's verbs for what it has no class for."""
    path = MOUNT + "-moved/data/plain"
    root.write_data(path, data={"data": {"x": 1}})
    check("write and read by path", root.read(path)["data"]["data"] == {"x": 1})
    check("list by path", root.list(MOUNT + "-moved/metadata")["data"]["keys"] == ["a", "plain"])
    root.delete(path)
    check("a read of what is deleted is nothing", raises(exceptions.InvalidPath, lambda: root.read(path)) or root.read(path) is None)


def wrapping(root):
    path = MOUNT + "-moved/data/a"
    wrapped = root.read(path, wrap_ttl="5m")["wrap_info"]
    check("an answer is wrapped", wrapped["ttl"] == 300 and wrapped["creation_path"] == path)
    found = root.write_data("sys/wrapping/lookup", data={"token": wrapped["token"]})["data"]
    check("a look is free", found["creation_path"] == path and found["creation_ttl"] == 300)
    stranger = client(wrapped["token"])
    check("who has it opens it", stranger.sys.unwrap()["data"]["data"] == {"b": "c"})
    check("once", raises((exceptions.InvalidRequest, exceptions.Forbidden), client(wrapped["token"]).sys.unwrap))
    wrapped = root.sys.wrap({"any": "thing"}, ttl=60)["wrap_info"]["token"]
    again = root.write_data("sys/wrapping/rewrap", data={"token": wrapped})["wrap_info"]["token"]
    check("rewrapped, the old one is gone", raises((exceptions.InvalidRequest, exceptions.Forbidden), lambda: root.sys.unwrap(wrapped)))
    check("the new one opens", root.sys.unwrap(again)["data"] == {"any": "thing"})
    made = root.auth.token.create(policies=["default"], wrap_ttl="1m")["wrap_info"]
    token = root.sys.unwrap(made["token"])["auth"]
    check("a wrapped token", token["accessor"] == made["wrapped_accessor"] and client(token["client_token"]).is_authenticated())


def audit(root):
    devices = root.sys.list_enabled_audit_devices()["data"]
    check("audit devices are listed", any(device["type"] == "file" for device in devices.values()))
    log = os.environ.get("AUDIT_LOG")
    if log:
        name = next(iter(devices)).rstrip("/")
        mark = "the mark of " + UNIQUE
        root.write_data(MOUNT + "-moved/data/mark", data={"data": {"mark": mark}})
        hashed = root.sys.calculate_hash(name, mark)["data"]["hash"]
        text = open(log).read()
        check("a value is in the log as its hash", hashed.startswith("hmac-sha256:") and hashed in text and mark not in text)


def keyring(root):
    before = root.sys.get_encryption_key_status()["data"]["term"]
    root.sys.rotate_encryption_key()
    after = root.sys.get_encryption_key_status()["data"]["term"]
    check("a rotation makes a term", after == before + 1)
    read = root.secrets.kv.v2.read_secret_version("a", mount_point=MOUNT + "-moved", raise_on_deleted_version=True)
    check("what was written before is still read", read["data"]["data"] == {"b": "c"})
    check("it stands alone", root.sys.read_leader_status()["ha_enabled"] is False)
    root.sys.disable_secrets_engine(MOUNT + "-moved")


def monitor(root):
    """A stream, for which hvac has no method: with its session, as its users do."""
    session, address = root.adapter.session, root.url + "/v1/sys/monitor"
    with session.get(address, headers={"X-Vault-Token": root.token}, params={"log_format": "json"}, stream=True, verify=os.environ.get("VAULT_CACERT", True), timeout=60) as stream:
        check("the log is a stream", stream.status_code == 200 and stream.headers["Content-Type"] == "application/x-ndjson")
        root.sys.rotate_encryption_key()
        lines = (json.loads(line) for line in stream.iter_lines(chunk_size=1))
        check("a line comes while it is open", next(line for line in lines if line["@message"].startswith("a new term"))["@level"] == "info")


if __name__ == "__main__":
    run(mounts, plain, wrapping, audit, keyring, monitor)
