//! A call with everything it touches in our hands, and a server that plays back answers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use strongroom_cli::{Io, Prompt, run};
use strongroom_types::Secret;
use strongroom_types::time::SystemClock;
use tempfile::TempDir;

/// What a call gave.
#[derive(Debug)]
pub struct Outcome {
    pub code: u8,
    pub stdout: String,
    pub stderr: String,
}

/// What a call is given.
pub struct Caller {
    pub env: BTreeMap<String, String>,
    pub home: TempDir,
    pub stdin: String,
    pub typed: Option<&'static str>,
    pub to_terminal: bool,
    /// What a person who waits was told.
    pub notices: Arc<Mutex<Vec<String>>>,
}

/// A stream whose bytes a test reads afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

struct Typed(Option<&'static str>);

impl Prompt for Typed {
    fn hidden(&mut self) -> io::Result<Secret> {
        match self.0 {
            Some(text) => Ok(Secret::copy_of(text.as_bytes())),
            None => Err(io::Error::other("file descriptor 0 is not a terminal")),
        }
    }
}

impl Caller {
    /// With the server's address and a token in the environment.
    pub fn of(server: &Server) -> Self {
        Self::at(&server.url)
    }

    pub fn at(url: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let env = [
            ("VAULT_ADDR", url),
            ("VAULT_TOKEN", "root"),
            ("HOME", home.path().to_str().unwrap()),
            // Tests need no second try, but those that are about it.
            ("VAULT_MAX_RETRIES", "0"),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { env, home, stdin: String::new(), typed: None, to_terminal: false, notices: Arc::default() }
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn unset(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.to_owned();
        self
    }

    /// Runs a command line; words are separated by spaces.
    pub fn run(&self, line: &str) -> Outcome {
        self.words(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn words(&self, words: &[&str]) -> Outcome {
        let (stdout, stderr) = (Shared::default(), Shared::default());
        let notices = self.notices.clone();
        let mut io = Io {
            program: "strongroom".into(),
            stdin: Box::new(io::Cursor::new(self.stdin.clone().into_bytes())),
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            to_terminal: self.to_terminal,
            env: self.env.clone(),
            folder: self.home.path().to_owned(),
            notice: Some(Arc::new(move |text| notices.lock().unwrap().push(text.to_owned()))),
            clock: Box::new(SystemClock),
            prompt: Box::new(Typed(self.typed)),
            check_configuration: |paths| match paths {
                [path] if path.ends_with("good.hcl") => Ok(vec!["ui is ignored".into()]),
                _ => Err(vec!["a.hcl:1:1: wrong".into(), "a.hcl:2:1: wrong too".into()]),
            },
        };
        let code = run(words.iter().map(|&word| word.to_owned()).collect(), &mut io);
        Outcome { code, stdout: stdout.text(), stderr: stderr.text() }
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `PUT /v1/secret/data/a`.
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// Plays back: a request's first line, a status, a body.
pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub type Script = &'static [(&'static str, u16, &'static str)];

impl Server {
    /// Serves `script` until the test ends. What it does not hold is 404.
    pub fn new(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = Self { url: format!("http://{address}"), asked: asked.clone() };
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                serve(socket, script, &asked);
            }
        });
        server
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The last request.
    pub fn last(&self) -> Asked {
        self.asked().pop().unwrap()
    }
}

/// Reads one request and answers it.
pub fn serve(stream: impl Read + Write, script: Script, asked: &Mutex<Vec<Asked>>) {
    let mut stream = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).map(|_| line.trim_end().to_owned())
    };
    let Ok(first) = line() else { return };
    let mut headers = BTreeMap::new();
    while let Ok(header) = line() {
        let Some((name, value)) = header.split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).is_err() {
        return;
    }
    let line = first.trim_end_matches(" HTTP/1.1").to_owned();
    let (status, answer) = script
        .iter()
        .find(|(wanted, ..)| *wanted == line)
        .map_or((404, "{\"errors\":[]}"), |(_, status, answer)| (*status, *answer));
    asked.lock().unwrap().push(Asked {
        line,
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n");
    let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", answer.len()) };
    let _ = stream.get_mut().write_all(format!("{head}{length}\r\n{answer}").as_bytes());
    let _ = stream.get_mut().flush();
}

/// An address where nobody listens.
pub fn nowhere() -> SocketAddr {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(TcpStream::connect(address).is_err());
    address
}
