//! Files that are read whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::Failure;

/// The most that is read of a file: many times what a device_info.json, a password or a chain of
/// certificates takes.
const MAXIMUM_BYTES: u64 = 1024 * 1024;

/// Reads a file. Its content is wiped when it goes: there can be a secret in it.
///
/// # Errors
///
/// [`FailureKind::InputFile`](crate::failure::FailureKind::InputFile): it cannot be read, or is
/// larger than 1 MiB.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut content = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| {
        // Room for all of it at once: a buffer that grows leaves copies behind.
        let size = file.metadata()?.len().min(MAXIMUM_BYTES);
        content.reserve_exact(usize::try_from(size).unwrap_or_default());
        // A byte more than is allowed: a device such as /dev/zero tells no length.
        file.take(MAXIMUM_BYTES + 1).read_to_end(&mut content)
    });
    match read {
        Err(error) => Err(Failure::input_file(
            path,
            format_args!("cannot read it: {error}"),
        )),
        Ok(length) if length as u64 > MAXIMUM_BYTES => {
            Err(Failure::input_file(path, "it is larger than 1 MiB"))
        }
        Ok(_) => Ok(content),
    }
}
