//! A disk in memory that can lose power, fail, and be damaged.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

use super::load::Random;

/// What a disk writes as one.
const SECTOR: usize = 512;

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<Plate>>);

#[derive(Debug, Default)]
struct Plate {
    /// As the process sees it.
    now: Vec<u8>,
    /// As it is after a power cut that loses all it may.
    synced: Vec<u8>,
    unsynced: Vec<Op>,
    /// Calls that succeed before one fails.
    good_calls: Option<u64>,
    /// Whether those after the failed one fail too.
    stays_broken: bool,
    syncs: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Op {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(length) => to.resize(*length, 0),
            Self::Write(at, bytes) => {
                // Beyond the end: the disk has not heard of the file's growth.
                if let Some(place) = to.get_mut(*at..at + bytes.len()) {
                    place.copy_from_slice(bytes);
                }
            }
        }
    }
}

impl Disk {
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Plate { synced: bytes.clone(), now: bytes, ..Plate::default() })))
    }

    /// The bytes as the process sees them.
    pub(super) fn now(&self) -> Vec<u8> {
        self.lock().now.clone()
    }

    /// From now on `good_calls` calls succeed and the next one fails; the ones after it do, or not.
    pub(super) fn fail_after(&self, good_calls: u64, stays_broken: bool) {
        let mut plate = self.lock();
        (plate.good_calls, plate.stays_broken) = (Some(good_calls), stays_broken);
    }

    /// Whether the planned failure has happened.
    pub(super) fn has_failed(&self) -> bool {
        self.lock().good_calls == Some(0)
    }

    /// How often it was synced.
    pub(super) fn syncs(&self) -> u64 {
        self.lock().syncs
    }

    /// What is there after a power cut now: of what was not synced, each sector or not.
    pub(super) fn cut_power(&self, random: &mut Random) -> Self {
        let plate = self.lock();
        let mut left = plate.synced.clone();
        for op in &plate.unsynced {
            match op {
                Op::Length(_) if random.below(2) == 0 => {}
                Op::Length(_) => op.apply(&mut left),
                Op::Write(at, bytes) => {
                    for (sector, bytes) in (0..).zip(bytes.chunks(SECTOR)) {
                        if random.below(2) == 0 {
                            Op::Write(at + sector * SECTOR, bytes.to_vec()).apply(&mut left);
                        }
                    }
                }
            }
        }
        Self::holding(left)
    }

    fn lock(&self) -> MutexGuard<'_, Plate> {
        self.0.lock().unwrap()
    }

    /// Counts a call.
    fn call(&self) -> io::Result<MutexGuard<'_, Plate>> {
        let mut plate = self.lock();
        match plate.good_calls {
            Some(0) if plate.stays_broken => Err(io::Error::other("the disk is broken")),
            Some(1) => {
                plate.good_calls = Some(0);
                Err(io::Error::other("the disk has failed"))
            }
            Some(left) => {
                plate.good_calls = Some(left.saturating_sub(1));
                Ok(plate)
            }
            None => Ok(plate),
        }
    }

    fn change(&self, op: Op) -> io::Result<()> {
        let mut plate = self.call()?;
        op.apply(&mut plate.now);
        plate.unsynced.push(op);
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.call()?.now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let plate = self.call()?;
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let end = at.checked_add(out.len()).ok_or(io::ErrorKind::InvalidInput)?;
        out.copy_from_slice(plate.now.get(at..end).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Op::Length(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let plate = &mut *self.call()?;
        plate.syncs += 1;
        plate.unsynced.drain(..).for_each(|op| op.apply(&mut plate.synced));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Op::Write(offset as usize, data.to_vec()))
    }
}
