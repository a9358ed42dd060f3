#!/usr/bin/env python3
"""hvac, as released, on policies, userpass and auth mounts: who may do what."""

from hvac import exceptions

from checks import UNIQUE, check, client, raises, run

MOUNT = UNIQUE + "-people"
POLICY = UNIQUE + "-policy"


def policies(root):
    rules = 'path "secret/data/%s/*" { capabilities = ["read", "list"] }' % UNIQUE
    root.sys.create_or_update_acl_policy(POLICY, rules)
    check("a policy is read as written", root.sys.read_acl_policy(POLICY)["data"]["policy"] == rules)
    check("and listed", POLICY in root.sys.list_acl_policies()["data"]["keys"])
    check("the old endpoints know it", root.sys.read_policy(POLICY)["data"]["rules"] == rules)
    check("and list it", POLICY in root.sys.list_policies()["data"]["policies"])
    root.sys.create_or_update_policy(POLICY, {"path": {"secret/data/%s/*" % UNIQUE: {"capabilities": ["read"]}}})
    check("a policy may be JSON", '"capabilities"' in root.sys.read_policy(POLICY)["data"]["rules"])
    check("what does not parse is refused", raises(exceptions.InvalidRequest, lambda: root.sys.create_or_update_acl_policy(POLICY, "path {")))
    check("and changes nothing", '"capabilities"' in root.sys.read_policy(POLICY)["data"]["rules"])
    check("root is not to be changed", raises(exceptions.InvalidRequest, lambda: root.sys.create_or_update_policy("root", rules)))
    check("a policy that never was is InvalidPath", raises(exceptions.InvalidPath, lambda: root.sys.read_acl_policy("nothing")))


def auth_mounts(root):
    root.sys.enable_auth_method("userpass", path=MOUNT, description="people", config={"default_lease_ttl": "10m"})
    listed = root.sys.list_auth_methods()["data"]
    check("an auth method is listed", listed[MOUNT + "/"]["type"] == "userpass" and listed[MOUNT + "/"]["description"] == "people")
    check("the token's own too", listed["token/"]["type"] == "token")
    root.sys.tune_auth_method(MOUNT, default_lease_ttl="20m", max_lease_ttl="1h", listing_visibility="unauth")
    tuned = root.sys.read_auth_method_tuning(MOUNT)["data"]
    check("it is tuned", (tuned["default_lease_ttl"], tuned["max_lease_ttl"]) == (1200, 3600))
    check("a path is taken once", raises(exceptions.InvalidRequest, lambda: root.sys.enable_auth_method("userpass", path=MOUNT)))
    check("an unknown type is refused", raises(exceptions.InvalidRequest, lambda: root.sys.enable_auth_method("nonsense", path=MOUNT + "-2")))


def userpass(root):
    people = root.auth.userpass
    people.create_or_update_user("ann", "correct horse", policies=POLICY, mount_point=MOUNT)
    user = people.read_user("ann", mount_point=MOUNT)["data"]
    check("a user is read, without a password", user["token_policies"] == [POLICY] and "password" not in user)
    check("and listed", people.list_user(mount_point=MOUNT)["data"]["keys"] == ["ann"])
    ann = client("")
    auth = ann.auth.userpass.login("ann", "correct horse", mount_point=MOUNT)["auth"]
    check("a login gives a token", auth["policies"] == sorted(["default", POLICY]) and auth["metadata"] == {"username": "ann"})
    check("of the mount's time", auth["lease_duration"] == 1200 and auth["renewable"])
    check("which the client keeps", ann.auth.token.lookup_self()["data"]["display_name"] == MOUNT + "-ann")
    able = ann.sys.get_capabilities(["secret/data/%s/x" % UNIQUE])["data"]["capabilities"]
    check("it may what the policy says", able == ["read"])
    able = root.sys.get_capabilities(["secret/data/%s/x" % UNIQUE], accessor=auth["accessor"])["data"]["capabilities"]
    check("by its accessor too", able == ["read"])
    check("no more", raises(exceptions.Forbidden, lambda: ann.sys.list_policies()))
    check("nor renewed over the maximum", ann.auth.token.renew_self(increment="10h")["auth"]["lease_duration"] <= 3600)
    check("a wrong password is refused", raises(exceptions.InvalidRequest, lambda: client("").auth.userpass.login("ann", "wrong", mount_point=MOUNT)))
    check("an unknown name is refused alike", raises(exceptions.InvalidRequest, lambda: client("").auth.userpass.login("bob", "wrong", mount_point=MOUNT)))
    people.update_password_on_user("ann", "battery staple", mount_point=MOUNT)
    check("the old password is gone", raises(exceptions.InvalidRequest, lambda: client("").auth.userpass.login("ann", "correct horse", mount_point=MOUNT)))
    again = client("")
    again.auth.userpass.login("ann", "battery staple", mount_point=MOUNT)
    check("the new one works", again.is_authenticated())
    people.delete_user("ann", mount_point=MOUNT)
    check("a user can go", raises(exceptions.InvalidPath, lambda: people.read_user("ann", mount_point=MOUNT)))
    people.create_or_update_user("cy", "a password", mount_point=MOUNT)
    last = client("")
    last.auth.userpass.login("cy", "a password", mount_point=MOUNT)
    root.sys.disable_auth_method(MOUNT)
    check("tokens go with their method", raises(exceptions.Forbidden, last.auth.token.lookup_self))
    root.sys.delete_policy(POLICY)


if __name__ == "__main__":
    run(policies, auth_mounts, userpass)
