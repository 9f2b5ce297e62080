//! Keys by which something is signed, kept in files.
//!
//! A key is 32 bytes, written as 64 hexadecimal digits on a line, as `openssl rand -hex 32` does. bookend's own is made once
//! and lies in the state directory; one that several bookends share is a file that a person names.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::directory::{make, make_ours, usual_state_dirs};

/// Bytes of a key.
const LENGTH: usize = 32;

/// More than any file has that holds a key.
const LARGEST: u64 = 1024;

/// Where bookend keeps its own.
const FILE: &str = "sticky.key";

/// A key that nobody gets to see.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; LENGTH]);

/// What went wrong with bookend's own key; there is one in any case.
#[derive(Debug)]
pub enum KeyTrouble {
    /// What lay there was no key; it lies elsewhere now, and there is a new one.
    SetAside {
        /// Where it lies.
        path: PathBuf,
    },
    /// The key could not be kept, so the next process will have another one.
    NotKept {
        /// Where it should have been.
        path: PathBuf,
        /// Why it is not.
        why: io::Error,
    },
}

impl Secret {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the key in a file that a person named. Blocks on the file system.
    ///
    /// # Errors
    ///
    /// If it cannot be read or holds no key.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut text = String::new();
        File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
        parse(text.trim()).ok_or_else(|| {
            let what = "it does not hold a key, 64 hexadecimal digits: write one with `openssl rand -hex 32`";
            io::Error::new(io::ErrorKind::InvalidData, what)
        })
    }

    /// bookend's own key, from `state_dir` or the usual directory, made if there is none. Blocks on the file system.
    ///
    /// Whatever is wrong there, there is a key.
    ///
    /// # Errors
    ///
    /// Only if the system has no chance to make a key of.
    pub fn own(state_dir: Option<&Path>) -> io::Result<(Self, Option<KeyTrouble>)> {
        let directory = match state_dir {
            Some(directory) => make(directory).map(|()| directory.to_owned()),
            None => usual(),
        };
        let path = directory.as_deref().unwrap_or(Path::new("")).join(FILE);
        let kept = directory.and_then(|_| Self::kept_or_made(&path));
        match kept {
            Ok(found) => Ok(found),
            Err(why) => Ok((Self::made()?, Some(KeyTrouble::NotKept { path, why }))),
        }
    }

    fn kept_or_made(path: &Path) -> io::Result<(Self, Option<KeyTrouble>)> {
        let mut trouble = None;
        match Self::read(path) {
            Ok(kept) => return Ok((kept, None)),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) if why.kind() == io::ErrorKind::InvalidData => {
                let aside = path.with_extension("key.damaged");
                fs::rename(path, &aside)?;
                trouble = Some(KeyTrouble::SetAside { path: aside });
            }
            Err(why) => return Err(why),
        }
        let made = Self::made()?;
        match made.keep(path) {
            Ok(()) => Ok((made, trouble)),
            // Another bookend was faster; its key is as good.
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok((Self::read(path)?, trouble)),
            Err(why) => Err(why),
        }
    }

    /// Writes the key to `path`, whole at once and for us alone, unless something lies there.
    fn keep(&self, path: &Path) -> io::Result<()> {
        // Another bookend may do the same at this moment.
        let new = path.with_extension(format!("key.{:x}", fastrand::u64(..)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        let written = writeln!(file, "{}", self.to_hex()).and_then(|()| file.sync_all());
        let linked = written.and_then(|()| fs::hard_link(&new, path));
        fs::remove_file(&new)?;
        linked
    }

    fn made() -> io::Result<Self> {
        let mut bytes = [0; LENGTH];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(bytes))
    }

    fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Says nothing of the key: it must not get into a log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Display for KeyTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { path } => {
                write!(f, "the key was damaged, and there is a new one; the old file is {}", path.display())
            }
            Self::NotKept { path, why } => {
                write!(f, "the key cannot be kept in {}, so a restart has another one: {why}", path.display())
            }
        }
    }
}

/// The first of the usual directories that can be made or is bookend's own.
fn usual() -> io::Result<PathBuf> {
    let mut last = io::Error::other("there is no directory for the state");
    for directory in usual_state_dirs() {
        match make_ours(&directory) {
            Ok(()) => return Ok(directory),
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn parse(digits: &str) -> Option<Secret> {
    let mut bytes = [0; LENGTH];
    if digits.len() != 2 * LENGTH {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.contains('+'))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(Secret(bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("bookend-secret-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        directory
    }

    fn own(directory: &Path) -> (Secret, Option<KeyTrouble>) {
        Secret::own(Some(directory)).unwrap()
    }

    #[test]
    fn key_is_made_once_and_for_us_alone() {
        let directory = directory("once");
        let (made, trouble) = own(&directory);
        assert!(trouble.is_none());
        assert_eq!(own(&directory).0, made);
        let file = directory.join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(Secret::read(&file).unwrap(), made);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left behind");
        assert_eq!(format!("{made:?}"), "Secret");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn damaged_key_is_set_aside() {
        let directory = directory("damaged");
        make(&directory).unwrap();
        let file = directory.join(FILE);
        for damage in [&b""[..], b"abc", &[0xff; 64], &[b'+'; 64], &[b'0'; 65], &[b'x'; 64]] {
            fs::write(&file, damage).unwrap();
            let (new, trouble) = own(&directory);
            assert!(
                matches!(&trouble, Some(KeyTrouble::SetAside { path }) if fs::read(path).unwrap() == damage)
            );
            assert_eq!(Secret::read(&file).unwrap(), new);
            assert!(own(&directory).1.is_none());
        }
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn key_that_cannot_be_kept_is_a_key_all_the_same() {
        let base = directory("unkept");
        make(&base).unwrap();
        let file = base.join("file");
        fs::write(&file, "precious").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let (one, trouble) = own(&file);
        assert!(matches!(trouble, Some(KeyTrouble::NotKept { .. })));
        assert_ne!(own(&file).0, one);
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn two_that_make_a_key_at_once_have_the_same() {
        let directory = directory("race");
        make(&directory).unwrap();
        let found: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| own(&directory).0)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let kept = Secret::read(&directory.join(FILE)).unwrap();
        assert!(found.iter().all(|found| *found == kept));
        assert_eq!(own(&directory).0, kept);
        fs::remove_dir_all(&directory).unwrap();
    }
}
