//! What the server and a verifier process say to each other, over one socket: lengths first, bounded, so that neither
//! side can make the other allocate more than a document is worth.

use std::io::{self, Read, Write};

/// More than any element of a response has.
const LONGEST_DOCUMENT: u32 = 4 << 20;
/// More than any certificate has.
const LONGEST_CERTIFICATE: u32 = 64 << 10;
/// Canonical XML may be longer than what it came from, where namespaces are declared again.
const LONGEST_ANSWER: u32 = 64 << 20;

/// One element to verify, with the one certificate to verify it by.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    pub document: String,
    pub certificate: Vec<u8>,
}

/// What became of it: the bytes that were signed, or why there are none.
pub type Answer = Result<String, String>;

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn length(bytes: usize, most: u32) -> io::Result<[u8; 4]> {
    let length = u32::try_from(bytes).ok().filter(|length| *length <= most);
    length.map(u32::to_le_bytes).ok_or_else(|| bad("the message is too long"))
}

fn read_length(from: &mut impl Read, most: u32) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    let length = u32::from_le_bytes(bytes);
    if length > most { Err(bad("the message is too long")) } else { Ok(length) }
}

/// So many bytes; room is made as they come, not as they are announced.
fn read_bytes(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length.into()).read_to_end(&mut bytes)?;
    if bytes.len() == length as usize { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read_text(from: &mut impl Read, length: u32) -> io::Result<String> {
    String::from_utf8(read_bytes(from, length)?).map_err(|_| bad("the message is not UTF-8"))
}

/// A question as it is sent.
pub fn question(document: &str, certificate: &[u8]) -> io::Result<Vec<u8>> {
    let mut message = Vec::with_capacity(8 + document.len() + certificate.len());
    message.extend(length(document.len(), LONGEST_DOCUMENT)?);
    message.extend(length(certificate.len(), LONGEST_CERTIFICATE)?);
    message.extend(document.as_bytes());
    message.extend(certificate);
    Ok(message)
}

/// The next question; `None` once nobody is there to ask any more.
pub fn read_question(from: &mut impl Read) -> io::Result<Option<Question>> {
    let document = match read_length(from, LONGEST_DOCUMENT) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let certificate = read_length(from, LONGEST_CERTIFICATE)?;
    let document = read_text(from, document)?;
    Ok(Some(Question { document, certificate: read_bytes(from, certificate)? }))
}

/// Answers.
pub fn answer(to: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let (verdict, text) = match answer {
        Ok(text) => (1, text),
        Err(text) => (0, text),
    };
    let mut message = Vec::with_capacity(5 + text.len());
    message.push(verdict);
    message.extend(length(text.len(), LONGEST_ANSWER)?);
    message.extend(text.as_bytes());
    to.write_all(&message)
}

/// The answer to what was asked.
pub fn read_answer(from: &mut impl Read) -> io::Result<Answer> {
    let mut verdict = [0];
    from.read_exact(&mut verdict)?;
    let length = read_length(from, LONGEST_ANSWER)?;
    let text = read_text(from, length)?;
    match verdict {
        [1] => Ok(Ok(text)),
        [0] => Ok(Err(text)),
        _ => Err(bad("the verdict is neither yes nor no")),
    }
}

/// How much of an answer is still to come after these bytes of it, if that can be said already.
pub fn missing(of_answer: &[u8]) -> io::Result<Option<usize>> {
    let Some(mut length) = of_answer.get(1..5) else { return Ok(None) };
    let whole = 5 + read_length(&mut length, LONGEST_ANSWER)? as usize;
    whole.checked_sub(of_answer.len()).map(Some).ok_or_else(|| bad("more came than the answer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_come_out_as_they_went_in() {
        let mut wire = Vec::new();
        wire.extend(question("<ä/>", &[0, 255]).unwrap());
        wire.extend(question("", &[]).unwrap());
        let mut wire = wire.as_slice();
        let first = Question { document: "<ä/>".to_owned(), certificate: vec![0, 255] };
        assert_eq!(read_question(&mut wire).unwrap(), Some(first));
        assert_eq!(read_question(&mut wire).unwrap().unwrap().document, "");
        assert_eq!(read_question(&mut wire).unwrap(), None);
        for said in [Ok("signed".to_owned()), Err("no".to_owned())] {
            let mut wire = Vec::new();
            answer(&mut wire, &said).unwrap();
            assert_eq!(missing(&wire[..4]).unwrap(), None);
            assert_eq!(missing(&wire[..6]).unwrap(), Some(wire.len() - 6));
            assert_eq!(missing(&wire).unwrap(), Some(0));
            assert!(missing(&[&wire[..], b"x"].concat()).is_err());
            assert_eq!(read_answer(&mut wire.as_slice()).unwrap(), said);
        }
    }

    #[test]
    fn what_a_process_gone_wrong_might_send_is_an_error() {
        for wire in [
            &b"\x01"[..],
            b"\x01\xff\xff\xff\xff",
            b"\x01\x05\0\0\0abc",
            b"\x07\x01\0\0\0a",
            b"\x01\x01\0\0\0\xff",
        ] {
            assert!(read_answer(&mut { wire }).is_err(), "{wire:?}");
        }
        assert!(read_question(&mut &b"\xff\xff\xff\xff\0\0\0\0"[..]).is_err());
        assert!(read_question(&mut &b"\x04\0\0\0\0\0\0\0ab"[..]).is_err());
    }
}
