//! Where the state is kept that nobody has given a directory.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The directories that may hold the state where nobody says, best first.
///
/// `$STATE_DIRECTORY` is what systemd gives a service, which is `/var/lib/bookend` to those who look for it without that;
/// `$XDG_RUNTIME_DIR/bookend` is for a user, and one below the directory for temporary files for everybody.
pub fn usual_state_dirs() -> Vec<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = geteuid();
    let of_service = PathBuf::from("/var/lib/bookend");
    let of_user = from("XDG_RUNTIME_DIR").map(|directory| directory.join("bookend"));
    let of_all = std::env::temp_dir().join(format!("bookend-{}", user.as_raw()));
    [from("STATE_DIRECTORY"), Some(of_service), of_user, Some(of_all)].into_iter().flatten().collect()
}

/// Makes a directory that only we can read, and those above it, unless it is there.
pub fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// [`make`] for a directory that nobody has chosen: it must be ours, or anybody could have put something there.
pub fn make_ours(directory: &Path) -> io::Result<()> {
    make(directory)?;
    let found = std::fs::symlink_metadata(directory)?;
    if !found.is_dir() {
        return Err(io::Error::other("it is no directory"));
    }
    if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
        return Err(io::Error::other("others can write there"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn directory_that_others_can_change_is_not_used() {
        let base = std::env::temp_dir().join(format!("bookend-place-{}", std::process::id()));
        let (ours, theirs, link) = (base.join("a/b"), base.join("c"), base.join("d"));
        assert!(make_ours(&ours).is_ok());
        assert_eq!(std::fs::metadata(&ours).unwrap().mode() & 0o777, 0o700);
        std::fs::create_dir(&theirs).unwrap();
        std::fs::set_permissions(&theirs, PermissionsExt::from_mode(0o777)).unwrap();
        assert!(make_ours(&theirs).is_err());
        symlink(&ours, &link).unwrap();
        assert!(make_ours(&link).is_err());
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn there_is_always_some_directory() {
        assert!(usual_state_dirs().iter().all(|directory| directory.is_absolute()));
        assert!(!usual_state_dirs().is_empty());
    }
}
