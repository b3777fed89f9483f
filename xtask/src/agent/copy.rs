//! A copy of the agent's program, whose pages cost its processes less.
//!
//! Each process of a scenario is forked, and finds none of the program mapped that it runs. How much one page fault then brings is a
//! matter of how the kernel keeps the file: what was written at once lies in one large folio (ext4 since Linux 6.16, XFS, Btrfs), which is
//! mapped and unmapped as one. Linkers write their output page by page. Run from a copy that is written in large pieces, the suite takes a
//! tenth less processor time.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// The folder of the copy, beside the program.
const FOLDER: &str = "agent";

/// How much is written at once: bytes.
const PIECE: usize = 256 * 1024;

/// The copy of a program, made anew where the program is another than that which was copied; the program itself where no copy can be
/// made.
pub(super) fn in_large_pieces(program: &Path) -> PathBuf {
    copy(program).unwrap_or_else(|_| program.to_owned())
}

fn copy(program: &Path) -> io::Result<PathBuf> {
    let place = program.with_file_name(FOLDER).join(program.file_name().unwrap_or_default());
    let original = fs::metadata(program)?;
    if fs::metadata(&place).is_ok_and(|copy| is_copy_of(&copy, &original)) {
        return Ok(place);
    }
    let folder = program.with_file_name(FOLDER);
    fs::create_dir_all(&folder)?;
    // Whoever runs the last copy keeps it: a new one takes its name when it is whole.
    let mut next = NamedTempFile::new_in(&folder)?;
    let from = File::open(program)?;
    let mut piece = Vec::with_capacity(PIECE);
    while (&from).take(PIECE as u64).read_to_end(&mut piece)? > 0 {
        next.write_all(&piece)?;
        piece.clear();
    }
    next.as_file().set_permissions(original.permissions())?;
    next.as_file().set_modified(original.modified()?)?;
    // Closed before it has its name: a program that somebody writes to cannot be started.
    next.into_temp_path().persist(&place)?;
    Ok(place)
}

/// Whether a copy is of the program as it is now: it has its length, and its time to the nanosecond.
fn is_copy_of(copy: &Metadata, original: &Metadata) -> bool {
    let times = copy.modified().ok().zip(original.modified().ok());
    copy.is_file() && copy.len() == original.len() && times.is_some_and(|(copy, original)| copy == original)
}

#[cfg(test)]
mod tests {
    use super::{FOLDER, PIECE, in_large_pieces};
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::{Path, PathBuf},
    };

    /// A program of this many bytes that differ.
    fn program(folder: &Path, bytes: usize, first: u8) -> PathBuf {
        let program = folder.join("program");
        let bytes: Vec<u8> = (0..=250).cycle().take(bytes).map(|byte: u8| byte ^ first).collect();
        fs::write(&program, bytes).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    #[test]
    fn a_copy_is_a_program_like_the_first() {
        let folder = tempfile::tempdir().unwrap();
        for bytes in [1, PIECE, 2 * PIECE + 1] {
            let program = program(folder.path(), bytes, 7);
            let copy = in_large_pieces(&program);
            assert_ne!(copy, program);
            assert_eq!(fs::read(&copy).unwrap(), fs::read(&program).unwrap());
            assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o755);
        }
    }

    #[test]
    fn it_is_made_anew_when_the_program_was_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let copy = in_large_pieces(&program(folder.path(), 1000, 1));
        let first = fs::metadata(&copy).unwrap().ino();
        assert_eq!(in_large_pieces(&folder.path().join("program")), copy);
        assert_eq!(fs::metadata(&copy).unwrap().ino(), first);
        // As long as the first, and older: as when an earlier build is taken up again.
        let other = program(folder.path(), 1000, 2);
        let earlier = fs::metadata(&copy).unwrap().modified().unwrap() - std::time::Duration::from_secs(60);
        fs::File::options().write(true).open(&other).unwrap().set_modified(earlier).unwrap();
        assert_eq!(in_large_pieces(&other), copy);
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&other).unwrap());
    }

    #[test]
    fn where_there_is_no_room_for_a_copy_the_program_itself_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), 1000, 3);
        fs::write(folder.path().join(FOLDER), "no folder").unwrap();
        assert_eq!(in_large_pieces(&program), program);
    }
}
