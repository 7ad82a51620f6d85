//! A web server that publishes an IdP's metadata, and gets it wrong in every way that a test asks for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server does with each request.
#[derive(Debug, Clone)]
pub enum Course {
    /// Gives the document.
    Document(String),
    /// Answers with this status line and these header lines, and nothing else.
    Bare(String),
    /// Says so many bytes and sends the document only.
    Claims(usize, String),
    /// Sends a document that never ends.
    Endless,
    /// Takes the request and is silent.
    Silent,
    /// Begins to send the document, then is silent.
    Stalls,
    /// Closes the connection without an answer.
    Closes,
}

/// The running server.
pub struct Publisher {
    pub address: SocketAddr,
    course: Arc<Mutex<Course>>,
    asked: Arc<AtomicUsize>,
}

impl Publisher {
    pub async fn start(document: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let course = Arc::new(Mutex::new(Course::Document(document.to_owned())));
        let asked = Arc::new(AtomicUsize::new(0));
        let (shared, counter) = (Arc::clone(&course), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let course = shared.lock().expect("unpoisoned").clone();
                tokio::spawn(async move { answer(stream, course).await });
            }
        });
        Self { address, course, asked }
    }

    /// Where it is, by this name.
    pub fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/metadata", self.address.port())
    }

    /// Gives this document from now on.
    pub fn publish(&self, document: &str) {
        self.take(Course::Document(document.to_owned()));
    }

    /// Does this from now on.
    pub fn take(&self, course: Course) {
        *self.course.lock().expect("unpoisoned") = course;
    }

    /// How many connections came so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(mut stream: TcpStream, course: Course) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
        if head == [0x16] {
            // TLS, which this server does not speak.
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok()?;
            return None;
        }
    }
    let request = String::from_utf8_lossy(&head).to_ascii_lowercase();
    assert!(!request.contains("cookie:") && request.contains("accept-encoding: identity"), "{request}");
    let whole = |length: usize, document: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{document}"
        )
    };
    match course {
        Course::Document(document) => {
            stream.write_all(whole(document.len(), &document).as_bytes()).await.ok()?;
        }
        Course::Bare(head) => {
            stream
                .write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes())
                .await
                .ok()?;
        }
        Course::Claims(length, document) => {
            stream.write_all(whole(length, &document).as_bytes()).await.ok()?;
        }
        Course::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.ok()?;
            loop {
                stream.write_all(&[b' '; 16 * 1024]).await.ok()?;
            }
        }
        Course::Silent => std::future::pending().await,
        Course::Stalls => {
            stream.write_all(whole(1_000, "<md:EntityDescriptor").as_bytes()).await.ok()?;
            std::future::pending::<()>().await;
        }
        Course::Closes => {}
    }
    Some(())
}
