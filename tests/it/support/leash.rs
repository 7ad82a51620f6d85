//! Processes that cannot outlive the test: each hangs on a pipe from this process and falls when it is let go,
//! also when the whole test run is killed.

use std::{
    io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// Runs "$@" until standard input ends or the program does, whichever is first; then ends the program.
const HOLDER: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
program=$!
{
    cat <&3 >/dev/null
    kill -TERM $program
    for second in 1 2 3 4 5; do sleep 1; kill -0 $program || exit; done
    kill -KILL $program
} 2>/dev/null &
keeper=$!
exec 3<&-
wait $program
status=$?
kill $keeper
exit $status
"#;

/// A running program on its leash; ended and waited for on drop.
pub struct Leashed {
    holder: Child,
    name: String,
}

impl Leashed {
    /// Starts a program with its output in a file, so that a failing test can show it.
    pub fn spawn(command: &Command, log: &Path) -> io::Result<Self> {
        let output = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let name = command.get_program().to_string_lossy().into_owned();
        // A session of its own, so that Ctrl-C in the terminal does not end it before the test says so.
        let mut holder = Command::new("setsid");
        holder.args(["sh", "-c", HOLDER, "leash"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => holder.env(key, value),
                None => holder.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            holder.current_dir(folder);
        }
        let holder = holder.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output).spawn()?;
        Ok(Self { holder, name })
    }

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.holder.try_wait().expect("the state of a child")
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.holder.try_wait().is_ok_and(|state| state.is_none()) {
            if Instant::now() > deadline {
                eprintln!("{} does not end", self.name);
                let _ = self.holder.kill();
                let _ = self.holder.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
