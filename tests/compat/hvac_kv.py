#!/usr/bin/env python3
"""hvac, as released, on KV version 2 and 1, tokens, policies and mounts: what its users do in their first week."""

from hvac import exceptions

from checks import UNIQUE, check, client, raises, run

MOUNT = UNIQUE


def seal(root):
    check("is initialised", root.sys.is_initialized())
    check("is not sealed", not root.sys.is_sealed())
    check("health is 200", root.sys.read_health_status(method="GET").get("initialized", False))
    check("the token is good", root.is_authenticated())
    check("a made-up token is not", not client("hvs." + "A" * 40).is_authenticated())


def kv2(root):
    root.sys.enable_secrets_engine("kv", path=MOUNT, options={"version": "2"})
    check("the mount is listed", MOUNT + "/" in root.sys.list_mounted_secrets_engines()["data"])
    kv = root.secrets.kv.v2
    wrote = kv.create_or_update_secret("app/db", {"password": "first", "n": 1}, mount_point=MOUNT)
    check("a write makes version 1", wrote["data"]["version"] == 1)
    kv.create_or_update_secret("app/db", {"password": "second"}, mount_point=MOUNT)
    read = kv.read_secret_version("app/db", mount_point=MOUNT, raise_on_deleted_version=True)
    check("the last version is read", read["data"]["data"] == {"password": "second"})
    read = kv.read_secret_version("app/db", version=1, mount_point=MOUNT, raise_on_deleted_version=True)
    check("the first one as well", read["data"]["data"] == {"password": "first", "n": 1})
    check("a wrong cas is refused", raises(exceptions.InvalidRequest, lambda: kv.create_or_update_secret("app/db", {"a": "b"}, cas=1, mount_point=MOUNT)))
    check("a right cas is not", kv.create_or_update_secret("app/db", {"a": "b"}, cas=2, mount_point=MOUNT)["data"]["version"] == 3)
    patched = kv.patch("app/db", {"c": "d"}, mount_point=MOUNT)
    check("a patch makes a version", patched["data"]["version"] == 4)
    read = kv.read_secret_version("app/db", mount_point=MOUNT, raise_on_deleted_version=True)
    check("and merges", read["data"]["data"] == {"a": "b", "c": "d"})
    kv.create_or_update_secret("app/other", {"x": "y"}, mount_point=MOUNT)
    check("names are listed", sorted(kv.list_secrets("app", mount_point=MOUNT)["data"]["keys"]) == ["db", "other"])
    check("folders are listed", kv.list_secrets("", mount_point=MOUNT)["data"]["keys"] == ["app/"])
    check("a list of nothing is InvalidPath", raises(exceptions.InvalidPath, lambda: kv.list_secrets("nothing", mount_point=MOUNT)))
    check("a secret that never was is InvalidPath", raises(exceptions.InvalidPath, lambda: kv.read_secret_version("nothing", mount_point=MOUNT, raise_on_deleted_version=True)))


