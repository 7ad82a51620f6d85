//! A small authoritative name server on loopback, UDP and TCP on one free port, whose zone can be changed
//! while it answers. The demo and the tests ask it with the real resolver, so it can also misbehave on demand.
//!
//! Speaks for the root: names without records do not exist, names above existing ones are empty
//! (RFC 8020), `*` labels are wildcards (RFC 4592), aliases are followed within the zone.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hickory_server::{
    net::{runtime::Time, xfer::Protocol},
    proto::{
        op::{Header, HeaderCounts, Metadata, ResponseCode},
        rr::{
            Name, RData, Record, RecordType,
            rdata::{A, CNAME, SOA, TXT},
        },
    },
    server::{Request, RequestHandler, ResponseHandler, ResponseInfo, Server},
    zone_handler::MessageResponseBuilder,
};

/// Time to live of every record: long, so that a cache somewhere would be noticed.
const TTL: u32 = 3600;

/// A way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answers SERVFAIL.
    ServerFailure,
    /// Answers REFUSED.
    Refused,
    /// Does not answer at all.
    Silence,
    /// Answers over UDP with nothing but the truncation flag; over TCP as usual.
    TruncateUdp,
    /// Gives aliases without what they lead to, so that the resolver has to ask again.
    BareAlias,
}

/// Over which transport a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// The running name server; ends when dropped.
pub struct NameServer {
    address: SocketAddr,
    zone: Zone,
    // Owns the tasks that serve the sockets; dropping it ends them.
    _server: Server<Zone>,
}

impl NameServer {
    /// Starts a name server with an empty zone on a free port of 127.0.0.1.
    pub async fn start() -> io::Result<Self> {
        const TRIES: usize = 20;
        const IDLE: Duration = Duration::from_secs(10);
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        // The port must be free for both transports: take one from UDP and see whether TCP has it too.
        for _ in 0..TRIES {
            let udp = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = udp.local_addr()?;
            let tcp = match tokio::net::TcpListener::bind(address).await {
                Ok(tcp) => tcp,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            let zone = Zone::default();
            let mut server = Server::new(zone.clone());
            server.register_socket(udp);
            server.register_listener(tcp, IDLE, 16);
            return Ok(Self { address, zone, _server: server });
        }
        Err(last)
    }

    /// Where it answers, UDP and TCP alike.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the TXT records of a name be these values, each split in strings of 255 bytes.
    pub fn set_txt(&self, name: &str, values: &[&str]) {
        let split = |value: &&str| value.as_bytes().chunks(255).map(<[u8]>::to_vec).collect();
        self.set_txt_strings(name, values.iter().map(split).collect());
    }

    /// Makes the TXT records of a name be these, with the strings (at most 255 bytes each) exactly as given.
    pub fn set_txt_strings(&self, name: &str, records: Vec<Vec<Vec<u8>>>) {
        let data = records
            .iter()
            .map(|strings| {
                let strings = if strings.is_empty() {
                    vec![&[][..]]
                } else {
                    strings.iter().map(Vec::as_slice).collect()
                };
                RData::TXT(TXT::from_bytes(strings))
            })
            .collect();
        self.replace(name, RecordType::TXT, data);
    }

    /// Makes a name an alias of another; nothing else stands there then.
    pub fn set_cname(&self, name: &str, target: &str) {
        self.remove(name);
        self.replace(name, RecordType::CNAME, vec![RData::CNAME(CNAME(absolute(target)))]);
    }

    /// Gives a name an address record.
    pub fn set_a(&self, name: &str, address: Ipv4Addr) {
        self.replace(name, RecordType::A, vec![RData::A(A(address))]);
    }

    /// Takes all records of a name away.
    pub fn remove(&self, name: &str) {
        self.zone.lock().records.remove(&key(&absolute(name)));
    }

    /// Misbehaves for questions about this name from now on, or no longer.
    pub fn set_fault(&self, name: &str, fault: Option<Fault>) {
        let mut state = self.zone.lock();
        match fault {
            Some(fault) => state.faults.insert(key(&absolute(name)), fault),
            None => state.faults.remove(&key(&absolute(name))),
        };
    }

    /// Misbehaves for questions about any name from now on, or no longer.
    pub fn set_fault_everywhere(&self, fault: Option<Fault>) {
        self.zone.lock().everywhere = fault;
    }

    /// The questions that came since the last call, in order: name without trailing dot, and transport.
    pub fn take_questions(&self) -> Vec<(String, Transport)> {
        std::mem::take(&mut self.zone.lock().questions)
    }

    fn replace(&self, name: &str, kind: RecordType, data: Vec<RData>) {
        let name = absolute(name);
        let records = data.into_iter().map(|data| Record::from_rdata(name.clone(), TTL, data)).collect();
        self.zone.lock().records.entry(key(&name)).or_default().insert(kind, records);
    }
}

/// Labels from the root down, in lower case: so that what lies below a name follows it in the order.
type Key = Vec<Vec<u8>>;

#[derive(Default)]
struct State {
    records: BTreeMap<Key, BTreeMap<RecordType, Vec<Record>>>,
    faults: BTreeMap<Key, Fault>,
    everywhere: Option<Fault>,
    questions: Vec<(String, Transport)>,
}

#[derive(Clone, Default)]
struct Zone(Arc<Mutex<State>>);

/// What a question is answered with.
struct Answer {
    code: ResponseCode,
    records: Vec<Record>,
    truncated: bool,
}

impl Answer {
    fn empty(code: ResponseCode) -> Self {
        Self { code, records: Vec::new(), truncated: false }
    }
}

impl Zone {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a question, or `None` for silence.
    fn answer(&self, name: &Name, kind: RecordType, transport: Transport) -> Option<Answer> {
        let mut state = self.lock();
        state.questions.push((name.to_ascii().trim_end_matches('.').to_ascii_lowercase(), transport));
        let fault = state.faults.get(&key(name)).copied().or(state.everywhere);
        match fault {
            Some(Fault::Silence) => None,
            Some(Fault::ServerFailure) => Some(Answer::empty(ResponseCode::ServFail)),
            Some(Fault::Refused) => Some(Answer::empty(ResponseCode::Refused)),
            Some(Fault::TruncateUdp) if transport == Transport::Udp => {
                Some(Answer { truncated: true, ..Answer::empty(ResponseCode::NoError) })
            }
            _ => Some(state.resolve(name, kind, fault != Some(Fault::BareAlias))),
        }
    }
}

impl State {
    fn resolve(&self, name: &Name, kind: RecordType, follow: bool) -> Answer {
        const LONGEST_CHAIN: usize = 8;
        let mut answer = Answer::empty(ResponseCode::NoError);
        let mut owner = name.clone();
        for _ in 0..LONGEST_CHAIN {
            let Some(sets) = self.find(&owner) else {
                answer.code = ResponseCode::NXDomain;
                break;
            };
            let own = |records: &Vec<Record>| -> Vec<Record> {
                // A wildcard's records are given under the name that was asked.
                records.iter().map(|r| Record::from_rdata(owner.clone(), r.ttl, r.data.clone())).collect()
            };
            if let Some(records) = sets.get(&kind) {
                answer.records.extend(own(records));
                break;
            }
            let Some(alias) = sets.get(&RecordType::CNAME) else { break };
            answer.records.extend(own(alias));
            match alias.first().map(|record| &record.data) {
                Some(RData::CNAME(target)) if follow => owner = target.0.clone(),
                _ => break,
            }
        }
        answer
    }

