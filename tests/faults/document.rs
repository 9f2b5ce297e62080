//! What a command printed, kept in a document.

use std::fs;
use std::path::Path;

/// Prints what this command found and, where the variable is set, puts it into the document of this name.
pub(crate) fn publish(document: &str, variable: &str, command: &str, found: &str) {
    println!("\n{found}");
    if std::env::var_os(variable).is_none() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- printed by {command} -->\n"), "<!-- end of what was printed -->");
    let start = text.find(&begin).expect("the document has a place for it") + begin.len();
    let stop = start + text[start..].find(end).expect("the place has an end");
    fs::write(path, format!("{}\n{found}\n{}", &text[..start], &text[stop..])).unwrap();
}
