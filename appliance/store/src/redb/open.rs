//! Finding, making and checking the file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use arc_swap::ArcSwap;
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableError, TableHandle,
};
use tokio::sync::Semaphore;

use super::RedbStore;
use super::health::{Careful, Fault, Health, caught};
use super::layout::{self, CLUSTER, FORMAT, FORMAT_VERSION, META, NODE, STATE};
use super::options::{FreeSpace, Options};
use super::room::{FileSystemOf, Room};
use super::snapshot::RedbSnapshot;
use super::writer::Writer;
use crate::state::State;

/// Nobody but the daemon's own user reads or writes the file.
const MODE: u32 = 0o600;

/// Why a store does not open, by who is to blame.
#[derive(Debug)]
pub enum OpenError {
    /// The configuration, or a disk that is not mounted: nothing is there and nothing was to be made.
    Missing(PathBuf),
    /// Another process has it open.
    InUse(PathBuf),
    /// The configuration: what is there is not a store of Strongroom's.
    NotAStore(PathBuf),
    /// A newer version of Strongroom has written it.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// The disk, or somebody who changed the file.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        cause: String,
    },
    /// The system: permissions, space, a failing disk.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        cause: io::Error,
    },
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(path) => {
                write!(f, "no store at {}: mount its disk, or correct the path", path.display())
            }
            Self::InUse(path) => {
                write!(f, "the store {} is in use by another process: stop that one first", path.display())
            }
            Self::NotAStore(path) => {
                write!(f, "{} is not a store of Strongroom's: correct the path", path.display())
            }
            Self::Newer { path, format } => write!(
                f,
                "the store {} has format {format}, this version knows {FORMAT_VERSION}: run the newer version again",
                path.display()
            ),
            Self::Damaged { path, cause } => {
                write!(f, "store damaged: restore a backup in the place of {} ({cause})", path.display())
            }
            Self::Io { path, doing, cause } => write!(f, "{doing} {}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl RedbStore {
    /// Opens the store at `path`, or makes it.
    ///
    /// A new file has mode 0600. One that others may read or write is narrowed to that: it holds ciphertext, and to
    /// refuse a backup that was just copied back would help nobody.
    pub fn open(path: &Path, options: Options) -> Result<Arc<Self>, OpenError> {
        let failed = |doing| move |cause| OpenError::Io { path: path.to_owned(), doing, cause };
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && options.create => {
                return create(path, options);
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                return Err(OpenError::Missing(path.to_owned()));
            }
            Err(cause) => return Err(failed("opening")(cause)),
        };
        let found = file.metadata().map_err(failed("reading the mode of"))?;
        if !found.is_file() {
            return Err(OpenError::NotAStore(path.to_owned()));
        }
        if found.len() == 0 {
            // A new store gets its name when it is complete: this one has been emptied.
            return Err(OpenError::Damaged { path: path.to_owned(), cause: "the file is empty".to_owned() });
        }
        if found.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(MODE)).map_err(failed("narrowing the mode of"))?;
        }
        let known = file.try_clone().map_err(failed("opening"))?;
        let database = open_file(file, &options).map_err(|trouble| trouble.at(path))?;
        start(database, known, path, options)
    }
}

/// Makes a store. It gets its name only when it is complete and on the disk, so that what is at `path` is always a
/// whole store or a damaged one.
fn create(path: &Path, options: Options) -> Result<Arc<RedbStore>, OpenError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let failed = |doing| move |cause| OpenError::Io { path: path.to_owned(), doing, cause };
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".new.{}.{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let draft = PathBuf::from(draft);
    // Left by a process with the same number that did not get to the end: never a store.
    let _ = fs::remove_file(&draft);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(&draft);
    let file = file.map_err(failed("making"))?;
    let made = || {
        let known = file.try_clone().map_err(failed("making"))?;
        let database = open_file(file, &options).map_err(|trouble| trouble.at(path))?;
        write_empty(&database).map_err(|fault| Trouble::from(fault).at(path))?;
        // A link, not a renaming: that would replace what another process has just made.
        fs::hard_link(&draft, path).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => OpenError::InUse(path.to_owned()),
            _ => failed("making")(cause),
        })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed("opening the folder of"))?;
        folder.sync_all().map_err(failed("syncing the folder of"))?;
        Ok((database, known))
    };
    let made = made();
    // The draft has its real name by now, or is of no use.
    let _ = fs::remove_file(&draft);
    let (database, known) = made?;
    start(database, known, path, options)
}

/// Why redb does not open it, before a path is known.
enum Trouble {
    InUse,
    NotAStore,
    Newer(u32),
    Damaged(String),
    Io(io::Error),
}

impl Trouble {
    fn at(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::InUse => OpenError::InUse(path),
            Self::NotAStore => OpenError::NotAStore(path),
            Self::Newer(format) => OpenError::Newer { path, format },
            Self::Damaged(cause) => OpenError::Damaged { path, cause },
            Self::Io(cause) => OpenError::Io { path, doing: "opening", cause },
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            // A file that ends too early has been cut.
            Fault::Redb(::redb::Error::Io(cause)) if cause.kind() != io::ErrorKind::UnexpectedEof => {
                Self::Io(cause)
            }
            Fault::Redb(cause) => Self::Damaged(cause.to_string()),
            Fault::Damaged(cause) => Self::Damaged(cause),
        }
    }
}