    /// The records at a name: its own, none if it only lies above others, or those of the wildcard at its
    /// closest existing ancestor; `None` if the name does not exist.
    fn find(&self, name: &Name) -> Option<&BTreeMap<RecordType, Vec<Record>>> {
        static EMPTY: BTreeMap<RecordType, Vec<Record>> = BTreeMap::new();
        let asked = key(name);
        if let Some(sets) = self.records.get(&asked) {
            return Some(sets);
        }
        if self.exists(&asked) {
            return Some(&EMPTY);
        }
        let encloser = (0..asked.len()).rev().map(|n| &asked[..n]).find(|above| self.exists(above))?;
        let mut wildcard = encloser.to_vec();
        wildcard.push(b"*".to_vec());
        self.records.get(&wildcard)
    }

    fn exists(&self, name: &[Vec<u8>]) -> bool {
        self.records.range(name.to_vec()..).next().is_some_and(|(key, _)| key.starts_with(name))
    }
}

impl RequestHandler for Zone {
    // Written out because the trait is defined through `async_trait`, which is not a dependency here.
    fn handle_request<'me, 'request, 'task, R, T>(
        &'me self,
        request: &'request Request,
        mut respond: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'task>>
    where
        R: ResponseHandler + 'task,
        T: Time + 'task,
        Self: 'task,
        'me: 'task,
        'request: 'task,
    {
        Box::pin(async move {
            let mut metadata = Metadata::response_from_request(&request.metadata);
            metadata.authoritative = true;
            metadata.recursion_available = true;
            let answer = match request.request_info() {
                Ok(info) => {
                    let transport =
                        if info.protocol == Protocol::Udp { Transport::Udp } else { Transport::Tcp };
                    self.answer(&Name::from(info.query.name().clone()), info.query.query_type(), transport)
                }
                Err(_) => Some(Answer::empty(ResponseCode::FormErr)),
            };
            let unsent = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
            let Some(answer) = answer else { return unsent };
            metadata.response_code = answer.code;
            metadata.truncation = answer.truncated;
            let soa = soa();
            let authority = (answer.records.is_empty() && !answer.truncated).then_some(&soa);
            let message = MessageResponseBuilder::from_message_request(request).build(
                metadata,
                answer.records.iter(),
                [],
                authority,
                [],
            );
            match respond.send_response(message).await {
                Ok(info) => info,
                Err(_) => unsent,
            }
        })
    }
}

fn soa() -> Record {
    let root = Name::root();
    Record::from_rdata(root.clone(), TTL, RData::SOA(SOA::new(root.clone(), root, 1, 3600, 600, 86400, TTL)))
}

/// A name as it stands on the wire; what is not one at all becomes the root, where nothing is asked.
fn absolute(name: &str) -> Name {
    let mut name = Name::from_ascii(name).unwrap_or_else(|_| Name::root());
    name.set_fqdn(true);
    name
}

fn key(name: &Name) -> Key {
    name.iter().rev().map(<[u8]>::to_ascii_lowercase).collect()
}
