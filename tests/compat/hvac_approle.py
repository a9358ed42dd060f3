#!/usr/bin/env python3
"""hvac, as released, on AppRole: roles, their ids and secrets, logins, what is limited."""

from hvac import exceptions

from checks import UNIQUE, check, client, raises, run

MOUNT = UNIQUE
POLICY = UNIQUE + "-policy"


def login(role_id, secret_id):
    """A client that has logged in."""
    job = client("")
    job.auth.approle.login(role_id, secret_id, mount_point=MOUNT)
    return job


def roles(root):
    root.sys.enable_auth_method("approle", path=MOUNT)
    root.sys.create_or_update_policy(POLICY, 'path "auth/token/lookup-self" { capabilities = ["read"] }')
    jobs = root.auth.approle
    jobs.create_or_update_approle("job", token_policies=[POLICY], token_ttl="20m", token_max_ttl="1h", secret_id_ttl="10m", secret_id_num_uses=2, mount_point=MOUNT)
    role = jobs.read_role("job", mount_point=MOUNT)["data"]
    check("a role is read", role["token_policies"] == [POLICY] and role["token_ttl"] == 1200 and role["secret_id_num_uses"] == 2)
    check("what is not said stays", jobs.create_or_update_approle("job", token_num_uses=0, mount_point=MOUNT) is not None and jobs.read_role("job", mount_point=MOUNT)["data"]["token_ttl"] == 1200)
    check("and listed", jobs.list_roles(mount_point=MOUNT)["data"]["keys"] == ["job"])
    check("a role that never was is InvalidPath", raises(exceptions.InvalidPath, lambda: jobs.read_role("nothing", mount_point=MOUNT)))
    check("nor has it an id", raises(exceptions.InvalidPath, lambda: jobs.read_role_id("nothing", mount_point=MOUNT)))


def logins(root):
    jobs = root.auth.approle
    role_id = jobs.read_role_id("job", mount_point=MOUNT)["data"]["role_id"]
    made = jobs.generate_secret_id("job", metadata={"build": "42"}, mount_point=MOUNT)["data"]
    check("a secret is made", made["secret_id_ttl"] == 600 and made["secret_id_num_uses"] == 2)
    job = client("")
    auth = job.auth.approle.login(role_id, made["secret_id"], mount_point=MOUNT)["auth"]
    check("a login gives a token", auth["policies"] == sorted(["default", POLICY]) and auth["lease_duration"] == 1200)
    check("with the secret's metadata", auth["metadata"] == {"build": "42", "role_name": "job"})
    check("which the client keeps", job.auth.token.lookup_self()["data"]["meta"]["build"] == "42")
    check("and renews up to its maximum", job.auth.token.renew_self(increment="10h")["auth"]["lease_duration"] <= 3600)
    found = jobs.read_secret_id("job", made["secret_id"], mount_point=MOUNT)["data"]
    check("a use was spent", found["secret_id_num_uses"] == 1 and found["metadata"] == {"build": "42"})
    login(role_id, made["secret_id"])
    check("there is no third", raises(exceptions.InvalidRequest, lambda: login(role_id, made["secret_id"])))
    check("an invented secret is refused", raises(exceptions.InvalidRequest, lambda: login(role_id, "invented")))
    check("an invented role alike", raises(exceptions.InvalidRequest, lambda: login("invented", "invented")))


def secrets(root):
    jobs = root.auth.approle
    jobs.update_role_id("job", UNIQUE + "-id", mount_point=MOUNT)
    check("the id may be chosen", jobs.read_role_id("job", mount_point=MOUNT)["data"]["role_id"] == UNIQUE + "-id")
    own = jobs.create_custom_secret_id("job", "a secret of our own", mount_point=MOUNT)["data"]
    check("the secret too", own["secret_id"] == "a secret of our own" and login(UNIQUE + "-id", own["secret_id"]).is_authenticated())
    check("accessors are listed", jobs.list_secret_id_accessors("job", mount_point=MOUNT)["data"]["keys"] == [own["secret_id_accessor"]])
    found = jobs.read_secret_id_accessor("job", own["secret_id_accessor"], mount_point=MOUNT)["data"]
    check("and read", found["secret_id_accessor"] == own["secret_id_accessor"] and "secret_id" not in found)
    jobs.destroy_secret_id_accessor("job", own["secret_id_accessor"], mount_point=MOUNT)
    check("a secret ends by its accessor", raises(exceptions.InvalidRequest, lambda: login(UNIQUE + "-id", own["secret_id"])))
    wrapped = jobs.generate_secret_id("job", wrap_ttl="1m", mount_point=MOUNT)["wrap_info"]["token"]
    opened = client(wrapped).sys.unwrap()["data"]["secret_id"]
    check("it may be handed over wrapped", login(UNIQUE + "-id", opened).is_authenticated())
    jobs.destroy_secret_id("job", opened, mount_point=MOUNT)
    check("and ends by itself", raises(exceptions.InvalidRequest, lambda: login(UNIQUE + "-id", opened)))


def bound(root):
    jobs = root.auth.approle
    jobs.create_or_update_approle("here", secret_id_bound_cidrs=["127.0.0.0/8"], token_bound_cidrs=["127.0.0.0/8"], mount_point=MOUNT)
    jobs.create_or_update_approle("there", secret_id_bound_cidrs=["192.0.2.0/24"], mount_point=MOUNT)
    for name, works in (("here", True), ("there", False)):
        role_id = jobs.read_role_id(name, mount_point=MOUNT)["data"]["role_id"]
        secret_id = jobs.generate_secret_id(name, mount_point=MOUNT)["data"]["secret_id"]
        if works:
            check("from its own network", login(role_id, secret_id).is_authenticated())
        else:
            check("from no other", raises(exceptions.InvalidRequest, lambda: login(role_id, secret_id)))
    jobs.create_or_update_approle("alone", bind_secret_id=False, secret_id_bound_cidrs=["127.0.0.0/8"], mount_point=MOUNT)
    role_id = jobs.read_role_id("alone", mount_point=MOUNT)["data"]["role_id"]
    job = login(role_id, None)
    check("an id alone, where the role says so", job.is_authenticated())
    jobs.delete_role("alone", mount_point=MOUNT)
    check("without its role nobody logs in", raises(exceptions.InvalidRequest, lambda: login(role_id, None)))
    root.sys.disable_auth_method(MOUNT)
    check("and without the method no token works", raises(exceptions.Forbidden, job.auth.token.lookup_self))
    root.sys.delete_policy(POLICY)


if __name__ == "__main__":
    run(roles, logins, secrets, bound)
