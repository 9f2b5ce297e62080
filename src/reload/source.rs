//! What is loaded: a file or text, and what it names.

use std::error::Error;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::clock;
use crate::config::{self, Config, Problems};
use crate::drain::Loss;
use crate::generation::BuildError;
use crate::listen::BindError;
use crate::observe::OpenError;
use crate::tls::Tls;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file, read anew at every reload.
    File(PathBuf),
    /// Text that was put together from the command line.
    Text(String),
}

/// Why a configuration did not come into force. The one before it still is.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("reading {file}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// There are problems in it.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// It could not be compiled.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The access log could not be opened.
    #[error(transparent)]
    AccessLog(#[from] OpenError),
    /// A pool would have too few nodes that can serve, or lose some that the rest cannot do without.
    #[error(transparent)]
    Loss(#[from] Loss),
    /// The operator's side cannot follow.
    #[error(transparent)]
    Operators(Box<dyn Error + Send + Sync>),
}

impl Source {
    /// The source as people know it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Text(_) => "command line".to_owned(),
        }
    }

    /// Reads and checks the configuration, and the certificates that it names; `in_use` are those of the one in force.
    ///
    /// Blocks on the file system.
    pub fn load(&self, in_use: Option<&Tls>) -> Result<Loaded, LoadError> {
        let bytes = match self {
            Self::File(path) => read(path).map_err(|source| LoadError::Read { file: self.name(), source })?,
            Self::Text(text) => text.as_bytes().to_vec(),
        };
        let name = self.name();
        let config = config::parse(&name, &bytes)?;
        let tls = Tls::load(&config, in_use).map_err(|faults| config::locate(&name, &bytes, faults))?;
        let out_of_date = tls.out_of_date(&config, in_use, clock::wall());
        let out_of_date = (!out_of_date.is_empty()).then(|| config::locate(&name, &bytes, out_of_date));
        Ok(Loaded { config, tls, out_of_date })
    }
}

/// A configuration that was read, with what it names.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// How its listeners speak TLS.
    pub tls: Tls,
    /// Certificates that are not good now and were not in use before.
    pub out_of_date: Option<Problems>,
}

impl Loaded {
    /// Refuses certificates that are not good now.
    pub fn in_date(self) -> Result<Self, LoadError> {
        match self.out_of_date {
            Some(problems) => Err(problems.into()),
            None => Ok(self),
        }
    }
}

/// Reads a file, but no more of it than a configuration can have and one byte, so that `/dev/zero` is merely too long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(config::LARGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An error with its causes.
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Each reason by itself, on one line.
pub(super) fn each(why: &LoadError) -> Vec<String> {
    let line = |text: String| text.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    match why {
        LoadError::Problems(problems) => problems.iter().map(|problem| line(problem.to_string())).collect(),
        other => vec![line(in_full(other))],
    }
}
