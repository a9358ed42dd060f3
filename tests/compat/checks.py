"""What the scripts share: a line per check, a total, a client made from the environment."""

import os
import sys
import uuid

import hvac

# One name that nobody else uses: the scripts run against one server at the same time.
UNIQUE = "compat-" + uuid.uuid4().hex[:8]

passed = failed = 0


def check(what, holds):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    print(("ok      " if holds else "FAILED  ") + what)


def raises(kind, call):
    """The error of `kind` that the call ends with; None, and a line about it, if it ends otherwise."""
    try:
        print(f"        instead: {call()!r}")
    except kind as error:
        return error
    except Exception as error:
        print(f"        instead: {error!r}")
    return None


def client(token=None):
    return hvac.Client(
        url=os.environ["VAULT_ADDR"],
        token=os.environ.get("VAULT_TOKEN") if token is None else token,
        verify=os.environ.get("VAULT_CACERT", True),
    )


def run(*parts):
    """Each part with a client of the root token; then the total."""
    root = client()
    for part in parts:
        part(root)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
