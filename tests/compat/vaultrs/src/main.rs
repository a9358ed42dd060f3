//! vaultrs, as released, on a server that nobody has initialised: seal, tokens, policies, logins, secrets, wrapping.

mod access;
mod approle;
mod checks;
mod mounts;
mod seal;
mod secrets;
mod tokens;

use checks::Checks;
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};

/// A client with `token`; the rest from the environment.
fn client(token: &str) -> VaultClient {
    VaultClient::new(VaultClientSettingsBuilder::default().token(token).build().unwrap()).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let mut checks = Checks::default();
    let root = seal::open(&mut checks).await;
    mounts::all(&mut checks, &root).await;
    secrets::all(&mut checks, &root).await;
    tokens::all(&mut checks, &root).await;
    access::all(&mut checks, &root).await;
    approle::all(&mut checks, &root).await;
    seal::close(&mut checks, &root).await;
    checks.end()
}
