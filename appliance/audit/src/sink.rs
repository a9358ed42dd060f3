//! Where lines go.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::{ConfigError, FileSink};

/// A place for lines. [`crate::testing::conformance`] is what every one of them promises.
pub trait Sink: Send + Sync {
    /// `file`, `stdout`, …: what `sys/audit` shows as the type.
    fn kind(&self) -> &'static str;

    /// Takes `lines`, one or both of a request, each with its end. After an error the last of them is not in the log, or not
    /// whole. Must not wait for anything but the kernel.
    fn write(&self, lines: &[u8]) -> io::Result<()>;

    /// Returns when every line that was taken before the call is on the disk. A failure is final: the sink takes no more
    /// lines, because nobody knows which of the earlier ones are lost.
    fn sync(&self) -> io::Result<()>;

    /// Lets go of what is written to and opens it anew, for log rotation (SIGHUP).
    fn reopen(&self) -> io::Result<()>;

    /// The last `bytes` bytes that were written, or fewer; what cannot be read back is empty.
    fn tail(&self, bytes: usize) -> io::Result<Vec<u8>>;
}

/// A sink and how lines are written to it.
#[derive(Clone)]
pub struct SinkConfig {
    /// Without a slash; unique. Names the salt, too.
    pub name: String,
    /// For people.
    pub description: String,
    /// As they stand in the configuration: shown by `sys/audit`.
    pub options: BTreeMap<String, String>,
    /// The sink itself.
    pub sink: Arc<dyn Sink>,
    /// Nothing is hashed: secrets and tokens stand in the log. For finding a fault on a test system.
    pub log_raw: bool,
    /// Accessors are hashed (the default), though they are not secret.
    pub hmac_accessor: bool,
    /// The answer to a list shows how many names there are, not their hashes.
    pub elide_list_responses: bool,
}

impl SinkConfig {
    /// `sink` with the default options.
    pub fn new(name: &str, sink: Arc<dyn Sink>) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            options: BTreeMap::new(),
            sink,
            log_raw: false,
            hmac_accessor: true,
            elide_list_responses: false,
        }
    }

    /// The `file` sink of a configuration: `file_path` (or `path`) is a file, `stdout` or `discard`; `mode` in octal.
    pub fn file(
        name: &str,
        description: &str,
        options: BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let mut path = None;
        let mut mode = FileSink::MODE;
        let mut config = Self::new(name, Arc::new(Discard));
        for (option, value) in &options {
            match option.as_str() {
                "file_path" | "path" => path = Some(value.as_str()),
                "mode" => mode = octal(value)?,
                "log_raw" => config.log_raw = flag("log_raw", value)?,
                "hmac_accessor" => config.hmac_accessor = flag("hmac_accessor", value)?,
                "elide_list_responses" => config.elide_list_responses = flag("elide_list_responses", value)?,
                "format" if value == "json" => {}
                "format" => return Err(ConfigError::Value { option: "format", expected: "json" }),
                _ => return Err(ConfigError::Unknown { option: option.clone() }),
            }
        }
        let expected = "a file's path, \"stdout\" or \"discard\"";
        let path = path
            .filter(|path| !path.is_empty())
            .ok_or(ConfigError::Value { option: "file_path", expected })?;
        config.sink = match path {
            "discard" => Arc::new(Discard),
            "stdout" => Arc::new(Stdout),
            path => Arc::new(
                FileSink::open(Path::new(path), mode)
                    .map_err(|cause| ConfigError::Open { path: path.into(), cause })?,
            ),
        };
        config.description = description.to_owned();
        config.options = options;
        Ok(config)
    }
}

fn flag(option: &'static str, value: &str) -> Result<bool, ConfigError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ConfigError::Value { option, expected: "true or false" }),
    }
}

/// The bits that make a file run are never set (CVE-2025-6000).
fn octal(value: &str) -> Result<u32, ConfigError> {
    let mode = u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777);
    mode.map(|mode| mode & 0o666)
        .ok_or(ConfigError::Value { option: "mode", expected: "octal, such as 0600" })
}

/// Standard output: for a supervisor that collects it.
#[derive(Debug)]
pub struct Stdout;

impl Sink for Stdout {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(line)?;
        out.flush()
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn reopen(&self) -> io::Result<()> {
        Ok(())
    }

    fn tail(&self, _: usize) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// Takes every line and keeps none.
#[derive(Debug)]
pub struct Discard;

impl Sink for Discard {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn write(&self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn reopen(&self) -> io::Result<()> {
        Ok(())
    }

    fn tail(&self, _: usize) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}
