//! `./x run` where it runs already, and where a part of its folder is gone: nothing is broken, nothing is written over.

use std::path::Path;
use std::process::{Command, Output};

use strongroom_tests::{Appliance, binary, repository};

/// One more `./x run` with the state folder spelt like this.
fn run_again(appliance: &Appliance, state: &str) -> Output {
    Command::new(repository().join("x"))
        .arg("run")
        .env("STRONGROOM_STATE", state)
        .env("STRONGROOM_PORT", appliance.address.port().to_string())
        .env("STRONGROOM_BIN_DIR", binary("strongroom").parent().unwrap_or(Path::new("/")))
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_in_any_spelling_leaves_the_first_one_alone() {
    let appliance = Appliance::start().await.unwrap();
    let state = appliance.state.display().to_string();
    for spelling in [state.clone(), format!("{state}/"), format!("{state}/../state"), format!("/.{state}//")]
    {
        let out = run_again(&appliance, &spelling);
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && said.contains("Ready"), "{spelling}: {out:?}");
        for socket in ["hsm.sock", "tpm.sock"] {
            assert!(appliance.state.join("run").join(socket).exists(), "{spelling}: {socket} is gone");
        }
    }
    // The devices can still be reached: a new daemon is unsealed by them.
    appliance.kill("strongroom").unwrap();
    strongroom_tests::process::wait_until_active(&mut appliance.client().unwrap()).await.unwrap();

    // Sealed, it does not say that all is well.
    assert_eq!(appliance.client().unwrap().send("PUT", "sys/seal", None).await.unwrap().status, 204);
    let out = run_again(&appliance, &state);
    assert!(!out.status.success() && !String::from_utf8_lossy(&out.stdout).contains("Ready"), "{out:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_or_a_pin_that_is_gone_is_not_made_anew() {
    let mut appliance = Appliance::start().await.unwrap();
    let token = appliance.root_token().unwrap();
    for part in ["data/store.redb", "hsm-pin"] {
        appliance.stop();
        let (there, away) = (appliance.state.join(part), appliance.state.join("away"));
        std::fs::rename(&there, &away).unwrap();
        let out = run_again(&appliance, &appliance.state.display().to_string());
        assert!(!out.status.success(), "{part}: {out:?}");
        assert_eq!(appliance.root_token().unwrap(), token, "{part}: the root token was written over");
        std::fs::rename(&away, &there).unwrap();
    }
    appliance.run().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_stopped_after_init_finds_the_root_token_again() {
    let mut appliance = Appliance::start().await.unwrap();
    let token = appliance.root_token().unwrap();
    appliance.stop();
    // As it is between init and the file with the token.
    std::fs::remove_file(appliance.state.join("root-token")).unwrap();
    let said = format!("{{\n  \"root_token\": \"{token}\"\n}}\n");
    std::fs::write(appliance.state.join("run/init"), said).unwrap();
    appliance.run().await.unwrap();
    assert_eq!(appliance.root_token().unwrap(), token);
    assert!(!appliance.state.join("run/init").exists());
}
