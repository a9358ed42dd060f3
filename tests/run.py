#!/usr/bin/env python3
"""Every check and test, counted; what `./x test` runs. The last line is "N passed, N failed".

Whole outputs are in target/test-logs/; here are a line for each part, and the failures in full.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
LOGS = TARGET / "test-logs"
RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed;", re.M)
FAILED_TEST = re.compile(r"^test (.+) \.\.\. FAILED$", re.M)
# How much of a failing check is shown.
TAIL = 60

passed = failed = 0


def run(name, command, **environment):
    """The exit code and all output of a command; also in a file."""
    log = LOGS / f"{name}.log"
    print(f"==> {' '.join(command)}", flush=True)
    begin = time.monotonic()
    with open(log, "wb") as out:
        code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env=os.environ | environment).returncode
    seconds = time.monotonic() - begin
    return code, log.read_text(errors="replace"), seconds


def tail(text):
    for line in text.rstrip().splitlines()[-TAIL:]:
        print(f"    {line}")


def count(name, good, bad, seconds):
    global passed, failed
    passed += good
    failed += bad
    print(f"    {name}: {good} passed, {bad} failed ({seconds:.0f} s)", flush=True)


def check(name, *command):
    """A command that passes or fails as a whole."""
    code, text, seconds = run(name, list(command))
    if code:
        tail(text)
    count(name, int(code == 0), int(code != 0), seconds)
    return code == 0


def tests(name, *command, show=None, **environment):
    """A run of cargo test: every test counts, and a crate whose tests do not come to an end."""
    code, text, seconds = run(name, ["cargo", "test", "--locked", "--no-fail-fast", *command], **environment)
    results = [(int(good), int(bad)) for good, bad in RESULT.findall(text)]
    good, bad = sum(r[0] for r in results), sum(r[1] for r in results)
    if code and not bad:
        # Something did not compile, or ended before its result.
        bad = 1
    for block in re.findall(r"^failures:\n\n(---- .*?)^failures:$", text, re.M | re.S):
        print("\n".join(f"    {line}" for line in block.rstrip().splitlines()))
    if code and not FAILED_TEST.search(text):
        tail(text)
    for line in text.splitlines():
        if show and line.startswith(show):
            print(f"    {line}")
    count(name, good, bad, seconds)


def main():
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    check("fmt", "cargo", "fmt", "--all", "--check", "--", "--color", "never")
    if shutil.which("shellcheck"):
        check("shellcheck", "shellcheck", "x", ".ci/run", *map(str, sorted(ROOT.glob("tests/compat/shell/*.sh"))))
    else:
        check("sh", "sh", "-n", "x")
    check("clippy", "cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings")
    built = check("build", "cargo", "build", "--locked", "--workspace", "--bins")
    binaries = {"STRONGROOM_BIN_DIR": str(TARGET / "debug")}
    tests("units", "--workspace", "--exclude", "strongroom-tests", **binaries)
    if built:
        # Shown: the totals of the areas that are not finished yet, and what was skipped.
        tests("whole", "-p", "strongroom-tests", "--", "--show-output", show=("golden ", "skipped"), **binaries)
    else:
        count("whole", 0, 1, 0)
    print(f"\nThe outputs are in {LOGS}")
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main())
