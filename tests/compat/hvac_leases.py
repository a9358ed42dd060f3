#!/usr/bin/env python3
"""hvac, as released, on leases: those of logins, looked up, revoked one by one, by prefix and by force."""

from hvac import exceptions

from checks import UNIQUE, check, client, raises, run

MOUNT = UNIQUE
LOGINS = f"auth/{MOUNT}/login/ann/"


def login():
    person = client("")
    person.auth.userpass.login("ann", "a password", mount_point=MOUNT)
    return person


def people(root):
    root.sys.enable_auth_method("userpass", path=MOUNT)
    root.auth.userpass.create_or_update_user("ann", "a password", mount_point=MOUNT)
    root.write_data(f"auth/{MOUNT}/users/ann", data={"token_ttl": "1h"})


def one(root):
    ann = login()
    keys = root.sys.list_leases(LOGINS)["data"]["keys"]
    check("a login has a lease", len(keys) == 1)
    lease = root.sys.read_lease(LOGINS + keys[0])["data"]
    check("it is read", lease["id"] == LOGINS + keys[0] and 0 < lease["ttl"] <= 3600)
    check("a token is renewed elsewhere", raises(exceptions.InvalidRequest, lambda: root.sys.renew_lease(lease["id"], increment=60)))
    root.sys.revoke_lease(lease["id"])
    check("it is revoked", raises(exceptions.InvalidRequest, lambda: root.sys.read_lease(lease["id"])))
    check("and the token with it", raises(exceptions.Forbidden, ann.auth.token.lookup_self))
    check("then none is listed", raises(exceptions.InvalidPath, lambda: root.sys.list_leases(LOGINS)))


def many(root):
    some = [login() for _ in range(5)]
    check("one for each", len(root.sys.list_leases(LOGINS)["data"]["keys"]) == 5)
    check("not everybody may see them", raises(exceptions.Forbidden, lambda: some[0].sys.list_leases(LOGINS)))
    check("nor revoke them", raises(exceptions.Forbidden, lambda: some[0].sys.revoke_prefix(LOGINS)))
    root.sys.revoke_prefix(f"auth/{MOUNT}/")
    check("all are revoked by prefix", not any(person.is_authenticated() for person in some))
    last = login()
    root.sys.revoke_force(f"auth/{MOUNT}/")
    check("or by force", not last.is_authenticated())
    root.sys.disable_auth_method(MOUNT)


if __name__ == "__main__":
    run(people, one, many)
