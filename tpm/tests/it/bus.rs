//! What a listener on the bus sees: everything between bridge and TPM goes through a recorder.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use strongroom_device_api::KeyDevice;
use strongroom_types::Secret;

use crate::bridge::{Bridge, key};
use crate::fixture::{BRIDGE, Ports, Tpm};

type Record = Arc<Mutex<Vec<u8>>>;

/// Passes `from` on to the port `to`, and writes down both directions.
fn record(from: u16, to: u16, into: &Record) {
    let listener = TcpListener::bind(("127.0.0.1", from)).unwrap();
    let into = Arc::clone(into);
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
            for (mut one, mut other) in
                [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
            {
                let into = Arc::clone(&into);
                thread::spawn(move || {
                    let mut buffer = [0; 8192];
                    while let Ok(count @ 1..) = one.read(&mut buffer) {
                        into.lock().unwrap().extend_from_slice(&buffer[..count]);
                        if other.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = other.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
}

fn shows(record: &Record, bytes: &[u8]) -> bool {
    record.lock().unwrap().windows(bytes.len()).any(|window| window == bytes)
}

#[tokio::test]
async fn no_secret_crosses_the_bus_in_clear() {
    let tpm = Tpm::new();
    let traffic = Record::default();
    let own = Ports::take();
    let port = own.first;
    record(port, tpm.ports.first, &traffic);
    record(port + 1, tpm.ports.first + 1, &Record::default());
    let mut args = tpm.args();
    args[1] = format!("swtpm:host=127.0.0.1,port={port}");
    let _bridge = Bridge::start(Command::new(BRIDGE).args(&args));
    let client = tpm.client();

    let plain = Secret::copy_of(b"a canary that must not be seen on the bus");
    let wrapped = client.wrap(&key("root"), b"", &plain).await.unwrap();
    client.unwrap(&key("root"), b"", &wrapped).await.unwrap();
    let random = client.random(32).await.unwrap();
    for secret in [&plain, &random] {
        assert!(secret.expose().windows(8).all(|part| !shows(&traffic, part)));
    }
    // The recorder works: it has seen the sealed object, which is no secret. Its policy starts at byte 6.
    assert!(shows(&traffic, &wrapped.0[6..38]));
}
