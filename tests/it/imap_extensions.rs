//! docs/imap-extensions.md says what recorded servers offer, and names what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The servers of the table, and where they are recorded. Of those that are marked so, all that they
/// offer is.
const SERVERS: [(&str, &str, bool); 7] = [
    ("C", "cyrus", false),
    ("D", "dovecot", false),
    ("E", "exchange-online", true),
    ("G", "gmail", true),
    ("I", "icloud", true),
    ("O", "outlook", true),
    ("Y", "yahoo", true),
];

struct Row {
    capabilities: Vec<String>,
    methods: String,
    servers: BTreeSet<String>,
}

impl Row {
    /// Whether it is about this capability, which may have a value.
    fn is_about(&self, announced: &str) -> bool {
        let names = |known: &String| {
            let value = announced.strip_prefix(known.as_str());
            value.is_some_and(|value| value.is_empty() || value.starts_with('='))
        };
        self.capabilities.iter().any(names)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn table() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/imap-extensions.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.contains("| method |"));
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [capability, methods, _, servers] = cells[..] else { panic!("{line}") };
        // Without what stands in parentheses.
        let outside = |part: &str| part.rsplit(')').next().unwrap_or_default().to_owned();
        let names: String = capability.split('(').map(outside).collect();
        let is_letter = |word: &&str| SERVERS.iter().any(|(letter, ..)| letter == word);
        Row {
            capabilities: names.split(',').map(|name| name.trim().to_owned()).collect(),
            methods: methods.to_owned(),
            servers: servers
                .split(|c: char| !c.is_alphanumeric())
                .filter(is_letter)
                .map(str::to_owned)
                .collect(),
        }
    };
    rows.map(row).collect()
}

/// What servers of this folder announce anywhere.
fn announced(folder: &str) -> BTreeSet<String> {
    let folder = fs::read_dir(root().join("tests/transcripts").join(folder)).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    let told = files.map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    let lists = told.lines().filter(|line| line.starts_with("S: ")).filter_map(|line| {
        let (_, list) = line.split_once("CAPABILITY ")?;
        list.split(']').next()
    });
    lists.flat_map(|list| list.split(' ')).map(str::to_owned).collect()
}

#[test]
fn the_table_says_of_each_server_what_is_recorded_of_it() {
    let table = table();
    assert!(table.len() > 40);
    for (letter, folder, is_whole) in SERVERS {
        let announced = announced(folder);
        assert!(announced.contains("IMAP4rev1"), "{folder}");
        for row in &table {
            let named = row.servers.contains(letter);
            let offered = announced.iter().any(|word| row.is_about(word));
            let told = if offered { named } else { !(named && is_whole) };
            assert!(told, "{letter} and {:?}: offered {offered}", row.capabilities);
        }
    }
}

#[test]
fn the_table_names_what_there_is() {
    let mut folders = vec![root().join("src/imap")];
    let mut code = fs::read_to_string(root().join("src/connector.rs")).unwrap();
    while let Some(folder) = folders.pop() {
        let paths: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in paths {
            match path.is_dir() {
                true => folders.push(path),
                false => code.push_str(&fs::read_to_string(path).unwrap()),
            }
        }
    }
    for row in table() {
        // Every other piece stands between backquotes. In capitals it is what is on the wire.
        let quoted = row.methods.split('`').skip(1).step_by(2);
        for name in quoted.filter(|name| name.contains(char::is_lowercase)) {
            let last = name.rsplit("::").next().unwrap_or_default();
            let is_there = match last.starts_with(char::is_uppercase) {
                true => code.contains(&format!("    {last}")),
                false => code.contains(&format!("fn {last}")) || name == "compress",
            };
            assert!(is_there, "{name} of {:?}", row.capabilities);
        }
    }
}
