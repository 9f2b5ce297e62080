//! Where a line for each request goes.

use std::path::PathBuf;

use super::read::Value;

/// A line for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Where the lines go.
    pub destination: LogDestination,
    /// What a line looks like.
    pub format: LogFormat,
}

/// Where the lines of a log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDestination {
    /// The standard output of the process.
    Stdout,
    /// The end of this file.
    File(PathBuf),
}

/// What a line of the access log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// A JSON object with all that is known of the request.
    #[default]
    Json,
    /// Apache's combined format, which every log analyser reads.
    Combined,
}

/// The word that stands for the standard output; a file of that name is `./stdout`.
const STDOUT: &str = "stdout";

/// Reads the settings of the access log; `Some(None)` is `off`.
pub(super) fn read(value: Value<'_>) -> Option<Option<AccessLog>> {
    const WHAT: &str = "a mapping like `{path: /var/log/bookend/access.log}`";
    const EXAMPLE: &str = "add it, as in `path: /var/log/bookend/access.log` or `path: stdout`";
    const FORMATS: [(&str, LogFormat); 2] = [("json", LogFormat::Json), ("combined", LogFormat::Combined)];
    value.or_off(WHAT, |value| {
        value.fields(WHAT, |fields| {
            let path = fields.require("path", EXAMPLE, |v| v.file_path());
            let format = fields.read_or("format", LogFormat::default, |v| v.one_of("a format", &FORMATS));
            Some(AccessLog { destination: destination(path?), format: format? })
        })?
    })
}

fn destination(path: PathBuf) -> LogDestination {
    if path.as_os_str() == STDOUT { LogDestination::Stdout } else { LogDestination::File(path) }
}
