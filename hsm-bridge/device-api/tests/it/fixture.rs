//! A mock device behind a socket, in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strongroom_device_api::mock::MockDevice;
use strongroom_device_api::server::{ServerOptions, serve};
use strongroom_device_api::{Client, ClientOptions, DeviceErrorKind, KeyDevice, KeyId, PeerRule};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A bridge in this process.
pub(crate) struct Bridge {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Bridge {
    pub(crate) fn start(socket: &Path, device: &Arc<MockDevice>) -> Self {
        Self::start_with(socket, device, ServerOptions::new(PeerRule::SAME_UID))
    }

    pub(crate) fn start_with(socket: &Path, device: &Arc<MockDevice>, options: ServerOptions) -> Self {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(listener, options, Arc::clone(device) as Arc<dyn KeyDevice>, stopped));
        Self { stop, task }
    }

    /// As by SIGKILL: every connection breaks at once.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) device: Arc<MockDevice>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), device: MockDevice::new("serial") }
    }

    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions::new(self.socket(), PeerRule::SAME_UID)
    }
}

pub(crate) fn key() -> KeyId {
    KeyId::new("root").unwrap()
}

pub(crate) fn short(mut options: ClientOptions) -> Arc<Client> {
    options.start_deadline = Duration::from_millis(300);
    options.call_deadline = Duration::from_millis(300);
    Client::new(options)
}

pub(crate) fn kind<T>(outcome: Result<T, strongroom_device_api::DeviceError>) -> DeviceErrorKind {
    match outcome {
        Ok(_) => panic!("it was done"),
        Err(error) => error.kind,
    }
}
