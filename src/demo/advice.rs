//! What there is to be tried when a story has been told.

use super::forgotten::TARGET;
use super::story::Story;

/// Signs of a command that has what it is for beside it.
const WIDEST: usize = 43;

/// What there is to be tried.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Advice {
    /// The story that was told last.
    pub(super) story: Story,
    /// What this program was called when it was started.
    pub(super) program: String,
    /// Where the site is, as a URL.
    pub(super) site: String,
    /// What is known only while it stays up.
    pub(super) staying: Option<Staying>,
}

/// A site that stays up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Staying {
    /// The process of a node.
    pub(super) pid: u32,
    pub(super) configuration: String,
    pub(super) socket: String,
}

impl Advice {
    /// What to try next.
    pub(super) fn lines(&self) -> Vec<String> {
        let (head, commands) = match &self.staying {
            None => ("What to try next:", self.without_site()),
            Some(staying) => {
                ("The site stays up until Ctrl-C. In another terminal, try:", self.with_site(staying))
            }
        };
        let mut lines = vec![String::new(), head.to_owned()];
        lines.extend(commands.iter().flat_map(|(command, why)| match command.len() {
            0..=WIDEST => vec![format!("  {command:<WIDEST$}  # {why}")],
            _ => vec![format!("  # {why}"), format!("  {command}")],
        }));
        if self.staying.is_some() {
            lines.push(String::new());
        }
        lines
    }

    fn without_site(&self) -> Vec<(String, &'static str)> {
        let program = &self.program;
        let (other, why) = match self.story {
            Story::Killed => ("forgotten", "the server that nobody reconnected"),
            Story::Forgotten => ("forgotten --stay", "drain a server yourself"),
        };
        let mut commands = vec![(format!("{program} demo --stay"), "keeps a site up for these:")];
        commands.extend(self.asking());
        commands.push((format!("{program} demo {other}"), why));
        commands
    }

    fn asking(&self) -> [(String, &'static str); 2] {
        let site = &self.site;
        [
            (format!("curl -i {site}/"), "X-Node says who answers"),
            (format!("wrk -t2 -c64 -d30s {site}/"), "load"),
        ]
    }

    fn with_site(&self, staying: &Staying) -> Vec<(String, &'static str)> {
        let (Self { program, .. }, Staying { pid, configuration, socket }) = (self, staying);
        let of_bookend = |what: &str| format!("{program} {what} --socket {socket}");
        let mut commands = self.asking().to_vec();
        commands.push((format!("kill -9 {pid}"), "a node, meanwhile; it is started again after a while"));
        commands.push((of_bookend("status"), "how it is"));
        match self.story {
            Story::Killed => {
                commands.push((format!("$EDITOR {configuration}"), "whatever you like"));
                commands.push((of_bookend("reload"), "and it is so"));
            }
            Story::Forgotten => {
                commands.push((of_bookend("incidents"), "what happened"));
                commands.push((
                    of_bookend(&format!("drain {TARGET} --reason test")),
                    "forget it once more; --force if it says no",
                ));
                commands.push((of_bookend(&format!("undrain {TARGET}")), "or do not"));
            }
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(story: Story, staying: Option<Staying>) -> String {
        let site = "http://127.0.0.1:8081".to_owned();
        Advice { story, program: "bookend".to_owned(), site, staying }.lines().join("\n")
    }

    fn staying() -> Option<Staying> {
        let (configuration, socket) = ("/tmp/x/bookend.yaml".to_owned(), "/tmp/x/admin.sock".to_owned());
        Some(Staying { pid: 4_711, configuration, socket })
    }

    #[test]
    fn advice_names_what_is_in_use() {
        for story in [Story::Killed, Story::Forgotten] {
            let lines = advice(story, None);
            assert!(lines.contains("bookend demo --stay"), "{lines}");
            assert!(lines.contains("curl -i http://127.0.0.1:8081/"), "{lines}");
            let lines = advice(story, staying());
            assert!(lines.contains("curl -i http://127.0.0.1:8081/"), "{lines}");
            assert!(lines.contains("kill -9 4711"), "{lines}");
            assert!(lines.contains("bookend status --socket /tmp/x/admin.sock"), "{lines}");
        }
    }

    #[test]
    fn site_of_the_forgotten_server_is_there_to_be_drained() {
        let lines = advice(Story::Forgotten, staying());
        assert!(
            lines.contains("bookend drain web/web-02 --reason test --socket /tmp/x/admin.sock"),
            "{lines}"
        );
    }
}
