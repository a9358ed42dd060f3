//! The sink that is a file.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Sink;

/// A regular file that lines are appended to.
///
/// Whole lines only: what a full disk has cut off is closed with a line end before the next line, also when the file
/// is opened. Such a piece is not a line that was accepted; the accepted ones are complete.
pub struct FileSink {
    path: PathBuf,
    mode: u32,
    state: Mutex<State>,
}

struct State {
    file: Arc<File>,
    /// The last bytes written are a piece of a line.
    open_line: bool,
    /// A sync has failed.
    broken: bool,
}

impl FileSink {
    /// Read and write for the owner only.
    pub const MODE: u32 = 0o600;

    /// Opens or makes the file at `path`. A mode of 0 leaves that of a file that is already there.
    pub fn open(path: &Path, mode: u32) -> io::Result<Self> {
        let (file, open_line) = open(path, mode)?;
        let state = State { file: Arc::new(file), open_line, broken: false };
        Ok(Self { path: path.to_owned(), mode, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with the file that is now at the path.
    fn replace(&self, state: &mut State) -> io::Result<()> {
        let (file, open_line) = open(&self.path, self.mode)?;
        state.file = Arc::new(file);
        state.open_line = open_line;
        Ok(())
    }
}

impl Sink for FileSink {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn write(&self, lines: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if state.broken {
            return Err(lost());
        }
        let file = Arc::clone(&state.file);
        if state.open_line {
            append(&file, b"\n").map_err(|(_, cause)| cause)?;
            state.open_line = false;
        }
        append(&file, lines).map_err(|(written, cause)| {
            // Of two lines the first may be whole.
            state.open_line = lines.get(..written).and_then(<[u8]>::last).is_some_and(|last| *last != b'\n');
            cause
        })
    }

    fn sync(&self) -> io::Result<()> {
        let file = {
            let state = self.state();
            if state.broken {
                return Err(lost());
            }
            Arc::clone(&state.file)
        };
        // Without the lock: writers go on while the disk works.
        if let Err(cause) = file.sync_data() {
            self.state().broken = true;
            return Err(cause);
        }
        // Whoever has deleted the file has deleted its lines; the next ones must not go there as well.
        if file.metadata()?.nlink() == 0 {
            let mut state = self.state();
            if Arc::ptr_eq(&state.file, &file) {
                self.replace(&mut state)?;
            }
        }
        Ok(())
    }

    fn reopen(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.broken {
            return Err(lost());
        }
        if let Err(cause) = state.file.sync_data() {
            state.broken = true;
            return Err(cause);
        }
        self.replace(&mut state)
    }

    fn tail(&self, bytes: usize) -> io::Result<Vec<u8>> {
        let file = Arc::clone(&self.state().file);
        let length = file.metadata()?.len();
        let count = length.min(bytes.try_into().unwrap_or(u64::MAX));
        let mut tail = vec![0; usize::try_from(count).map_err(io::Error::other)?];
        file.read_exact_at(&mut tail, length - count)?;
        Ok(tail)
    }
}

/// All of `bytes`, or how many were written and why not more.
fn append(mut file: &File, mut bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let whole = bytes.len();
    while !bytes.is_empty() {
        let written = whole - bytes.len();
        match file.write(bytes) {
            Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
            Err(cause) => return Err((written, cause)),
        }
    }
    Ok(())
}

/// The file, and whether its last line has no end.
fn open(path: &Path, mode: u32) -> io::Result<(File, bool)> {
    let made_with = if mode == 0 { FileSink::MODE } else { mode };
    // A link could lead anywhere, and a pipe without a reader would stop every request.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let is_new = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(made_with)
        .custom_flags(flags)
        .open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if mode != 0 && about.permissions().mode() & 0o777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    if is_new {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    let mut last = [b'\n'];
    if let Some(at) = about.len().checked_sub(1) {
        file.read_exact_at(&mut last, at)?;
    }
    Ok((file, last != [b'\n']))
}

fn lost() -> io::Error {
    io::Error::other("the disk has lost lines that were written: replace it and start the server again")
}
