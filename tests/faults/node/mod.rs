//! A node: a web server in a process of its own, which behaves as it is told on its standard input.
//!
//! It ends when that input ends, so that no node outlives the harness.

mod behaviour;
mod call;
mod diary;
mod door;
mod exchange;
mod multiplexed;
mod order;
mod works;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

pub(crate) use behaviour::Behaviour;
pub(crate) use diary::{Diary, Entry, Event, read as read_diary};
pub(crate) use order::{Order, Place};
#[allow(unused_imports, reason = "the incident tells nodes what to do when they are overfilled")]
pub(crate) use works::{Overfilled, Works};

use door::Door;
use works::Plant;

/// What the connections of a node share.
pub(crate) struct Node {
    name: String,
    diary: Diary,
    behaviour: watch::Sender<Behaviour>,
    plant: Plant,
}

/// Runs the node `NAME ADDRESS DIARY BEHAVIOUR`, and returns when its standard input has ended.
pub(crate) fn run(arguments: &[String]) {
    let [name, address, diary, behaviour] = arguments else { panic!("NAME ADDRESS DIARY BEHAVIOUR") };
    let behaviour = serde_json::from_str(behaviour).unwrap();
    let node = Arc::new(Node {
        name: name.clone(),
        diary: Diary::open(Path::new(diary)).unwrap(),
        behaviour: watch::Sender::new(behaviour),
        plant: Plant::default(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(serve(node, address.parse().unwrap())).unwrap();
    // The thread that reads the standard input would keep the runtime from ending.
    process::exit(0);
}

async fn serve(node: Arc<Node>, address: SocketAddr) -> io::Result<()> {
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let welcome = |stream| drop(tokio::spawn(keep(Arc::clone(&node), stream)));
    let now = *node.behaviour.borrow();
    let mut door = Door::Shut.turn(address, now, welcome).await?;
    acknowledge()?;
    loop {
        tokio::select! {
            command = commands.next_line() => {
                let Some(command) = command? else { return Ok(()) };
                let behaviour = serde_json::from_str(&command)?;
                door = door.turn(address, behaviour, welcome).await?;
                node.behaviour.send_replace(behaviour);
                acknowledge()?;
            }
            stream = door.accept() => {
                if let Ok(stream) = stream {
                    welcome(stream);
                }
            }
        }
    }
}

/// Tells the harness that what it asked for is the case.
fn acknowledge() -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "done")?;
    output.flush()
}

/// Answers the requests of one connection until it ends, whoever ends it.
async fn keep(node: Arc<Node>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    if multiplexed::is_spoken(&mut stream).await {
        return multiplexed::keep(node, stream).await;
    }
    while let Ok(exchange::Next::Keep) = node.exchange(&mut stream).await {}
}
