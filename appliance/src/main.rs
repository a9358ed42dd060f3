//! The Strongroom daemon and command line.
mod certificate;
mod config;
mod say;
mod setup;
mod supervise;
fn main() -> std::process::ExitCode {
    let a: Vec<String> = std::env::args().collect();
    if a.get(1).is_some_and(|v| v == "supervise") {
        return supervise::main(a.get(2..).unwrap_or_default());
    }
    if a.get(1).is_some_and(|v| v == "setup") {
        return setup::main(a.get(2..).unwrap_or_default());
    }
    let _ = config::load(&[]);
    std::process::ExitCode::SUCCESS
}
