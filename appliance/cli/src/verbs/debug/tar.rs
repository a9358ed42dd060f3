//! One file out of several, as `tar` reads it (POSIX ustar).

use super::File;

const BLOCK: usize = 512;

/// The archive. `time` is in seconds.
pub fn archive(files: &[File], time: i64) -> Vec<u8> {
    let mut out = Vec::new();
    for file in files {
        out.extend(header(&file.name, file.bytes.len(), time));
        out.extend(&file.bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    // Two empty blocks end it.
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

fn header(name: &str, size: usize, time: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        let end = out.len() + width;
        out.extend(text.bytes().take(width));
        out.resize(end, 0);
    };
    field(name, 100);
    field("0000600", 8); // only the owner reads it
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{size:011o}"), 12);
    field(&format!("{time:011o}"), 12);
    field("        ", 8); // the sum of all bytes, counted with spaces in its own place
    field("0", 1);
    field("", 100);
    field("ustar", 6);
    field("00", 2);
    field("", BLOCK - 265);
    let sum: u32 = out.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = out.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    out
}