def versions(root):
    kv = root.secrets.kv.v2
    read = lambda version=None: kv.read_secret_version("app/db", version=version, mount_point=MOUNT, raise_on_deleted_version=True)
    kv.delete_latest_version_of_secret("app/db", mount_point=MOUNT)
    gone = raises(exceptions.InvalidPath, read)
    check("a deleted version is InvalidPath", gone)
    soft = kv.read_secret_version("app/db", mount_point=MOUNT, raise_on_deleted_version=False)
    check("with its metadata on demand", soft["data"]["data"] is None and soft["data"]["metadata"]["deletion_time"] != "")
    kv.undelete_secret_versions("app/db", [4], mount_point=MOUNT)
    check("undelete brings it back", read()["data"]["data"] == {"a": "b", "c": "d"})
    kv.delete_secret_versions("app/db", [1, 2], mount_point=MOUNT)
    check("versions are deleted by number", raises(exceptions.InvalidPath, lambda: read(1)))
    kv.destroy_secret_versions("app/db", [1], mount_point=MOUNT)
    kv.undelete_secret_versions("app/db", [1, 2], mount_point=MOUNT)
    check("what is destroyed stays so", raises(exceptions.InvalidPath, lambda: read(1)))
    check("what is deleted does not", read(2)["data"]["data"] == {"password": "second"})
    meta = kv.read_secret_metadata("app/db", mount_point=MOUNT)["data"]
    check("metadata tells it", meta["versions"]["1"]["destroyed"] and meta["current_version"] == 4)
    kv.update_metadata("app/db", max_versions=2, custom_metadata={"owner": "me"}, mount_point=MOUNT)
    kv.create_or_update_secret("app/db", {"z": "z"}, mount_point=MOUNT)
    meta = kv.read_secret_metadata("app/db", mount_point=MOUNT)["data"]
    check("old versions are pruned", sorted(meta["versions"]) == ["4", "5"] and meta["custom_metadata"] == {"owner": "me"})
    kv.configure(max_versions=7, cas_required=False, mount_point=MOUNT)
    check("the mount's configuration", kv.read_configuration(mount_point=MOUNT)["data"]["max_versions"] == 7)
    kv.delete_metadata_and_all_versions("app/db", mount_point=MOUNT)
    check("all of it can go", kv.list_secrets("app", mount_point=MOUNT)["data"]["keys"] == ["other"])


def kv1(root):
    mount = MOUNT + "-1"
    root.sys.enable_secrets_engine("kv", path=mount, options={"version": "1"})
    kv = root.secrets.kv.v1
    kv.create_or_update_secret("a/b", {"one": 1, "big": 2**63 + 1}, mount_point=mount)
    check("v1 reads what it wrote, large numbers too", kv.read_secret("a/b", mount_point=mount)["data"] == {"one": 1, "big": 2**63 + 1})
    check("v1 lists", kv.list_secrets("a", mount_point=mount)["data"]["keys"] == ["b"])
    kv.delete_secret("a/b", mount_point=mount)
    check("v1 deletes", raises(exceptions.InvalidPath, lambda: kv.read_secret("a/b", mount_point=mount)))
    root.sys.disable_secrets_engine(mount)
    check("a mount can go", mount + "/" not in root.sys.list_mounted_secrets_engines()["data"])


def policies(root):
    name = MOUNT + "-reader"
    root.sys.create_or_update_policy(name, 'path "%s/data/app/*" { capabilities = ["read"] }' % MOUNT)
    check("a policy is listed", name in root.sys.list_policies()["data"]["policies"])
    made = root.auth.token.create(policies=[name], ttl="1h", meta={"who": "hvac"})
    reader = client(made["auth"]["client_token"])
    mine = reader.auth.token.lookup_self()["data"]
    check("a token knows itself", mine["policies"] == sorted(["default", name]) and mine["meta"] == {"who": "hvac"})
    kv = reader.secrets.kv.v2
    check("it may read", kv.read_secret_version("app/other", mount_point=MOUNT, raise_on_deleted_version=True)["data"]["data"] == {"x": "y"})
    check("it may not write", raises(exceptions.Forbidden, lambda: kv.create_or_update_secret("app/other", {"x": "z"}, mount_point=MOUNT)))
    check("nor list", raises(exceptions.Forbidden, lambda: kv.list_secrets("app", mount_point=MOUNT)))
    check("nor seal", raises(exceptions.Forbidden, lambda: reader.sys.seal()))
    able = reader.sys.get_capabilities([MOUNT + "/data/app/other"])["data"]
    check("it is told what it may do", able["capabilities"] == ["read"])
    renewed = reader.auth.token.renew_self(increment="30m")["auth"]
    check("it can be renewed", renewed["renewable"] and 0 < renewed["lease_duration"] <= 3600)
    root.auth.token.revoke_accessor(made["auth"]["accessor"])
    check("and revoked", raises(exceptions.Forbidden, reader.auth.token.lookup_self))
    root.sys.delete_policy(name)


def unmount(root):
    root.sys.disable_secrets_engine(MOUNT)


if __name__ == "__main__":
    run(seal, kv2, versions, kv1, policies, unmount)
