//! Asking a running bookend, over its socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{FILES, File, complain_of};
use crate::admin::{self, Answer, Problem};
use crate::config::{LARGEST_FILE, Whereabouts};
use crate::state::usual_state_dirs;

/// How long an answer may take: a little longer than bookend waits for a reload itself.
const PATIENCE: Duration = Duration::from_secs(35);

/// Which bookend is meant.
#[derive(Debug, Args)]
pub(super) struct Target {
    #[command(flatten)]
    file: File,
    /// Its socket [default: the one in the configuration, then the usual one]
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
}

/// What an answer says was done; `None` if it was refused, which is said.
pub(super) fn done<T: DeserializeOwned>(answer: &Answer) -> anyhow::Result<Option<T>> {
    if answer.status.is_success() {
        return Ok(Some(serde_json::from_slice(&answer.body).context("understanding the answer")?));
    }
    let problem: Problem = serde_json::from_slice(&answer.body).context("understanding the answer")?;
    complain_of(&problem.detail);
    Ok(None)
}

impl Target {
    /// Sends a request without a body and returns the answer.
    pub(super) fn ask(&self, method: &Method, path: &str) -> anyhow::Result<Answer> {
        self.exchange(method, path, Vec::new())
    }

    /// Posts an object of JSON and returns the answer.
    pub(super) fn send(&self, path: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        self.exchange(&Method::POST, path, body)
    }

    /// Posts an object and returns what was done; `None` if it was refused, which is said.
    pub(super) fn order<T: DeserializeOwned>(
        &self,
        path: &str,
        object: &impl Serialize,
    ) -> anyhow::Result<Option<T>> {
        let body = serde_json::to_vec(object).context("writing the request")?;
        done(&self.send(path, body)?)
    }

    fn exchange(&self, method: &Method, path: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting a runtime")?;
        runtime.block_on(async {
            match tokio::time::timeout(PATIENCE, self.exchange_now(method, path, body)).await {
                Ok(answer) => answer,
                Err(_) => bail!("bookend did not answer within {PATIENCE:?}"),
            }
        })
    }

    async fn exchange_now(&self, method: &Method, path: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let stream = self.connect().await?;
        Ok(admin::send(stream, method, path, body).await?)
    }

    async fn connect(&self) -> anyhow::Result<UnixStream> {
        let mut refused = None;
        for path in self.sockets()? {
            match UnixStream::connect(&path).await {
                Ok(stream) => return Ok(stream),
                // One that is there says more than one that is not.
                Err(why) if refused.is_none() || why.kind() != io::ErrorKind::NotFound => {
                    refused = Some((path, why));
                }
                Err(_) => {}
            }
        }
        let Some((path, why)) = refused else { bail!("the configuration says `admin.socket: off`") };
        let help = match why.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => "; is bookend running?",
            io::ErrorKind::PermissionDenied => "; only root and the user that bookend runs as may",
            _ => "",
        };
        Err(why).with_context(|| format!("no bookend answers at {}{help}", path.display()))
    }

    /// Where the socket may be, best first.
    fn sockets(&self) -> anyhow::Result<Vec<PathBuf>> {
        if let Some(socket) = &self.socket {
            return Ok(vec![socket.clone()]);
        }
        let whereabouts = self.whereabouts()?;
        let state_dirs = whereabouts.state_dir.clone().map_or_else(usual_state_dirs, |known| vec![known]);
        Ok(state_dirs.iter().filter_map(|directory| whereabouts.socket(directory)).collect())
    }

    /// What the file says, if there is one; it need not be a configuration any more.
    fn whereabouts(&self) -> anyhow::Result<Whereabouts> {
        if let Some(path) = &self.file.config {
            let read = read(path).with_context(|| format!("reading {}", path.display()));
            return Ok(Whereabouts::glimpse(&read?));
        }
        let found = FILES.iter().find_map(|path| read(Path::new(path)).ok());
        Ok(found.map(|bytes| Whereabouts::glimpse(&bytes)).unwrap_or_default())
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST_FILE as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
