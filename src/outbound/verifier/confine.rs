//! What a verifier process gives up before it hears the first question: memory beyond what a response is worth, CPU
//! time beyond what its life is worth, new file descriptors, files (landlock), and all system calls but those of
//! computing and of the socket that it has (seccomp). What the kernel does not offer is left out, and told.

/// Private memory, in bytes: a response of the largest size takes a tenth of this.
const MEMORY: u64 = 256 << 20;
/// Seconds of CPU in the life of a process; its thousands of answers take about ten.
const CPU: u64 = 120;

/// Closes whatever this process was given by the one that started the server, but for the standard three: a listener
/// of a service manager, a pipe of a build. To be called before anything of its own is open.
#[cfg(target_os = "linux")]
pub fn close_inherited() {
    let listed = std::fs::read_dir("/proc/self/fd").map(|entries| {
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    });
    // Without /proc, as many as are usual.
    let open: Vec<i32> = listed.unwrap_or_else(|_| (3..1024).collect());
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // The one of the listing itself is closed by now.
        let _ = nix::unistd::close(descriptor);
    }
}

/// Closes whatever this process was given by the one that started the server.
#[cfg(not(target_os = "linux"))]
pub fn close_inherited() {}

/// Confines this process for good, and tells by what.
///
/// # Errors
/// A limit that every kernel has could not be set.
#[cfg(target_os = "linux")]
pub fn confine() -> Result<String, String> {
    limit_resources()
        .map_err(|error| format!("the limits of a verifier process could not be set: {error}"))?;
    let files = deny_files();
    let calls = deny_calls();
    Ok(format!("resource limits, landlock {files}, seccomp {calls}"))
}

/// Confines this process for good, and tells by what.
#[cfg(not(target_os = "linux"))]
pub fn confine() -> Result<String, String> {
    Ok("a process of its own, without further limits on this system".to_owned())
}

#[cfg(target_os = "linux")]
fn limit_resources() -> nix::Result<()> {
    use nix::sys::resource::{Resource, setrlimit};
    let at_most = |resource, most| setrlimit(resource, most, most);
    at_most(Resource::RLIMIT_CORE, 0)?;
    at_most(Resource::RLIMIT_FSIZE, 0)?;
    // No more than it has.
    at_most(Resource::RLIMIT_NOFILE, 0)?;
    at_most(Resource::RLIMIT_DATA, MEMORY)?;
    at_most(Resource::RLIMIT_CPU, CPU)
}

/// No file can be opened, made or removed, no port bound or connected to.
#[cfg(target_os = "linux")]
fn deny_files() -> &'static str {
    use landlock::{ABI, Access as _, AccessFs, AccessNet, Ruleset, RulesetAttr as _, RulesetStatus};
    let denied = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V5))?
            .create()?
            .restrict_self()
    };
    match denied() {
        Ok(status) if status.ruleset == RulesetStatus::FullyEnforced => "on",
        Ok(status) if status.ruleset == RulesetStatus::PartiallyEnforced => "on in part",
        _ => "not offered by the kernel",
    }
}

/// Every other system call fails: the libraries then report an error, which is a refusal.
#[cfg(target_os = "linux")]
fn deny_calls() -> &'static str {
    let denied = || {
        let filter = seccompiler::SeccompFilter::new(
            NEEDED.iter().map(|call| (*call, Vec::new())).collect(),
            seccompiler::SeccompAction::Errno(libc::EPERM.unsigned_abs()),
            seccompiler::SeccompAction::Allow,
            std::env::consts::ARCH.try_into()?,
        )?;
        let program: seccompiler::BpfProgram = filter.try_into()?;
        seccompiler::apply_filter(&program)
    };
    if denied().is_ok() { "on" } else { "not offered by the kernel" }
}

/// Reading and writing what is open, memory, time, randomness, ending.
#[cfg(target_os = "linux")]
const NEEDED: [libc::c_long; 27] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
