//! What a person types.

mod alerts;
mod client;
mod demo;
mod drain;
mod incidents;
mod reload;
mod reopen;
mod silence;
mod status;
mod upgrade;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use log::LevelFilter;

use self::client::Target;
use crate::reload::{LoadError, Source};
use crate::server::{self, Beginning, ServerError};
use crate::terminal;

/// Where the configuration is looked for when nobody says.
const FILES: [&str; 2] = ["conf/bookend.yaml", "/etc/bookend/bookend.yaml"];

/// An edge proxy that keeps a site standing when a server falls.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP reloads the configuration
    Run(Run),
    /// Check a configuration and report every problem in it
    Check(File),
    /// Show how a running bookend is; ends with 0 if all is well, with 1 if not
    Status(status::Wanted),
    /// Let a running bookend read its configuration again, and wait for the outcome
    Reload(reload::Wanted),
    /// Let a new bookend, as it is on the disk now, take over from a running one, without a dropped request
    Upgrade(Target),
    /// See what it does: two servers of its own under load, of which one is killed and one forgotten
    Demo(demo::Wanted),
    #[command(hide = true)]
    DemoNode(demo::Node),
    /// Tell what happened: a list of incidents, or the post-mortem of one
    Incidents(incidents::Wanted),
    /// Keep new work from a node for a while; what it has it finishes
    Drain(drain::Drain),
    /// Let a drained node come back before its time
    Undrain(drain::Undrain),
    /// Keep a drained node out for longer, or for less
    Renew(drain::Renew),
    /// Tell nobody of the alarms of a pool for a while
    Silence(silence::Begin),
    /// Tell of the alarms of a pool again
    Unsilence(silence::End),
    /// Who is told of alarms
    Alerts(alerts::Alerts),
    /// Let a running bookend open its access log anew, after the file has been moved away
    Reopen(Target),
}

#[derive(Debug, Args)]
struct File {
    /// The configuration file [default: conf/bookend.yaml, then /etc/bookend/bookend.yaml]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    file: File,
    /// Without a file: the address that clients connect to
    #[arg(long, value_name = "ADDR", requires = "to", conflicts_with = "config")]
    listen: Option<SocketAddr>,
    /// Without a file: a node; may be given more than once
    #[arg(long, value_name = "ADDR", requires = "listen")]
    to: Vec<String>,
    /// End, as after SIGTERM, when whoever holds the other end of the standard input has ended
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
    /// Take over from the bookend at the other end of the standard input
    #[arg(long, hide = true, conflicts_with = "until_stdin_ends")]
    take_over: bool,
}

/// Runs the command that was typed and says how the process ends: 0 done, 1 failed, 2 wrong usage or configuration.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Run(run) => serve(run),
        Command::Check(file) => check(&file),
        Command::Status(wanted) => return told(status::run(&wanted)),
        Command::Reload(wanted) => return told(reload::run(&wanted)),
        Command::Upgrade(target) => return told(upgrade::run(&target)),
        Command::Demo(wanted) => return told(demo::run(&wanted)),
        Command::DemoNode(node) => return told(demo::serve_node(&node)),
        Command::Incidents(wanted) => return told(incidents::run(&wanted)),
        Command::Drain(wanted) => return told(drain::drain(&wanted)),
        Command::Undrain(wanted) => return told(drain::undrain(&wanted)),
        Command::Renew(wanted) => return told(drain::renew(&wanted)),
        Command::Silence(wanted) => return told(silence::begin(&wanted)),
        Command::Unsilence(wanted) => return told(silence::end(&wanted)),
        Command::Alerts(wanted) => return told(alerts::run(&wanted)),
        Command::Reopen(target) => return told(reopen::run(&target)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(if is_configuration(&error) { 2 } else { 1 })
        }
    }
}

/// The end of a command that talks to a running bookend: what is in its way is no configuration of ours.
fn told(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    })
}

fn serve(run: Run) -> anyhow::Result<()> {
    start_log();
    if run.until_stdin_ends {
        demo::stop_when_stdin_ends()?;
    }
    let source = match run.listen {
        Some(listen) => Source::Text(shortest(listen, &run.to)),
        None => source(&run.file)?,
    };
    let beginning = if run.take_over { Beginning::TakeOver } else { Beginning::Alone };
    Ok(server::run(source, beginning)?)
}

fn check(file: &File) -> anyhow::Result<()> {
    let source = source(file)?;
    let config = source.load(None)?.in_date()?.config;
    let nodes: usize = config.pools.values().map(|pool| pool.nodes.len()).sum();
    say(&format!(
        "{}: ok ({}, {}, {}, {})",
        source.name(),
        terminal::counted(config.listeners.len() as u64, "listener"),
        terminal::counted(config.routes.len() as u64, "route"),
        terminal::counted(config.pools.len() as u64, "pool"),
        terminal::counted(nodes as u64, "node"),
    ));
    Ok(())
}

fn source(file: &File) -> anyhow::Result<Source> {
    if let Some(path) = &file.config {
        return Ok(Source::File(path.clone()));
    }
    let found = FILES.iter().map(PathBuf::from).find(|path| path.exists());
    let missing = || format!("there is neither {} nor {}; name a file with -c", FILES[0], FILES[1]);
    found.map(Source::File).with_context(missing)
}

/// The configuration of `--listen` and `--to`. Every value is quoted, so that none can be more than a value.
fn shortest(listen: SocketAddr, nodes: &[String]) -> String {
    let mut text = format!(
        "listeners: [{{address: \"{listen}\"}}]\nroutes: [{{pool: nodes}}]\npools:\n  nodes:\n    nodes:\n"
    );
    for node in nodes {
        text.push_str(&format!("      - {{address: '{}'}}\n", node.replace('\'', "''")));
    }
    text
}

/// The process log: ours from `info` up, Pingora's own only when `RUST_LOG` asks for it, since every failure that it
/// reports is reported by us with what came of it.
fn start_log() {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(LevelFilter::Info);
    for module in ["pingora", "pingora_core", "pingora_proxy", "pingora_load_balancing", "pingora_runtime"] {
        builder.filter_module(module, LevelFilter::Off);
    }
    builder.parse_default_env().format_target(false).format_timestamp_millis().init();
}

fn is_configuration(error: &anyhow::Error) -> bool {
    let load = error.downcast_ref::<LoadError>().or_else(|| match error.downcast_ref::<ServerError>() {
        Some(ServerError::Load(load)) => Some(load),
        _ => None,
    });
    match load {
        Some(load) => matches!(load, LoadError::Problems(_) | LoadError::Read { .. }),
        None => error.downcast_ref::<ServerError>().is_none(),
    }
}

/// Says it to whoever reads it; one who has read enough (`| head`) is no error.
fn say(text: &str) {
    match writeln!(io::stdout(), "{text}") {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => complain_of(&format!("writing: {why}")),
        Ok(()) | Err(_) => {}
    }
}

fn complain(error: &anyhow::Error) {
    complain_of(&format!("{error:#}"));
}

#[expect(clippy::print_stderr, reason = "this is where the program speaks to people")]
fn complain_of(text: &str) {
    eprintln!("{text}");
}
