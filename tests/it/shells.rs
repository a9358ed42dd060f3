//! Completion in the shells themselves: each that is installed is started on a terminal of its own, told what
//! `strongroom completion SHELL` prints, and made to complete words, flags and the paths of a running server.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use strongroom_tests::{DevServer, binary};

/// Types into an interactive shell and prints what its terminal shows. Each line of stdin is `text<TAB>expected`: the text is
/// typed, then the tab key, until the expected text stands on the screen.
const TYPIST: &str = r#"
import os, pty, select, sys, time
shell, rest = sys.argv[1], sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(shell, rest)
seen = b""
def read_until(wanted, patience):
    global seen
    end = time.monotonic() + patience
    while wanted not in seen:
        left = end - time.monotonic()
        if left <= 0:
            return False
        if select.select([fd], [], [], min(left, 0.2))[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                return wanted in seen
    return True
ok = read_until(b"READY> ", 60)
for line in sys.stdin:
    text, expected = line.rstrip("\n").split("\t")
    seen = b""
    os.write(fd, text.encode())
    # A shell that is busy may drop a key: it is pressed again, and completing what is complete does nothing.
    for _ in range(20):
        os.write(fd, b"\t")
        if read_until(expected.encode(), 3):
            break
    else:
        ok = False
        print(f"{text!r}: {expected!r} did not come:\n{seen.decode(errors='replace')}")
    os.write(fd, b"\x15")
os.write(fd, b"exit\n")
os.close(fd)
os.waitpid(pid, 0)
print("done" if ok else "failed")
sys.exit(0 if ok else 1)
"#;

/// How each shell is started without the user's own settings: its arguments, and what its start file says first.
const SHELLS: &[(&str, &[&str], &str)] = &[
    ("bash", &["--noprofile", "--rcfile", "$RC", "-i"], "PS1='READY> '\nbind 'set bell-style none'\n"),
    ("zsh", &["-i"], "PS1='READY> '\nunsetopt zle_bracketed_paste\nautoload -U compinit && compinit -u\n"),
    ("fish", &["--init-command", "source $RC", "-i"], "function fish_prompt; echo -n 'READY> '; end\n"),
];

fn is_installed(shell: &str) -> bool {
    let folders = std::env::var("PATH").unwrap_or_default();
    folders.split(':').any(|folder| Path::new(folder).join(shell).is_file())
}

#[tokio::test(flavor = "multi_thread")]
async fn installed_shells_complete_words_flags_and_paths() {
    let server = DevServer::start().await.unwrap();
    let secret = json!({ "data": { "x": "1" } });
    for path in ["secret/data/app/database", "secret/data/app/web"] {
        assert_eq!(server.client().send("POST", path, Some(&secret)).await.unwrap().status, 200);
    }
    let typed = "strongroom oper\toperator\nstrongroom read -form\t-format\nstrongroom kv get secret/ap\tsecret/app/\n\
                 strongroom kv get secret/app/da\tsecret/app/database\nstrongroom policy read def\tdefault\n";
    let mut tried = Vec::new();
    for (shell, arguments, start) in SHELLS.iter().filter(|(shell, ..)| is_installed(shell)) {
        let home = tempfile::tempdir().unwrap();
        // A folder with a blank in its name: what is printed must name the program all the same.
        let folder = home.path().join("my programs");
        std::fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(binary("strongroom"), folder.join("strongroom")).unwrap();
        let lines =
            Command::new(folder.join("strongroom")).args(["completion", shell]).output().unwrap().stdout;
        let rc = home.path().join(if *shell == "zsh" { ".zshrc" } else { "rc" });
        std::fs::write(&rc, [start.as_bytes(), &lines].concat()).unwrap();
        let mut typist = Command::new("python3")
            .args(["-c", TYPIST, shell])
            .args(arguments.iter().map(|argument| argument.replace("$RC", rc.to_str().unwrap())))
            .current_dir(home.path())
            .env_clear()
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()))
            .env("HOME", home.path())
            .env("ZDOTDIR", home.path())
            .env("TERM", "dumb")
            .env("VAULT_ADDR", server.url())
            .env("VAULT_TOKEN", strongroom_tests::process::DEV_ROOT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut typist.stdin.take().unwrap(), typed.as_bytes()).unwrap();
        let out = typist.wait_with_output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{shell}: {said}");
        tried.push(*shell);
    }
    println!("completion tried in {tried:?}");
    assert!(tried.contains(&"bash"), "every machine that builds this has bash");
}