fn open_file(file: File, options: &Options) -> Result<Arc<Careful<Database>>, Trouble> {
    open_database(FileBackend::new(file).map_err(Trouble::from)?, options)
}

impl From<DatabaseError> for Trouble {
    fn from(cause: DatabaseError) -> Self {
        match cause {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            DatabaseError::UpgradeRequired(_) => Self::NotAStore,
            DatabaseError::Storage(StorageError::Io(cause)) if cause.kind() == io::ErrorKind::InvalidData => {
                Self::NotAStore
            }
            DatabaseError::Storage(cause) => Fault::from(cause).into(),
            cause => Self::Damaged(cause.to_string()),
        }
    }
}

/// The database behind `backend`; an empty one is made a database without tables.
fn open_database(backend: impl StorageBackend, options: &Options) -> Result<Arc<Careful<Database>>, Trouble> {
    let opened = caught(|| {
        let mut builder = Database::builder();
        builder.set_cache_size(options.cache_bytes).set_check_integrity_on_open(options.verify);
        Ok(builder.create_with_backend(backend))
    })?;
    Ok(Arc::new(Careful::new(opened?)))
}

/// The first commit: tables, format and state.
fn write_empty(database: &Careful<Database>) -> Result<(), Fault> {
    caught(|| {
        let mut transaction = database.get()?.begin_write()?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        transaction.open_table(CLUSTER)?;
        transaction.open_table(NODE)?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(FORMAT, FORMAT_VERSION.to_le_bytes().as_slice())?;
            meta.insert(STATE, layout::write_state(&State::default()).as_slice())?;
        }
        Ok(transaction.commit()?)
    })
}

/// What the file says of itself.
fn read_meta(database: &Careful<Database>) -> Result<State, Trouble> {
    let read = caught(|| {
        let transaction = database.get()?.begin_read()?;
        let meta = match transaction.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Err(Trouble::NotAStore)),
            Err(cause) => return Err(cause.into()),
        };
        let missing = |row: &str| Fault::Damaged(format!("no row {row:?} in table {:?}", META.name()));
        let format = meta.get(FORMAT)?.ok_or_else(|| missing(FORMAT))?;
        let format = format.value().try_into().map_err(|_| missing(FORMAT))?;
        match u32::from_le_bytes(format) {
            FORMAT_VERSION => {}
            0 => return Err(missing(FORMAT)),
            newer => return Ok(Err(Trouble::Newer(newer))),
        }
        let state = meta.get(STATE)?.ok_or_else(|| missing(STATE))?;
        layout::read_state(state.value()).map(Ok)
    });
    read?
}

/// Puts the writer to work.
fn start(
    database: Arc<Careful<Database>>,
    file: File,
    path: &Path,
    options: Options,
) -> Result<Arc<RedbStore>, OpenError> {
    let free_space = Box::new(FileSystemOf(file));
    run(database, free_space, options).map_err(|trouble| trouble.at(path))
}

fn run(
    database: Arc<Careful<Database>>,
    free_space: Box<dyn FreeSpace>,
    options: Options,
) -> Result<Arc<RedbStore>, Trouble> {
    let Options { batch_bytes, queue: capacity, gather, reserve, on_poison, .. } = options;
    let state = read_meta(&database)?;
    let health = Arc::new(Health::new(on_poison));
    let snapshot = caught(|| RedbSnapshot::take(&database, state, &health))?;
    let current = Arc::new(ArcSwap::from_pointee(snapshot));
    // tokio's own limit is half of usize; a queue of no places would wait for ever.
    let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(capacity));
    let (sender, receiver) = mpsc::channel();
    let writer = Writer {
        database,
        health: Arc::clone(&health),
        current: Arc::clone(&current),
        queue: receiver,
        places: Arc::clone(&places),
        capacity,
        gather,
        most_bytes: batch_bytes,
        room: Room::new(options.free_space.unwrap_or(free_space), reserve),
        state,
        likely: 1,
    };
    let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || writer.run());
    let thread = thread.map_err(Trouble::Io)?;
    Ok(Arc::new(RedbStore {
        current,
        health,
        batch_bytes,
        places,
        queue: Some(sender),
        writer: Some(thread),
    }))
}

#[cfg(test)]
impl RedbStore {
    /// A store behind `backend`, which holds one or nothing.
    pub(super) fn behind(backend: impl StorageBackend, options: Options) -> Result<Arc<Self>, OpenError> {
        let path = Path::new("(test)");
        let is_new = backend.len().map_err(|cause| Trouble::Io(cause).at(path))? == 0;
        let database = open_database(backend, &options).map_err(|trouble| trouble.at(path))?;
        if is_new {
            write_empty(&database).map_err(|fault| Trouble::from(fault).at(path))?;
        }
        let file = tempfile::tempfile().map_err(|cause| Trouble::Io(cause).at(path))?;
        start(database, file, path, options)
    }
}
