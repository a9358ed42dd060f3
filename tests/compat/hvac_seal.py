#!/usr/bin/env python3
"""hvac, as released, on a server that nobody has initialised: init, custodians' keys, seal, health."""

import base64

from hvac import exceptions

from checks import check, client, raises, run

kept = {}


def before(nobody):
    check("it is not initialised", not nobody.sys.is_initialized())
    check("and sealed", nobody.sys.is_sealed())
    check("health is 501", nobody.sys.read_health_status(method="HEAD").status_code == 501)
    check("a request before that is refused", raises(exceptions.VaultError, lambda: client("x").sys.list_policies()))


def init(nobody):
    made = nobody.sys.initialize(secret_shares=5, secret_threshold=3)
    kept.update(made)
    check("five keys and a token", len(made["keys"]) == 5 == len(made["keys_base64"]) and made["root_token"].startswith("hvs."))
    check("it is initialised", nobody.sys.is_initialized())
    check("once", raises(exceptions.InvalidRequest, lambda: nobody.sys.initialize()))
    check("health is 503", nobody.sys.read_health_status(method="HEAD").status_code == 503)
    check("sealed, it serves nothing", raises(exceptions.VaultDown, lambda: client(made["root_token"]).sys.list_policies()))


def unseal(nobody):
    keys = kept["keys"]
    status = nobody.sys.submit_unseal_key(keys[0])
    check("one key of three", status["sealed"] and (status["progress"], status["t"], status["n"]) == (1, 3, 5))
    status = nobody.sys.submit_unseal_key(reset=True)
    check("taken back", status["progress"] == 0)
    wrong = keys[1][:-2] + ("00" if keys[1][-2:] != "00" else "11")
    check("a wrong key is refused", raises(exceptions.InvalidRequest, lambda: nobody.sys.submit_unseal_key(wrong)))
    status = nobody.sys.submit_unseal_keys([keys[4], keys[2], kept["keys_base64"][1]])
    check("three of them, in any order and spelling", not status["sealed"])
    check("it is open", not nobody.sys.is_sealed())
    check("health is 200", nobody.sys.read_health_status(method="HEAD").status_code == 200)
    health = nobody.sys.read_health_status(method="GET")
    check("with its body", health["initialized"] and not health["sealed"] and not health["standby"])


def seal(_):
    root = client(kept["root_token"])
    root.sys.create_or_update_policy("kept", 'path "a" { capabilities = ["read"] }')
    user = client(root.auth.token.create(policies=["default"])["auth"]["client_token"])
    check("not everybody may seal", raises(exceptions.Forbidden, user.sys.seal))
    root.sys.seal()
    status = root.sys.read_seal_status()
    check("root may", status["sealed"] and status["progress"] == 0)
    check("then nothing is served", raises(exceptions.VaultDown, root.sys.list_policies))
    root.sys.submit_unseal_keys(kept["keys"][:3])
    check("opened again, all is there", "kept" in root.sys.list_policies()["data"]["policies"] and user.is_authenticated())


def rekey(_):
    root = client(kept["root_token"])
    check("no rekey is under way", root.sys.read_rekey_progress()["started"] is False)
    root.sys.start_rekey(secret_shares=3, secret_threshold=2)
    root.sys.cancel_rekey()
    check("one may be given up", root.sys.read_rekey_progress()["started"] is False)
    root.sys.start_rekey(secret_shares=3, secret_threshold=2)
    nonce = root.sys.read_rekey_progress()["nonce"]
    done = root.sys.rekey_multi(kept["keys"][:3], nonce)
    check("three custodians make new keys", done["complete"] and len(done["keys"]) == 3)
    kept["keys"] = done["keys"]
    root.sys.seal()
    root.sys.submit_unseal_keys(kept["keys"][:2])
    check("the new keys open", not root.sys.is_sealed())


def new_root(_):
    root = client(kept["root_token"])
    begun = root.sys.start_root_token_generation()
    otp, nonce = begun["otp"], begun["nonce"]
    check("a root token is on its way", root.sys.read_root_generation_progress()["started"])
    half = root.sys.generate_root(kept["keys"][0], nonce)
    check("one of two", half["progress"] == 1 and not half["complete"])
    done = root.sys.generate_root(kept["keys"][1], nonce)
    sealed = base64.b64decode(done["encoded_token"] + "==")
    token = bytes(a ^ b for a, b in zip(sealed, otp.encode())).decode()
    check("it is one", done["complete"] and client(token).auth.token.lookup_self()["data"]["policies"] == ["root"])
    root.sys.start_root_token_generation()
    root.sys.cancel_root_generation()
    check("or given up", root.sys.read_root_generation_progress()["started"] is False)


if __name__ == "__main__":
    run(before, init, unseal, seal, rekey, new_root)
