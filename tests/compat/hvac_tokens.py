#!/usr/bin/env python3
"""hvac, as released, on tokens: kinds, limits, families, roles, accessors."""

from hvac import exceptions

from checks import UNIQUE, check, client, raises, run


def a_token(root):
    made = root.auth.token.create(policies=["default"], ttl="1h", meta={"who": "hvac"}, display_name="build")
    auth = made["auth"]
    check("a token is made", auth["client_token"].startswith("hvs.") and auth["lease_duration"] == 3600)
    found = root.auth.token.lookup(auth["client_token"])["data"]
    check("it is found", found["meta"] == {"who": "hvac"} and found["display_name"] == "token-build")
    found = root.auth.token.lookup_accessor(auth["accessor"])["data"]
    check("by its accessor too, without itself", found["id"] == "" and found["accessor"] == auth["accessor"])
    check("accessors are listed", auth["accessor"] in root.auth.token.list_accessors()["data"]["keys"])
    renewed = root.auth.token.renew(auth["client_token"], increment="2h")["auth"]
    check("it is renewed", renewed["lease_duration"] == 7200 and renewed["client_token"] == auth["client_token"])
    renewed = root.auth.token.renew_accessor(auth["accessor"], increment="3h")["auth"]
    check("by its accessor too", renewed["lease_duration"] == 10800 and renewed["client_token"] == "")
    root.auth.token.revoke(auth["client_token"])
    check("it is revoked", raises(exceptions.Forbidden, lambda: root.auth.token.lookup(auth["client_token"])))
    check("and its accessor with it", raises(exceptions.InvalidRequest, lambda: root.auth.token.lookup_accessor(auth["accessor"])))


def limits(root):
    made = root.auth.token.create(policies=["default"], num_uses=2)["auth"]["client_token"]
    user = client(made)
    check("the first of two uses", user.auth.token.lookup_self()["data"]["num_uses"] == 1)
    user.auth.token.lookup_self()
    check("there is no third", raises(exceptions.Forbidden, user.auth.token.lookup_self))
    made = root.auth.token.create(policies=["default"], ttl="1h", explicit_max_ttl="90m")["auth"]["client_token"]
    renewed = root.auth.token.renew(made, increment="10h")["auth"]
    check("an explicit maximum holds", 0 < renewed["lease_duration"] <= 5400)
    made = root.auth.token.create(policies=["default"], ttl="1h", renewable=False)["auth"]
    check("a token may be not renewable", made["renewable"] is False)
    check("and is not renewed", raises(exceptions.InvalidRequest, lambda: root.auth.token.renew(made["client_token"])))
    made = root.auth.token.create(policies=["default"], period="30m")["auth"]
    found = root.auth.token.lookup(made["client_token"])["data"]
    check("a periodic token", found["period"] == 1800 and made["lease_duration"] == 1800)
    batch = root.auth.token.create(policies=["default"], type="batch", ttl="1h")["auth"]
    check("a batch token", batch["client_token"].startswith("hvb.") and batch["accessor"] == "" and not batch["renewable"])
    check("which works", client(batch["client_token"]).auth.token.lookup_self()["data"]["type"] == "batch")
    check("a made-up token is Forbidden", raises(exceptions.Forbidden, client("hvs." + "A" * 24).auth.token.lookup_self))


def families(root):
    name = UNIQUE + "-parent"
    root.sys.create_or_update_policy(name, 'path "auth/token/*" { capabilities = ["create", "update", "sudo"] }')
    parent = client(root.auth.token.create(policies=[name])["auth"]["client_token"])
    child = parent.auth.token.create(policies=["default"])["auth"]["client_token"]
    alone = parent.auth.token.create_orphan(policies=["default"])["auth"]
    check("an orphan has no parent", alone["orphan"])
    check("policies one does not have are not given", raises(exceptions.InvalidRequest, lambda: parent.auth.token.create(policies=["root"])))
    parent.auth.token.revoke_self()
    check("a child goes with its parent", raises(exceptions.Forbidden, client(child).auth.token.lookup_self))
    check("an orphan stays", client(alone["client_token"]).auth.token.lookup_self()["data"]["orphan"])
    parent = client(root.auth.token.create(policies=[name])["auth"]["client_token"])
    child = parent.auth.token.create(policies=["default"])["auth"]["client_token"]
    root.auth.token.revoke_and_orphan_children(parent.token)
    check("children may be left behind", client(child).auth.token.lookup_self()["data"]["orphan"])
    check("without their parent", raises(exceptions.Forbidden, parent.auth.token.lookup_self))
    root.sys.delete_policy(name)


def roles(root):
    name = UNIQUE + "-role"
    root.auth.token.create_or_update_role(name, allowed_policies=["default"], orphan=True, renewable=False, token_period="1h", path_suffix="ci")
    role = root.auth.token.read_role(name)["data"]
    check("a role is read", role["allowed_policies"] == ["default"] and role["orphan"] and role["token_period"] == 3600)
    check("and listed", name in root.auth.token.list_roles()["data"]["keys"])
    made = root.auth.token.create(role_name=name)["auth"]
    found = root.auth.token.lookup(made["client_token"])["data"]
    check("a token of the role", found["role"] == name and found["orphan"] and found["path"].endswith("/ci"))
    check("no more than its policies", raises(exceptions.InvalidRequest, lambda: root.auth.token.create(policies=["other"], role_name=name)))
    root.auth.token.delete_role(name)
    check("a role that is gone is InvalidPath", raises(exceptions.InvalidPath, lambda: root.auth.token.read_role(name)))
    check("and no longer used", raises(exceptions.InvalidRequest, lambda: root.auth.token.create(role_name=name)))
    check("tidy is taken", root.auth.token.tidy() is not None)


def logout(root):
    user = client(root.auth.token.create(policies=["default"])["auth"]["client_token"])
    check("the client says it is authenticated", user.is_authenticated())
    user.logout(revoke_token=True)
    check("and not after logout", not user.is_authenticated())


if __name__ == "__main__":
    run(a_token, limits, families, roles, logout)
